"""Traces: which rows of bronze and of quarantine stand behind the rows of silver, and what they are by silver's types.

Bronze may hold text, and quarantine holds nothing else: a condition on silver's columns says nothing there before
the cells have silver's types. What is done with rows that are found belongs in `retention` and `erasure`.
"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from dq_pipelines.config.columns import exact
from dq_pipelines.errors import RuleError, nearest
from dq_pipelines.lake.formats.snapshot import Snapshot
from dq_pipelines.lake.ledger import batches_in, transactions
from dq_pipelines.lake.tables import LakeTable
from dq_pipelines.pipeline.bronze.batch import UNREADABLE
from dq_pipelines.pipeline.bronze.landed import BATCH, bronze, pending_batches
from dq_pipelines.pipeline.preparation.preparation import prepare
from dq_pipelines.pipeline.quarantine.corrections import corrected, corrections
from dq_pipelines.pipeline.quarantine.quarantine_status import broken_off
from dq_pipelines.pipeline.quarantine.refused_rows import FIXED, INTO, PLACE, REPLAYED, STATUS
from dq_pipelines.pipeline.runtime.table_run import TableRun
from dq_pipelines.transforms.casting import typed
from dq_pipelines.transforms.steps import OPAQUE, Deduplicate, Filter

#: Beside it, whether the rows of that name go.
GOES = "_goes"


def healed(quarantine: Snapshot | None, silver: LakeTable) -> pl.Expr:
    """Whether a row of quarantine was mended or replayed, and silver has noted the replay."""
    if quarantine is None or not {STATUS, INTO} <= set(quarantine.schema):
        return pl.lit(False)
    # A rerun publishes what is mended without a replay.
    unfinished = broken_off(batches_in(transactions(silver)))
    return (pl.col(STATUS).is_in([FIXED, REPLAYED]) & ~unfinished).fill_null(False)


@dataclass(frozen=True)
class Traces:
    """The three layers of one table, each at the version at which it was first looked at."""

    work: TableRun
    silver: Snapshot
    #: the two below may never have been written to
    bronze: Snapshot | None
    quarantine: Snapshot | None

    @classmethod
    def of(cls, work: TableRun) -> Traces | None:
        """None where nothing was ever published."""
        silver = work.silver.published()
        if silver is None:
            return None
        return cls(work, silver, bronze(work.table, work.lake).published(), work.quarantine.published())

    def column(self, name: str) -> pl.DataType:
        """The type of a published column; raises RuleError when there is none of this name."""
        if name not in self.silver.schema:
            raise RuleError(f"{self.work.table.key}: no column '{name}'{nearest(name, self.silver.schema)}")
        return self.silver.schema[name]

    @property
    def waiting(self) -> list[str]:
        """Bronze batches that were not judged yet, or are blocked."""
        return pending_batches(self.work.table, self.work.lake, self.work.silver)

    def landed(self) -> pl.LazyFrame | None:
        """The rows of bronze by silver's types, with `PLACE`; None where steps forget where rows came from.

        Also the rows that a `filter` or `deduplicate` leaves out, and not the lines that nobody could read. After a step of
        `sql` or `python` there may be none for a landed row, or several.
        """
        if self.bronze is None:
            return None
        silver, rows = self.work.table.landed.silver, corrected(self.bronze.scan(), corrections(self.work.quarantine))
        steps = tuple(step for step in silver.transform if not isinstance(step, Filter | Deduplicate))
        prepared = prepare(silver.model_copy(update={"transform": steps}), rows)
        there = prepared.rows.collect_schema()
        return prepared.rows if set(PLACE) <= set(there) else None

    @property
    def is_opaque(self) -> bool:
        """Whether a step may do anything to rows."""
        return any(isinstance(step, OPAQUE) for step in self.work.table.landed.silver.transform)

    def refused_cell(self, name: str) -> pl.Expr:
        """A column of quarantine, which holds text, by silver's type; null where a cell does not fit."""
        dtype = self.column(name)
        texts = pl.String() if self.quarantine is None else self.quarantine.schema[name]
        return pl.col(exact(name)) if texts == dtype or dtype.is_nested() else typed(pl.col(exact(name)), texts, dtype)

    @property
    def healed(self) -> pl.Expr:
        """Whether a row of quarantine was published after all: then silver says what becomes of it."""
        return healed(self.quarantine, self.work.silver)

    def refused(self, goes: pl.Expr) -> pl.LazyFrame | None:
        """What the rows of quarantine that are not published are known by, and as `GOES` whether all of that name go."""
        if self.quarantine is None:
            return None
        rows = (
            self.quarantine.scan()
            .filter(self.healed.not_())
            .filter(pl.all_horizontal(pl.col(name).is_not_null() for name in PLACE))
        )
        return rows.group_by(PLACE).agg(goes.fill_null(False).all().alias(GOES))

    def untold(self, told: pl.LazyFrame | None) -> int:
        """Rows of bronze that are neither among `told` nor in quarantine, and were judged: nobody knows what became of them."""
        if self.bronze is None or not self.is_opaque:
            return 0
        rows = self.bronze.scan().filter(~pl.col(BATCH).is_in(self.waiting) & pl.col(UNREADABLE).is_null())
        for known in (told, self.refused(pl.lit(True))):
            if known is not None:
                rows = rows.join(known.select(PLACE), on=PLACE, how="anti")
        return int(rows.select(pl.len()).collect(engine="streaming").item())
