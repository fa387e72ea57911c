"""Compares what a table's YAML needs with the capabilities of its table format."""

from __future__ import annotations

from collections.abc import Iterator

from dq_pipelines.config.yaml_file import Location
from dq_pipelines.lake import formats
from dq_pipelines.lake.formats.base import TableFormat
from dq_pipelines.project.model import Table
from dq_pipelines.project.tables import LandedTable
from dq_pipelines.transforms.types import dtype_of


def unsupported(table: Table, table_format: TableFormat | None = None) -> Iterator[tuple[Location, str]]:
    """The places of a table's file that need an unsupported capability, with a message; by default of the lake's format."""
    if not isinstance(table.model, LandedTable):
        return
    kept = table_format or formats.named(formats.DEFAULT)
    can, silver = kept.capabilities, table.model.silver
    if silver.mode == "merge" and not can.merge:
        yield ("silver", "keys"), f"wanted a table format that merges rows by keys, got {kept.name}, which does not"
    if table.model.partitions is not None and not can.partitions:
        yield ("partitions",), f"wanted a table format with partitions, got {kept.name}, which has none"
    if table.model.retention is not None and not can.files:
        yield ("retention",), f"wanted a table format whose files can be rewritten, got {kept.name}, which has none"
    if table.model.evolution != "strict" and not can.new_columns:
        yield (
            ("schema",),
            f"wanted a table format that can add columns, got {kept.name}, which cannot: write schema: strict",
        )
    for name, column in silver.columns.items():
        if kept.stored_type(dtype_of(column.type)) is None:
            yield ("silver", "columns", name), f"wanted a type that {kept.name} can store, got {column.type}"
