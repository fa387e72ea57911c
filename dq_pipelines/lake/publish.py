"""Publishing: one commit that adds a stage's rows and records what they consumed, or nothing."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Literal

from dq_pipelines.lake.formats.commit import Append, Change, Commit, Delete, Merge, NewColumns, Overwrite, Rebuild
from dq_pipelines.lake.staging import Stage

Mode = Literal["append", "overwrite", "merge"]


@dataclass(frozen=True)
class Rewrite:
    """Rows of one version of a table that stand beside a batch, staged anew; see `schema_rewrite`."""

    #: the version that was read; a commit on any other would undo what came since
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
    #: the version that the commit made
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
    new_columns: NewColumns = "refuse",
    once: Collection[str] = (),
    rewrite: Rewrite | None = None,
) -> Publication:
    """Commit the staged rows and what they `consumed` (names and numbers of the ledger), all or nothing.

    What of it is in `once` must not be in the ledger yet, with this number: then another run was quicker. The format itself
    refuses a commit of the same names that comes between this look and the commit.

    `append` adds, `merge` updates rows with the same `keys` and adds the others, `overwrite` replaces
    the table, or the stage's partition of it, and takes on the staged schema. New columns are added to the table in
    that same commit. Where rows beside the batch are to be others, or of other types, `rewrite` has them.

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


def forget(stage: Stage, batches: list[str]) -> None:
    """Remove the rows of these bronze batches, which an interrupted publication has left in the table."""
    if batches and stage.table.exists:
        stage.table.commit(Commit(Delete("_batch", tuple(batches))))


__all__ = ["Mode", "Publication", "Rewrite", "forget", "publish"]
