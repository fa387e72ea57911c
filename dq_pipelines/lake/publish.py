"""Publishing: one Delta commit that adds a stage's rows and records what they consumed, or nothing."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import polars as pl
import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, Field, Schema, TableFeatures
from deltalake.exceptions import CommitFailedError, DeltaError
from deltalake.transaction import create_table_with_add_actions

from dq_pipelines.config.sql_text import identifier, literal
from dq_pipelines.config.stores import is_remote, options
from dq_pipelines.errors import Overtaken, PublishError, nearest
from dq_pipelines.lake.durable import sync_commit
from dq_pipelines.lake.ledger import noting, transactions
from dq_pipelines.lake.staging import Stage
from dq_pipelines.lake.tables import PARTITION, refused

Mode = Literal["append", "overwrite", "merge"]
Properties = Callable[..., CommitProperties]
#: What Delta calls a moment without a zone.
_NO_ZONE = '"timestamp_ntz"'


@dataclass(frozen=True)
class Rewrite:
    """Rows of one version of a table that stand beside a batch, staged anew; see `schema_rewrite`."""

    #: the Delta version that was read; a commit on any other would undo what came since
    version: int
    #: one of each partition
    stages: tuple[Stage, ...]
    #: whether the stages and the batch are the whole table; else other partitions stay as they are
    whole: bool = True


@dataclass(frozen=True)
class Publication:
    """One commit."""

    #: `<layer>/<table>`
    key: str
    #: the Delta version that the commit made
    version: int
    #: rows that the commit brought in
    rows: int


def publish(
    stage: Stage,
    mode: Mode,
    consumed: Mapping[str, int],
    *,
    keys: tuple[str, ...] = (),
    metadata: Mapping[str, str] | None = None,
    new_columns: Literal["add", "refuse"] = "refuse",
    once: Collection[str] = (),
    rewrite: Rewrite | None = None,
) -> Publication:
    """Commit the staged rows and what they `consumed` (names and numbers of the ledger), all or nothing.

    What of it is in `once` must not be in the ledger yet, with this number: then another run was quicker. Delta itself
    refuses a commit of the same names that comes between this look and the commit.

    `append` adds, `merge` updates rows with the same `keys` and adds the others, `overwrite` replaces
    the table, or the stage's partition of it, and takes on the staged schema. New columns are added to the table in
    that same commit. Where rows beside the batch are to be others, or of other types, `rewrite` has them.

    Raises PublishError, or Overtaken when another writer was quicker, and leaves the table as it was.
    """
    properties = partial(
        noting,
        consumed,
        {"dq.batch": stage.batch, **(metadata or {})},
    )
    with publish_errors(stage.table.key, stage.table.uri):
        table = stage.table.delta()
        if table is None and is_remote(stage.table.uri):
            table = _open_to_all(stage)
        _must_be_first(stage, {name: consumed[name] for name in once})
        stage.named = None
        if table is None:
            _create(stage, properties)
        elif rewrite is not None:
            _replace(table, stage, rewrite, properties)
        elif mode == "merge" and stage.rows:  # without rows Delta's merge makes no commit, and nothing would be noted
            fitted = _fitted(table, stage, new_columns)
            grows = fitted != table.schema()
            _take_moments_without_zone(table, stage, fitted)
            _merge(table, stage, keys, grows, properties)
        else:
            _commit(table, stage, "append" if mode == "merge" else mode, properties, new_columns)
        stage.named = stage.rows > 0 and (mode != "merge" or table is None or rewrite is not None)
        sync_commit(stage.table)
        version = DeltaTable(stage.table.uri, storage_options=options(stage.table.uri)).version()
    return Publication(stage.table.key, version, stage.rows)


def _must_be_first(stage: Stage, consumed: Mapping[str, int]) -> None:
    known = transactions(stage.table) if consumed else {}
    for name, number in consumed.items():
        if known.get(name) == number:
            raise Overtaken(f"{stage.table.key}: another run has published {name} meanwhile")


def forget(stage: Stage, batches: list[str]) -> None:
    """Remove the rows of these bronze batches, which an interrupted publication has left in the table."""
    table = stage.table.delta()
    if table is None or not batches:
        return
    quoted = ", ".join(map(literal, batches))
    with publish_errors(stage.table.key, stage.table.uri):
        table.delete(f"_batch IN ({quoted})")
        sync_commit(stage.table)


def _create(stage: Stage, properties: Properties) -> None:
    create_table_with_add_actions(
        stage.table.uri,
        stage.delta_schema,
        stage.add_actions(),
        mode="error",
        partition_by=_partition_by(stage),
        storage_options=options(stage.table.uri),
        commit_properties=properties(),
    )


def _open_to_all(stage: Stage) -> DeltaTable:
    """The table, made without rows: where nobody holds a claim, two may make it at once, and Delta lets both."""
    DeltaTable.create(
        stage.table.uri,
        stage.delta_schema,
        mode="ignore",
        partition_by=_partition_by(stage),
        storage_options=options(stage.table.uri),
    )
    return stage.table.opened()


def _commit(
    table: DeltaTable, stage: Stage, mode: Mode, properties: Properties, new_columns: Literal["add", "refuse"]
) -> None:
    whole = mode == "overwrite" and stage.partition is None
    schema = stage.delta_schema if whole else _fitted(table, stage, new_columns)
    grows = not whole and schema != table.schema()
    replaced: Any = None
    if mode == "overwrite" and not whole:
        replaced = [(PARTITION, "=", str(stage.partition))]
    elif mode == "append" and grows:
        # Delta's append cannot bring columns along; an overwrite can, and this one replaces no file.
        replaced = [(schema.fields[0].name, "in", [])]
    _take_moments_without_zone(table, stage, schema)
    table.create_write_transaction(
        stage.add_actions(),  # type: ignore[arg-type]
        "append" if mode == "append" and not grows else "overwrite",
        schema,
        partition_by=_partition_by(stage),
        partition_filters=replaced,
        # Whoever was quicker may have brought columns too, which this schema would take away.
        commit_properties=properties(max_commit_retries=0) if grows else properties(),
    )


def _replace(table: DeltaTable, stage: Stage, rewrite: Rewrite, properties: Properties) -> None:
    if table.version() != rewrite.version:
        raise Overtaken(f"{stage.table.key}: another writer changed the table while it was written anew")
    for part in rewrite.stages:
        part.named = None
    schema = _fitted(table, stage, "add", retyped=True)
    noted = 1 if _take_moments_without_zone(table, stage, schema) else 0
    if table.version() != rewrite.version + noted:
        raise Overtaken(f"{stage.table.key}: another writer changed the table while it was written anew")
    table.create_write_transaction(
        [action for part in (stage, *rewrite.stages) for action in part.add_actions()],
        "overwrite",
        schema,
        partition_by=_partition_by(stage),
        partition_filters=None
        if rewrite.whole
        else [(PARTITION, "in", [str(part.partition) for part in (stage, *rewrite.stages)])],
        commit_properties=properties(max_commit_retries=0),
    )
    for part in rewrite.stages:
        part.named = part.rows > 0


def _take_moments_without_zone(table: DeltaTable, stage: Stage, schema: Schema) -> bool:
    """Let a table take its first moments without a zone, in a commit of its own; says whether it was one.

    Delta wants them in the protocol of the table. Neither a write transaction nor a merge sees to that, and the table
    that they leave cannot be opened any more.
    """
    if _NO_ZONE not in schema.to_json() or _NO_ZONE in table.schema().to_json():
        return False
    if "timestampNtz" in (table.protocol().writer_features or ()):
        return False
    table.alter.add_feature(TableFeatures.TimestampWithoutTimezone, allow_protocol_versions_increase=True)
    sync_commit(stage.table)
    return True


def _merge(table: DeltaTable, stage: Stage, keys: tuple[str, ...], grows: bool, properties: Properties) -> None:
    on = " AND ".join(f"published.{identifier(key)} = staged.{identifier(key)}" for key in keys)
    rows = record_batches(stage.scan())
    merger = table.merge(
        rows,
        on,
        source_alias="staged",
        target_alias="published",
        merge_schema=grows,
        commit_properties=properties(),
    )
    merger.when_matched_update_all().when_not_matched_insert_all().execute()


def record_batches(rows: pl.LazyFrame) -> pa.RecordBatchReader:
    """A stream of Arrow batches, so that a merge never holds the batch whole."""
    schema = pl.DataFrame(schema=rows.collect_schema()).to_arrow().schema

    def batches() -> Iterator[pa.RecordBatch]:
        for frame in rows.collect_batches(engine="streaming"):
            yield from frame.to_arrow().cast(schema).to_batches()

    return pa.RecordBatchReader.from_batches(schema, batches())


def _fitted(table: DeltaTable, stage: Stage, new_columns: Literal["add", "refuse"], *, retyped: bool = False) -> Schema:
    """The table's schema with what the staged rows bring; raises PublishError for what it may not take on."""
    there = table.schema().fields
    staged = {field.name: field for field in stage.delta_schema.fields}
    for field in there:
        if field.name in staged and staged[field.name].type != field.type and not retyped:
            raise PublishError(
                f"{stage.table.key}: column '{field.name}' was {_type(field)} and is now {_type(staged[field.name])}; "
                f"give it one type under silver.columns, or rewrite the table with mode: rerun"
            )
    names = [field.name for field in there]
    new = [field for name, field in staged.items() if name not in names]
    if new and new_columns == "refuse":
        said = ", ".join(f"'{field.name}'{nearest(field.name, names)}" for field in new)
        raise PublishError(
            f"{stage.table.key}: new column {said}; wanted: {', '.join(names)} (to take it on, run with mode: rerun)"
        )
    return Schema([*(staged.get(field.name, field) if retyped else field for field in there), *new])


def _type(field: Field) -> str:
    return str(getattr(field.type, "type", field.type))


def _partition_by(stage: Stage) -> list[str] | None:
    return None if stage.partition is None else [PARTITION]


@contextmanager
def publish_errors(key: str, uri: str) -> Iterator[None]:
    """Turn what the lake's libraries raise into one PublishError that says the place."""
    try:
        yield
    except CommitFailedError as error:
        raise Overtaken(f"{key}: another writer changed the table meanwhile, nothing was published: {error}") from None
    except (DeltaError, OSError, pa.ArrowException) as error:
        raise refused(uri, f"wanted to write {key}", error) from None


__all__ = ["Mode", "Publication", "Schema", "forget", "publish", "publish_errors"]
