"""A table of each format, what can be done to it, and what must have become of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from dq_pipelines.lake import formats
from dq_pipelines.lake.formats.commit import (
    Append,
    Change,
    Commit,
    Delete,
    Insert,
    Merge,
    Note,
    Overwrite,
    Rebuild,
    ReplaceFiles,
    Restore,
    Update,
)
from dq_pipelines.lake.staging import Stage
from dq_pipelines.lake.tables import LakeTable

#: The formats that there are.
NAMES = formats.names()

Rows = list[dict[str, Any]]

FIRST = pl.DataFrame({"id": [1, 2], "word": ["a", None], "_batch": ["b-1", "b-1"]})
SECOND = pl.DataFrame({"id": [3], "word": ["c"], "_batch": ["b-2"]})
BEFORE: Rows = [*FIRST.to_dicts(), *SECOND.to_dicts()]

#: The entry that each verb makes: it is in the ledger when the rows are changed, and never before.
ENTRY = "batch:b-3"


def table_at(root: Path, kind: str, name: str = "orders") -> LakeTable:
    return LakeTable(f"silver/{name}", f"{root}/silver/{name}", kind)


def staged(table: LakeTable, rows: pl.DataFrame, batch: str, partition: str | None = None) -> Stage:
    stage = Stage(table, batch, partition)
    stage.prepare()
    pl.collect_all([stage.sink(rows.lazy())], engine="streaming")
    return stage


def seeded(root: Path, kind: str) -> LakeTable:
    """A table of two versions, with the rows `BEFORE`."""
    table = table_at(root, kind)
    for number, rows in enumerate((FIRST, SECOND), start=1):
        table.commit(Commit(Append(staged(table, rows, f"b-{number}")), {f"batch:b-{number}": number}))
    return table


def rows_of(table: LakeTable) -> Rows:
    """Its rows in an order of their own, without cells that hold nothing."""
    return in_order(table.snapshot().scan().collect().to_dicts())


def in_order(rows: Rows) -> Rows:
    return sorted(({name: value for name, value in row.items() if value is not None} for row in rows), key=repr)


@dataclass(frozen=True)
class Verb:
    """One change of the seeded table."""

    #: what is committed
    change: Callable[[LakeTable], Change]
    #: what the table holds afterwards
    after: Rows
    #: what a format must be able to do for it: names of `Capabilities`
    needs: tuple[str, ...] = ()
    #: more of the commit
    more: Callable[[LakeTable], dict[str, Any]] = field(default=lambda _: {})

    def commit(self, table: LakeTable) -> Commit:
        """The commit, with an entry of its own that nobody may have made before."""
        return Commit(self.change(table), {ENTRY: 7}, {"dq.by": "a test"}, once={ENTRY: 7}, **self.more(table))

    def is_for(self, kind: str) -> bool:
        can = formats.named(kind).capabilities
        return all(getattr(can, need) for need in self.needs)


NEW = pl.DataFrame({"id": [2, 4], "word": ["B", "d"], "_batch": ["b-3", "b-3"]})
WIDER = NEW.with_columns(more=pl.Series([True, False]))
TEXTS = pl.DataFrame({"id": ["x"], "word": ["d"], "_batch": ["b-3"]})
ONE, TWO, THREE = BEFORE


def _stage(table: LakeTable, rows: pl.DataFrame) -> Stage:
    return staged(table, rows, "b-3")


def _rebuilt(table: LakeTable) -> Change:
    before = table.snapshot().scan().collect().cast({"id": pl.String})
    return Rebuild((_stage(table, TEXTS), staged(table, before, "b-3-rewritten")), whole=True)


def _replaced(table: LakeTable) -> Change:
    gone = [file for file in table.snapshot().files if file.rows == FIRST.height]
    return ReplaceFiles(tuple(gone), (_stage(table, FIRST.head(1)),))


VERBS: dict[str, Verb] = {
    "append": Verb(lambda table: Append(_stage(table, NEW)), [*BEFORE, *NEW.to_dicts()]),
    "append new columns": Verb(
        lambda table: Append(_stage(table, WIDER), "add"), [*BEFORE, *WIDER.to_dicts()], ("new_columns",)
    ),
    "append no rows": Verb(lambda table: Append(_stage(table, NEW.clear())), BEFORE),
    "insert": Verb(lambda _: Insert(NEW.lazy()), [*BEFORE, *NEW.to_dicts()]),
    "overwrite": Verb(lambda table: Overwrite(_stage(table, TEXTS)), TEXTS.to_dicts()),
    "merge": Verb(lambda table: Merge(_stage(table, NEW), ("id",)), [ONE, *NEW.to_dicts(), THREE], ("merge",)),
    "merge new columns": Verb(
        lambda table: Merge(_stage(table, WIDER), ("id",), "add"),
        [ONE, *WIDER.to_dicts(), THREE],
        ("merge", "new_columns"),
    ),
    "merge no rows": Verb(lambda table: Merge(_stage(table, NEW.clear()), ("id",)), BEFORE, ("merge",)),
    "insert what is not there": Verb(
        lambda _: Merge(NEW.lazy(), ("id",), insert_only=True), [*BEFORE, NEW.to_dicts()[1]], ("merge",)
    ),
    "update": Verb(
        lambda _: Update(pl.DataFrame({"id": [1], "word": ["z"], "why": ["mended"]}), "id"),
        [ONE | {"word": "z", "why": "mended"}, TWO, THREE],
        ("merge", "new_columns"),
    ),
    "delete": Verb(lambda _: Delete("_batch", ("b-1", "b'9")), [THREE]),
    "rebuild": Verb(
        _rebuilt,
        [*({**row, "id": str(row["id"])} for row in BEFORE), *TEXTS.to_dicts()],
        more=lambda table: {"expected": table.snapshot().version},
    ),
    "replace files": Verb(_replaced, [ONE, THREE], ("files",), lambda table: {"read": table.snapshot()}),
    "restore": Verb(
        lambda table: Restore(table.snapshot().version - 1),
        [ONE, TWO],
        ("time_travel",),
        lambda table: {"read": table.snapshot()},
    ),
    "note": Verb(lambda _: Note(), BEFORE),
}

#: Every verb that a format can do.
CASES = [(kind, name) for kind in NAMES for name, verb in VERBS.items() if verb.is_for(kind)]
