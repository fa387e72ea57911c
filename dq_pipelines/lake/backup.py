"""Backup: rows that leave the lake, copied to a second one first, with when and why.

A backup table has the columns of its table and four of its own. Its ledger has `expired:<deletion>` for each copy, and the
table's own ledger has the same name once the rows are gone from it. A copy without such a deletion was left by a run that
was killed in between: it is void, and is removed before the next one is made, so that no row is backed up twice.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime

import polars as pl
from polars import selectors

from dq_pipelines.config.counting import counted
from dq_pipelines.engine.interrupt import collect_all
from dq_pipelines.errors import PublishError
from dq_pipelines.lake.ledger import TAKEN_BACK, transactions
from dq_pipelines.lake.publish import publish
from dq_pipelines.lake.rewrite import ByCondition, Removal, note
from dq_pipelines.lake.schema_evolution import Drift, drift, exactly
from dq_pipelines.lake.schema_rewrite import rewriting
from dq_pipelines.lake.staging import Stage
from dq_pipelines.lake.table_lock import Claim, staged
from dq_pipelines.lake.tables import Lake, LakeTable

EXPIRED_AT, WHY, RUN, DELETION = "_expired_at", "_expired_why", "_expired_run", "_deletion"

#: What a backup adds to the columns of its table.
BACKUP_COLUMNS = (EXPIRED_AT, WHY, RUN, DELETION)

#: In the ledger of a table, before the id of a deletion: its rows were brought back.
RESTORED = "restored:"

#: In the ledger of a table: the deletion was given up, and its copy is void.
_GIVEN_UP = 0


@dataclass(frozen=True)
class Deletion:
    """Why rows leave the lake, and when."""

    at: datetime
    #: one sentence
    why: str
    #: id of the run that deletes
    run: str
    id: str

    @classmethod
    def new(cls, at: datetime, why: str, run: str) -> Deletion:
        return cls(at, why, run, f"x-{uuid.uuid4().hex[:16]}")

    @property
    def consumed(self) -> dict[str, int]:
        """What ledgers say of it: its name, and when it was, in seconds since 1970."""
        return {self.name: int(self.at.timestamp())}

    @property
    def name(self) -> str:
        return f"expired:{self.id}"


@dataclass(frozen=True)
class Fingerprint:
    """What two sets of rows have in common when they are the same, in whatever order they come."""

    rows: int
    #: sums over the upper and the lower half of each row's hash: 4 billion rows do not overflow them
    sums: tuple[int, int]

    @classmethod
    def of(cls, rows: pl.LazyFrame) -> Fingerprint:
        """Read all columns of all rows, in one stream."""
        hashed = pl.struct(*sorted(rows.collect_schema())).hash(seed=7)
        halves = rows.select(hashed.alias("hash")).select(
            pl.len(), (pl.col("hash") // 2**32).sum().alias("upper"), (pl.col("hash") % 2**32).sum().alias("lower")
        )
        count, upper, lower = collect_all([halves])[0].row(0)
        return cls(count, (upper, lower))


@dataclass(frozen=True)
class Backup:
    """The backup of one table."""

    #: the table whose rows leave
    table: LakeTable
    #: where they go
    copies: LakeTable

    @classmethod
    def of(cls, table: LakeTable, backups: Lake) -> Backup:
        return cls(table, backups.table(table.key))

    def copy(self, rows: pl.LazyFrame, deletion: Deletion, claim: Claim) -> int:
        """Copy the rows, and read the copy again: how many they are. Raises PublishError when it is not the same."""
        marks = {EXPIRED_AT: deletion.at, WHY: deletion.why, RUN: deletion.run, DELETION: deletion.id}
        stage = Stage(self.copies, deletion.id)
        marked = self.copies.format.storable(
            rows.with_columns(pl.lit(value).alias(name) for name, value in marks.items())
        )
        # A column that has another type by now has a type in the backup that holds what it was and what it is.
        wanted = self._drift(marked)
        with staged(stage, claim=claim):
            collect_all([stage.sink(marked if wanted is None else exactly(marked, wanted.schema))])
            stage.tidy()
            with rewriting(stage, wanted, "append", claim=claim) as rewrite:
                publish(stage, "append", deletion.consumed, new_columns="add", once=[deletion.name], rewrite=rewrite)
        names = rows.collect_schema().names()
        copied = self.copies.scan().filter(pl.col(DELETION) == deletion.id).select(selectors.by_name(names))
        expected, got = Fingerprint.of(exactly(rows, copied.collect_schema())), Fingerprint.of(copied)
        if expected != got:
            raise PublishError(
                f"{self.copies.uri}: wanted a copy of {counted(expected.rows, 'row')} of {self.table.key} with the checksum "
                f"{expected.sums}, got {counted(got.rows, 'row')} with {got.sums}: nothing was deleted"
            )
        return got.rows

    def _drift(self, rows: pl.LazyFrame) -> Drift | None:
        """How the rows differ from what is in the backup; None for the first ones."""
        before = self.copies.published()
        if before is None:
            return None
        return drift(before.schema, rows.collect_schema(), "rebuild")

    def void(self, claim: Claim) -> int:
        """Remove copies of rows that were not deleted after all; how many copies there were.

        The table's ledger is told first: whoever is about to delete those rows, where nobody holds a claim, is refused.
        """
        copied = {name for name in transactions(self.copies) if name.startswith("expired:")}
        done = transactions(self.table)
        given_up = [name for name in copied if done.get(name, _GIVEN_UP) == _GIVEN_UP]
        if not given_up:
            return 0
        if news := [name for name in given_up if name not in done]:
            note(self.table, dict.fromkeys(news, _GIVEN_UP), {"dq.backup": "given up"})
        snapshot = self.copies.published()
        if snapshot is not None:
            ids = [name.partition(":")[2] for name in given_up]
            removal = Removal(snapshot, ByCondition(pl.col(DELETION).is_in(ids)), f"void-{uuid.uuid4().hex[:16]}")
            with staged(*removal.stages, claim=claim):
                removal.write()
                removal.commit(dict.fromkeys(given_up, TAKEN_BACK), {"dq.backup": "copies of what was not deleted"})
        return len(given_up)

    @property
    def kept(self) -> list[str]:
        """The deletions whose rows are gone from the table, are here, and were not brought back; in no order."""
        done = transactions(self.table)
        every = [name.partition(":")[2] for name in transactions(self.copies) if name.startswith("expired:")]
        return [
            each
            for each in every
            if done.get(f"expired:{each}", _GIVEN_UP) != _GIVEN_UP and f"{RESTORED}{each}" not in done
        ]
