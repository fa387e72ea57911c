"""Computes the schema of a Delta table after a commit."""

from __future__ import annotations

from deltalake import DeltaTable, Field, Schema

from dq_pipelines.errors import PublishError, nearest
from dq_pipelines.lake.formats.commit import NewColumns, Staged
from dq_pipelines.lake.formats.delta.actions import schema_of
from dq_pipelines.lake.formats.snapshot import Place


def fitted(place: Place, table: DeltaTable, rows: Staged, new_columns: NewColumns, *, retyped: bool = False) -> Schema:
    """The table's schema with the new columns of staged rows; raises PublishError for columns that it must not add."""
    there = table.schema().fields
    staged = {field.name: field for field in schema_of(rows).fields}
    for field in there:
        if field.name in staged and staged[field.name].type != field.type and not retyped:
            raise PublishError(
                f"{place.key}: column '{field.name}' was {_type(field)} and is now {_type(staged[field.name])}; "
                f"give it one type under silver.columns, or rewrite the table with mode: rerun"
            )
    names = [field.name for field in there]
    new = [field for name, field in staged.items() if name not in names]
    if new and new_columns == "refuse":
        said = ", ".join(f"'{field.name}'{nearest(field.name, names)}" for field in new)
        raise PublishError(
            f"{place.key}: new column {said}; wanted: {', '.join(names)} (to take it on, run with mode: rerun)"
        )
    return Schema([*(staged.get(field.name, field) if retyped else field for field in there), *new])


def _type(field: Field) -> str:
    return str(getattr(field.type, "type", field.type))
