"""Copies rows to a backup lake before retention deletes them, with the time and the reason.

A backup table has the columns of its table and four more. Its ledger has `expired:<deletion>` for each copy. The table's own
ledger has the same name once the rows are deleted. A copy without such a deletion was left by a killed run: it is void, and
is removed before the next copy, so that no row is backed up twice.
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

#: The columns that a backup adds to those of its table.
BACKUP_COLUMNS = (EXPIRED_AT, WHY, RUN, DELETION)

#: Prefix of a deletion's id in a table's ledger: its rows were restored.
RESTORED = "restored:"

#: Number in a table's ledger: the deletion was abandoned, and its copy is void.
_GIVEN_UP = 0


@dataclass(frozen=True)
class Deletion:
    """A deletion of rows by retention: when, why and by which run."""

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
        """Its ledger entry: the name, and the time in seconds since 1970."""
        return {self.name: int(self.at.timestamp())}

    @property
    def name(self) -> str:
        return f"expired:{self.id}"


@dataclass(frozen=True)
class Fingerprint:
    """A checksum of rows that does not depend on their order."""

    rows: int
    #: sums over the upper and the lower half of each row's hash: 4 billion rows do not overflow them
    sums: tuple[int, int]

    @classmethod
    def of(cls, rows: pl.LazyFrame) -> Fingerprint:
        """The fingerprint of all columns of all rows, read in one stream."""
        hashed = pl.struct(*sorted(rows.collect_schema())).hash(seed=7)
        halves = rows.select(hashed.alias("hash")).select(
            pl.len(), (pl.col("hash") // 2**32).sum().alias("upper"), (pl.col("hash") % 2**32).sum().alias("lower")
        )
        count, upper, lower = collect_all([halves])[0].row(0)
        return cls(count, (upper, lower))


@dataclass(frozen=True)
class Backup:
    """The backup of one table."""

    #: the table whose rows are deleted
    table: LakeTable
    #: the table in the backup lake
    copies: LakeTable

    @classmethod
    def of(cls, table: LakeTable, backups: Lake) -> Backup:
        return cls(table, backups.table(table.key))

    def copy(self, rows: pl.LazyFrame, deletion: Deletion, claim: Claim) -> int:
        """Copy the rows, read the copy again, and return its number of rows. Raises PublishError when the copy differs."""
        values = {EXPIRED_AT: deletion.at, WHY: deletion.why, RUN: deletion.run, DELETION: deletion.id}
        stage = Stage(self.copies, deletion.id)
        marked = self.copies.format.storable(
            rows.with_columns(pl.lit(value).alias(name) for name, value in values.items())
        )
        # If a column changed its type, the backup uses a type that holds the old and the new values.
        difference = self._drift(marked)
        with staged(stage, claim=claim):
            collect_all([stage.sink(marked if difference is None else exactly(marked, difference.schema))])
            stage.tidy()
            with rewriting(stage, difference, "append", claim=claim) as rewrite:
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
        """How the rows' columns differ from the backup's; None for the first rows."""
        before = self.copies.published()
        if before is None:
            return None
        return drift(before.schema, rows.collect_schema(), "rebuild")

    def void(self, claim: Claim) -> int:
        """Remove copies of rows that were not deleted after all; returns the number of copies.

        First the table's ledger records that the deletions are abandoned. In an object store, which has no claims, this
        makes the commit of a run that is still deleting those rows fail.
        """
        copied = {name for name in transactions(self.copies) if name.startswith("expired:")}
        done = transactions(self.table)
        given_up = [name for name in copied if done.get(name, _GIVEN_UP) == _GIVEN_UP]
        if not given_up:
            return 0
        if unrecorded := [name for name in given_up if name not in done]:
            note(self.table, dict.fromkeys(unrecorded, _GIVEN_UP), {"dq.backup": "given up"})
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
        """The ids of deletions that were carried out, are in the backup, and were not restored; in no order."""
        done = transactions(self.table)
        every = [name.partition(":")[2] for name in transactions(self.copies) if name.startswith("expired:")]
        return [
            each
            for each in every
            if done.get(f"expired:{each}", _GIVEN_UP) != _GIVEN_UP and f"{RESTORED}{each}" not in done
        ]
