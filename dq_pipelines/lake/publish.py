"""Publishes a stage: one commit adds its rows and records the consumed batches, all or nothing."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Literal

from dq_pipelines.lake.formats.commit import Append, Change, Commit, Delete, Merge, NewColumns, Overwrite, Rebuild
from dq_pipelines.lake.staging import Stage

Mode = Literal["append", "overwrite", "merge"]


@dataclass(frozen=True)
class Rewrite:
    """Staged rewrites of published rows, committed together with a batch; see `schema_rewrite`."""

    #: the version that was read; a commit on a later one would undo its changes
    version: int
    #: one for each partition
    stages: tuple[Stage, ...]
    #: whether the stages and the batch are the whole table; otherwise other partitions stay unchanged
    whole: bool = True


@dataclass(frozen=True)
class Publication:
    """One commit."""

    #: `<layer>/<table>`
    key: str
    #: the version that the commit made
    version: int
    #: rows that the commit added
    rows: int


def publish(
    stage: Stage,
    mode: Mode,
    consumed: Mapping[str, int],
    *,
    keys: tuple[str, ...] = (),
    metadata: Mapping[str, str] | None = None,
    new_columns: NewColumns = "refuse",
    once: Collection[str] = (),
    rewrite: Rewrite | None = None,
) -> Publication:
    """Commit the staged rows and what they `consumed` (ledger entries by name), all or nothing.

    Entries named in `once` must not be in the ledger yet with their number; otherwise another run was quicker. The format
    itself refuses a commit of the same names that comes between this check and the commit.

    `append` adds rows. `merge` updates rows with the same `keys` and adds the others. `overwrite` replaces the table, or
    the stage's partition, and takes the staged schema. New columns are added in the same commit. `rewrite` has the
    other published rows that change with the batch.

    Raises PublishError, or Overtaken when another writer was quicker, and leaves the table as it was.
    """
    commit = Commit(
        _change(stage, mode, keys, new_columns, rewrite),
        consumed,
        {"dq.batch": stage.batch, **(metadata or {})},
        once={name: consumed[name] for name in once},
        expected=None if rewrite is None else rewrite.version,
    )
    parts = (stage, *(rewrite.stages if rewrite is not None else ()))
    for part in parts:
        part.named = None
    done = stage.table.commit(commit)
    for part in parts:
        part.named = part.rows > 0 and done.takes_files
    return Publication(stage.table.key, done.version, stage.rows)


def _change(
    stage: Stage, mode: Mode, keys: tuple[str, ...], new_columns: NewColumns, rewrite: Rewrite | None
) -> Change:
    if rewrite is not None:
        return Rebuild((stage, *rewrite.stages), whole=rewrite.whole)
    match mode:
        case "append":
            return Append(stage, new_columns)
        case "overwrite":
            return Overwrite(stage, new_columns)
        case "merge":
            return Merge(stage, keys, new_columns)


def delete_batches(stage: Stage, batches: list[str]) -> None:
    """Delete the rows of these bronze batches, which an interrupted publication left in the table."""
    if batches and stage.table.exists:
        stage.table.commit(Commit(Delete("_batch", tuple(batches))))


__all__ = ["Mode", "Publication", "Rewrite", "delete_batches", "publish"]
