"""Makes Delta commits: one function for each kind of change."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, cast

import polars as pl
import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, Field, Schema, TableFeatures, Transaction, write_deltalake
from deltalake.exceptions import CommitFailedError
from deltalake.transaction import PostCommitHookProperties, create_table_with_add_actions

from dq_pipelines.config.sql_text import identifier, literal
from dq_pipelines.config.stores import is_remote, options
from dq_pipelines.errors import Overtaken, PublishError
from dq_pipelines.lake.formats.commit import (
    Append,
    Commit,
    Committed,
    Delete,
    Insert,
    Merge,
    NewColumns,
    Note,
    Overwrite,
    Rebuild,
    ReplaceFiles,
    Restore,
    Staged,
    Update,
)
from dq_pipelines.lake.formats.delta.actions import adds_of, removes_of, schema_of
from dq_pipelines.lake.formats.delta.after_commit import set_down, synced
from dq_pipelines.lake.formats.delta.columns import fitted
from dq_pipelines.lake.formats.delta.open_tables import taken
from dq_pipelines.lake.formats.delta.snapshot import DeltaSnapshot, newest_entries, snapshot_of
from dq_pipelines.lake.formats.snapshot import PARTITION, Place, Snapshot, Unpublished

#: Delta's name for a moment without a time zone.
_NO_ZONE = '"timestamp_ntz"'

#: Delta would list the whole log after each commit, to remove what has expired: `checkpoints` does so where it writes one.
_NO_UPKEEP = PostCommitHookProperties(create_checkpoint=False, cleanup_expired_logs=False)


def committed(place: Place, commit: Commit) -> Committed:
    """Make a commit. On any error the table is unchanged; `LakeTable.commit` makes those of the libraries PublishError."""
    try:
        snapshot = _as_read(place, commit)
        if commit.once:
            commit.must_come_first(place.key, snapshot.entries if commit.read is None else newest_entries(place))
        table = _table_of(snapshot)
        takes_files = _make(place, commit, table)
    except CommitFailedError as error:
        said = f"{place.key}: another writer changed the table meanwhile, nothing was published: {error}"
        raise Overtaken(said) from None
    log = synced(place)
    if table is not None:
        set_down(place, log, table)
    return Committed(log.version, takes_files)


def _as_read(place: Place, commit: Commit) -> Snapshot:
    """The snapshot that the commit is based on, or the current one."""
    if commit.read is not None:
        return commit.read
    snapshot = snapshot_of(place)
    first = _first_of(commit)
    if snapshot.exists or first is None or not is_remote(place.uri):
        return snapshot
    _open_to_all(place, first)
    return snapshot_of(place)


def _first_of(commit: Commit) -> Staged | None:
    """The staged rows that can create a table; None for a change without any."""
    match commit.change:
        case Rebuild(parts=(first, *_)):
            return first
        case Append(rows=rows) | Overwrite(rows=rows):
            return rows
        case Merge(rows=rows) if not isinstance(rows, pl.LazyFrame):
            return rows
    return None


def _table_of(snapshot: Snapshot) -> DeltaTable | None:
    """The library's table at the version that was read, so that Delta looks at what came since; None where there is none.

    A commit takes it along to its own version, so it is not that of the snapshot, which others may hold.
    """
    if not isinstance(snapshot, DeltaSnapshot):
        return None
    if lone := snapshot.log.lone_checkpoint():
        raise PublishError(lone)
    return taken(snapshot.place, snapshot.log)


def _make(place: Place, commit: Commit, table: DeltaTable | None) -> bool:
    """Whether the table now uses the staged files."""
    change = commit.change
    match change:
        case Merge(rows=pl.LazyFrame() as rows) if table is not None:
            _merge(table, rows, change, _noting(commit))
        case Append() | Overwrite() | Rebuild() | Merge():
            return _bring(place, commit, change, table)
        case _ if table is None:
            Unpublished(place).required()
        case Insert():
            write_deltalake(
                table,
                record_batches(change.rows),
                mode="append",
                commit_properties=_noting(commit),
                post_commithook_properties=_NO_UPKEEP,
            )
        case Update():
            _update(table, change, _noting(commit))
        case Delete():
            quoted = ", ".join(map(literal, change.values))
            table.delete(
                f"{identifier(change.column)} IN ({quoted})",
                commit_properties=_noting(commit),
                post_commithook_properties=_NO_UPKEEP,
            )
        case ReplaceFiles():
            news = not change.same_rows
            actions = [*removes_of(change.gone, data_change=news), *adds_of(place, change.parts, data_change=news)]
            _write_as_it_is(table, actions, commit)
        case Restore():
            table.restore(change.version, commit_properties=_noting(commit), post_commithook_properties=_NO_UPKEEP)
        case Note():
            _write_as_it_is(table, [], commit)
    return True


def _noting(commit: Commit, **more: Any) -> CommitProperties:
    """The properties of a commit: its ledger entries and metadata. `more` are arguments of delta-rs."""
    entries = [Transaction(name, number) for name, number in commit.entries.items()]
    return CommitProperties(custom_metadata=dict(commit.metadata), app_transactions=entries, **more)


# --- rows that were staged -----------------------------------------------------------------------


def _bring(
    place: Place, commit: Commit, change: Append | Overwrite | Rebuild | Merge, table: DeltaTable | None
) -> bool:
    """Commit the rows and return whether the table uses the staged files; a merge writes its own files."""
    first = cast("Staged", _first_of(commit))
    if table is None:
        parts = change.parts if isinstance(change, Rebuild) else (first,)
        create_table_with_add_actions(
            place.uri,
            schema_of(first),
            adds_of(place, parts),
            mode="error",
            partition_by=_partition_by(first),
            storage_options=options(place.uri),
            commit_properties=_noting(commit),
            post_commithook_properties=_NO_UPKEEP,
        )
    elif isinstance(change, Rebuild):
        _replace(place, commit, change, table)
    elif isinstance(change, Merge) and any(file.rows for file in first.files):
        schema = fitted(place, table, first, change.new_columns)
        grows = schema != table.schema()
        _take_moments_without_zone(place, table, schema)
        _merge(table, first.scan(), change, _noting(commit), grows=grows)
        return False
    else:  # without rows Delta's merge makes no commit, so nothing would be recorded
        _write(place, commit, table, first, change.new_columns, replaces=isinstance(change, Overwrite))
    return True


def _open_to_all(place: Place, first: Staged) -> None:
    """Create the table without rows: without claims, two writers may create it at once, and Delta allows both."""
    DeltaTable.create(
        place.uri,
        schema_of(first),
        mode="ignore",
        partition_by=_partition_by(first),
        storage_options=options(place.uri),
    )


def _write(
    place: Place, commit: Commit, table: DeltaTable, rows: Staged, new_columns: NewColumns, *, replaces: bool
) -> None:
    whole = replaces and rows.partition is None
    schema = schema_of(rows) if whole else fitted(place, table, rows, new_columns)
    grows = not whole and schema != table.schema()
    replaced: Any = None
    if replaces and not whole:
        replaced = [(PARTITION, "=", str(rows.partition))]
    elif not replaces and grows:
        # Delta's append cannot bring columns along; an overwrite can, and this one replaces no file.
        replaced = [(schema.fields[0].name, "in", [])]
    _take_moments_without_zone(place, table, schema)
    table.create_write_transaction(
        adds_of(place, [rows]),  # type: ignore[arg-type]
        "append" if not replaces and not grows else "overwrite",
        schema,
        partition_by=_partition_by(rows),
        partition_filters=replaced,
        # A quicker writer may have added columns too, which this schema would remove.
        commit_properties=_noting(commit, max_commit_retries=0) if grows else _noting(commit),
        post_commithook_properties=_NO_UPKEEP,
    )


def _replace(place: Place, commit: Commit, change: Rebuild, table: DeltaTable) -> None:
    commit.must_meet(place.key, table.version())
    schema = fitted(place, table, change.parts[0], "add", retyped=True)
    noted = 1 if _take_moments_without_zone(place, table, schema) else 0
    commit.must_meet(place.key, table.version() - noted)
    partitions = [str(part.partition) for part in change.parts]
    table.create_write_transaction(
        adds_of(place, change.parts),  # type: ignore[arg-type]
        "overwrite",
        schema,
        partition_by=_partition_by(change.parts[0]),
        partition_filters=None if change.whole else [(PARTITION, "in", partitions)],
        commit_properties=_noting(commit, max_commit_retries=0),
    )


def _write_as_it_is(table: DeltaTable, actions: Sequence[Any], commit: Commit) -> None:
    table.create_write_transaction(
        list(actions),
        "append",
        table.schema(),
        partition_by=table.metadata().partition_columns,
        commit_properties=_noting(commit),
        post_commithook_properties=_NO_UPKEEP,
    )


# --- rows by their keys --------------------------------------------------------------------------


def _merge(
    table: DeltaTable, rows: pl.LazyFrame, change: Merge, properties: CommitProperties, *, grows: bool = False
) -> None:
    on = " AND ".join(f"published.{identifier(key)} = staged.{identifier(key)}" for key in change.keys)
    merger = table.merge(
        record_batches(rows),
        on,
        source_alias="staged",
        target_alias="published",
        merge_schema=grows,
        commit_properties=properties,
        post_commithook_properties=_NO_UPKEEP,
    )
    if not change.insert_only:
        merger = merger.when_matched_update_all()
    merger.when_not_matched_insert_all().execute()


def _update(table: DeltaTable, change: Update, properties: CommitProperties) -> None:
    there, rows = {field.name for field in table.schema().fields}, change.changes.to_arrow()
    new = [Field(field.name, field.type) for field in Schema.from_arrow(rows.schema).fields if field.name not in there]
    if new:
        table.alter.add_columns(new)
    values = [name for name in change.changes.columns if name != change.key]
    on = f"there.{change.key} = changed.{change.key}"
    merger = table.merge(
        rows, on, "changed", "there", commit_properties=properties, post_commithook_properties=_NO_UPKEEP
    )
    merger.when_matched_update({name: f"changed.{name}" for name in values}).execute()


def record_batches(rows: pl.LazyFrame) -> pa.RecordBatchReader:
    """A stream of Arrow batches, so that a merge never holds the whole batch in memory."""
    schema = pl.DataFrame(schema=rows.collect_schema()).to_arrow().schema

    def batches() -> Iterator[pa.RecordBatch]:
        for frame in rows.collect_batches(engine="streaming"):
            table = frame.to_arrow()  # a cast that has nothing to do would import pyarrow.compute
            yield from (table if table.schema.equals(schema) else table.cast(schema)).to_batches()

    return pa.RecordBatchReader.from_batches(schema, batches())


# --- columns -------------------------------------------------------------------------------------


def _take_moments_without_zone(place: Place, table: DeltaTable, schema: Schema) -> bool:
    """Enable moments without a time zone in a separate commit; returns whether one was needed.

    Delta requires this feature in the table's protocol. Neither a write transaction nor a merge sees to that, and the table
    that they leave cannot be opened any more.
    """
    if _NO_ZONE not in schema.to_json() or _NO_ZONE in table.schema().to_json():
        return False
    if "timestampNtz" in (table.protocol().writer_features or ()):
        return False
    table.alter.add_feature(TableFeatures.TimestampWithoutTimezone, allow_protocol_versions_increase=True)
    synced(place)
    return True


def _partition_by(rows: Staged) -> list[str] | None:
    return None if rows.partition is None else [PARTITION]
