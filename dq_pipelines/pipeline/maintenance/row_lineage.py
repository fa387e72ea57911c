"""Links the rows of bronze and quarantine to the rows of silver, and casts their cells to silver's types.

Bronze may hold text, and quarantine holds text only. A condition on silver's columns applies to their rows once the cells
have silver's types.
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
from dq_pipelines.pipeline.quarantine.quarantine_status import replay_was_interrupted
from dq_pipelines.pipeline.quarantine.refused_rows import FIXED, INTO, PLACE, REPLAYED, STATUS
from dq_pipelines.pipeline.runtime.table_run import TableRun
from dq_pipelines.transforms.casting import typed
from dq_pipelines.transforms.steps import OPAQUE, Deduplicate, Filter

#: Column with whether all rows of a `PLACE` are deleted.
GOES = "_goes"


def published_later(quarantine: Snapshot | None, silver: LakeTable) -> pl.Expr:
    """Whether a row of quarantine was corrected or replayed, and silver's ledger has the replay."""
    if quarantine is None or not {STATUS, INTO} <= set(quarantine.schema):
        return pl.lit(False)
    # A rerun publishes corrected rows without a replay.
    unfinished = replay_was_interrupted(batches_in(transactions(silver)))
    return (pl.col(STATUS).is_in([FIXED, REPLAYED]) & ~unfinished).fill_null(False)


@dataclass(frozen=True)
class RowLineage:
    """The three layers of one table, each read at one version."""

    work: TableRun
    silver: Snapshot
    #: None where nothing was ever written to it; the same for `quarantine`
    bronze: Snapshot | None
    quarantine: Snapshot | None

    @classmethod
    def of(cls, work: TableRun) -> RowLineage | None:
        """None where nothing was ever published."""
        silver = work.silver.published()
        if silver is None:
            return None
        return cls(work, silver, bronze(work.table, work.lake).published(), work.quarantine.published())

    def column(self, name: str) -> pl.DataType:
        """The type of a published column; raises RuleError for an unknown name."""
        if name not in self.silver.schema:
            raise RuleError(f"{self.work.table.key}: no column '{name}'{nearest(name, self.silver.schema)}")
        return self.silver.schema[name]

    @property
    def waiting(self) -> list[str]:
        """Bronze batches that are pending or blocked."""
        return pending_batches(self.work.table, self.work.lake, self.work.silver)

    def landed(self) -> pl.LazyFrame | None:
        """The rows of bronze in silver's types, with `PLACE`; None where a step drops the origin of its rows.

        Includes rows that a `filter` or `deduplicate` step leaves out; excludes unreadable lines. After a `sql` or `python`
        step, a landed row may have no row or several.
        """
        if self.bronze is None:
            return None
        silver, rows = self.work.table.landed.silver, corrected(self.bronze.scan(), corrections(self.work.quarantine))
        steps = tuple(step for step in silver.transform if not isinstance(step, Filter | Deduplicate))
        prepared = prepare(silver.model_copy(update={"transform": steps}), rows)
        schema = prepared.rows.collect_schema()
        return prepared.rows if set(PLACE) <= set(schema) else None

    @property
    def is_opaque(self) -> bool:
        """Whether the table has a `sql` or `python` step, which may change rows in any way."""
        return any(isinstance(step, OPAQUE) for step in self.work.table.landed.silver.transform)

    def refused_cell(self, name: str) -> pl.Expr:
        """A text column of quarantine in silver's type; null where a cell does not fit."""
        dtype = self.column(name)
        texts = pl.String() if self.quarantine is None else self.quarantine.schema[name]
        return pl.col(exact(name)) if texts == dtype or dtype.is_nested() else typed(pl.col(exact(name)), texts, dtype)

    @property
    def published_later(self) -> pl.Expr:
        """Whether a row of quarantine was published since: then its row in silver decides."""
        return published_later(self.quarantine, self.work.silver)

    def refused(self, goes: pl.Expr) -> pl.LazyFrame | None:
        """The `PLACE` of each unpublished row of quarantine, with `GOES`: whether all its rows match the condition `goes`."""
        if self.quarantine is None:
            return None
        rows = (
            self.quarantine.scan()
            .filter(self.published_later.not_())
            .filter(pl.all_horizontal(pl.col(name).is_not_null() for name in PLACE))
        )
        return rows.group_by(PLACE).agg(goes.fill_null(False).all().alias(GOES))

    def untraceable(self, landed: pl.LazyFrame | None) -> int:
        """The number of judged rows of bronze that are neither in `landed` nor in quarantine: their outcome is unknown."""
        if self.bronze is None or not self.is_opaque:
            return 0
        rows = self.bronze.scan().filter(~pl.col(BATCH).is_in(self.waiting) & pl.col(UNREADABLE).is_null())
        for traced in (landed, self.refused(pl.lit(True))):
            if traced is not None:
                rows = rows.join(traced.select(PLACE), on=PLACE, how="anti")
        return int(rows.select(pl.len()).collect(engine="streaming").item())
