"""Reads and changes the status of refused rows (open, dismissed, …), and carries it over to the rows of a rerun."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import partial

import polars as pl

from dq_pipelines.config.columns import exact_names
from dq_pipelines.config.counting import counted
from dq_pipelines.engine.results.reasons import REASONS
from dq_pipelines.errors import RuleError
from dq_pipelines.lake.ledger import batches_in, transactions
from dq_pipelines.lake.tables import PARTITION, Lake
from dq_pipelines.lake.update import update
from dq_pipelines.pipeline.bronze.landed import BATCH, bronze
from dq_pipelines.pipeline.quarantine.provenance import missing_provenance
from dq_pipelines.pipeline.quarantine.refused_rows import (
    CORRECTION,
    DISMISSED,
    FIXED,
    ID,
    INTO,
    OPEN,
    PLACE,
    QUARANTINE_COLUMNS,
    STATUS,
    STATUS_AT,
    STATUS_BY,
    STATUS_NOTE,
    SUPERSEDED,
    cells_in,
)
from dq_pipelines.pipeline.quarantine.superseded import with_superseded
from dq_pipelines.pipeline.runtime.table_run import TableRun, with_table_lock

#: Column that marks dismissed rows; hidden from rules.
IS_DISMISSED = "_held\x00"


@dataclass(frozen=True)
class RefusedRowFilter:
    """Selects refused rows of a table; a field that is None selects all."""

    #: refused for this rule, by its type
    rule: str | None = None
    #: refused for this column
    column: str | None = None
    batch: str | None = None
    ids: Collection[str] | None = None

    def rows(self, quarantined: pl.LazyFrame) -> pl.LazyFrame:
        """The quarantined rows that match."""
        reason = pl.element().struct
        conditions = [
            pl.col(REASONS).list.eval(reason.field(name) == value).list.any()
            for name, value in (("rule", self.rule), ("column", self.column))
            if value is not None
        ]
        if self.batch is not None:
            conditions.append(pl.col(BATCH) == self.batch)
        if self.ids is not None:
            conditions.append(pl.col(ID).is_in(list(self.ids)))
        return quarantined.filter(*conditions) if conditions else quarantined


ALL = RefusedRowFilter()


def refused(lake: Lake, table: str) -> pl.LazyFrame | None:
    """The quarantined rows of a published table with their effective status; None where nothing was ever refused.

    A replay marks rows in quarantine before it publishes them. If it was killed in between, its rows are open. Rows of a
    batch that silver has not consumed are left out: the run was interrupted between its two commits and the batch is still
    pending. A correction here would be published next to the rows of the next run.
    """
    layer, _, name = table.partition("/")
    quarantine, published = lake.table(f"quarantine/{name}"), lake.table(table)
    if not quarantine.exists:
        return None
    stored = quarantine.scan()
    names = stored.collect_schema()
    rows = stored.with_columns(
        pl.lit(None, dtype=dtype).alias(name) for name, dtype in QUARANTINE_COLUMNS.items() if name not in names
    )
    consumed = batches_in(transactions(published))
    unfinished = replay_was_interrupted(consumed)
    tail = [*QUARANTINE_COLUMNS, *([PARTITION] if PARTITION in names else [])]
    judged = rows.filter(pl.col(BATCH).is_null() | pl.col(BATCH).is_in(consumed))
    effective = judged.with_columns(
        pl.when(unfinished).then(pl.lit(OPEN)).otherwise(STATUS).alias(STATUS),
        pl.when(~unfinished).then(INTO).alias(INTO),
    ).select(*exact_names(cells_in(names)), *tail)
    return effective if layer == "gold" else with_superseded(effective, lake.table(f"bronze/{name}"), published)


def replay_was_interrupted(consumed: Collection[str]) -> pl.Expr:
    """Whether a row was marked by a replay that the table has not `consumed`: the replay was killed."""
    return pl.col(INTO).is_not_null() & ~pl.col(INTO).is_in(list(consumed))


def refused_of(work: TableRun) -> pl.LazyFrame:
    """The rows of `refused` for the table and partition of a run; empty where nothing was ever refused."""
    rows = refused(work.lake, work.table.key)
    if rows is None:
        return pl.LazyFrame(schema=QUARANTINE_COLUMNS)
    return rows if work.partition is None else rows.filter(pl.col(PARTITION) == work.partition)


def set_status(work: TableRun, chosen: RefusedRowFilter, status: str, by: str, note: str | None = None) -> int:
    """Dismiss open rows, or reopen dismissed ones; returns their number. The note says why."""
    return with_table_lock(partial(set_status_locked, chosen=chosen, status=status, by=by, note=note))(work)


def set_status_locked(
    work: TableRun, *, chosen: RefusedRowFilter, status: str, by: str, note: str | None = None
) -> int:
    """`set_status` for a caller that holds the table's lock."""
    refuse_gold(work)
    before = {DISMISSED: OPEN, OPEN: DISMISSED}[status]
    rows = chosen.rows(refused_of(work)).filter(pl.col(STATUS) == before, pl.col(ID).is_not_null())
    if status == OPEN:
        rows = _not_superseded(work, rows)
    ids = rows.select(ID).unique().collect()
    if ids.height:
        fate = [
            pl.lit(status).alias(STATUS),
            pl.lit(work.now).dt.cast_time_unit("us").alias(STATUS_AT),
            pl.lit(by).alias(STATUS_BY),
            pl.lit(note, pl.String).alias(STATUS_NOTE),
            # Remove the mark of a killed replay: with it, the row would stay open for ever.
            pl.lit(None, pl.String).alias(INTO),
        ]
        work.may_commit()
        update(work.quarantine, ids.with_columns(*fate), ID, {}, by=by)
    return ids.height


def superseded(work: TableRun, chosen: RefusedRowFilter) -> int:
    """The number of selected rows that are superseded."""
    rows = chosen.rows(refused_of(work)).filter(pl.col(STATUS) == SUPERSEDED)
    return int(rows.select(pl.len()).collect().item())


def log_superseded(work: TableRun, chosen: RefusedRowFilter) -> None:
    """Log how many rows are left out because they are superseded."""
    if count := superseded(work, chosen):
        later = ("a later version of its input has", "later versions of their inputs have")[count > 1]
        message = f"{counted(count, 'row', 'is', 'are')} superseded, since {later} landed; left out"
        work.log(f"{work.quarantine.key}: {message}")


def _not_superseded(work: TableRun, rows: pl.LazyFrame) -> pl.LazyFrame:
    """The rows that would not be superseded if they were open. Their status is set to open."""
    opened = rows.with_columns(pl.lit(OPEN).alias(STATUS))
    return with_superseded(opened, bronze(work.table, work.lake), work.silver).filter(pl.col(STATUS) == OPEN)


def refuse_gold(work: TableRun) -> None:
    """Raise RuleError for a gold table: each materialization replaces its refused rows."""
    if work.table.is_gold:
        raise RuleError(f"{work.table.key} is computed: correct its inputs or its rules, and materialize it again")


def dismissed(work: TableRun) -> pl.DataFrame:
    """The `PLACE` of each dismissed row: a rerun judges these rows with their batch, and publishes none of them."""
    rows = refused_of(work).filter(pl.col(STATUS) == DISMISSED, pl.col(ID).is_not_null())
    return rows.select(PLACE).unique().collect()


def with_dismissed(work: TableRun, rows: pl.LazyFrame, places: pl.DataFrame) -> pl.LazyFrame:
    """Prepared rows with `IS_DISMISSED` set for these places; unchanged if there are no places.

    Raises RuleError where a step drops the columns that identify a row.
    """
    if places.is_empty():
        return rows
    if dropped := missing_provenance(work.table.key, rows.collect_schema(), PLACE):
        raise RuleError(
            f"{dropped}, so that dismissed rows cannot be identified: keep these columns, or reopen the rows"
        )
    marked = places.lazy().with_columns(pl.lit(True).alias(IS_DISMISSED))
    return rows.join(marked, on=PLACE, how="left", maintain_order="left").with_columns(
        pl.col(IS_DISMISSED).fill_null(False)
    )


def carried_over(fresh: pl.LazyFrame, work: TableRun) -> pl.LazyFrame:
    """The refused rows of a rerun with their earlier status and corrections, and the corrected rows.

    A corrected row is no longer refused, but its correction stays in quarantine: without it, the next rerun would refuse
    the row again. A dismissed row stays dismissed, even if no rule refuses it any more or a step leaves it out.
    """
    before = refused_of(work).select(pl.exclude(PARTITION))
    decided = before.filter((pl.col(STATUS) == DISMISSED) | pl.col(CORRECTION).is_not_null(), pl.col(ID).is_not_null())
    decided = decided.unique(ID, keep="last")
    fate = [STATUS, STATUS_AT, STATUS_BY, STATUS_NOTE, CORRECTION, REASONS]
    earlier = decided.select(ID, *(pl.col(name).alias(f"{name}\x00") for name in fate))
    joined = fresh.join(earlier, on=ID, how="left", maintain_order="left")
    # A corrected row that is refused now is open again, with its correction.
    stays = pl.col(f"{STATUS}\x00") == DISMISSED
    refused_again = joined.with_columns(
        pl.when(stays).then(pl.col(f"{name}\x00")).otherwise(name).alias(name)
        for name in (STATUS, STATUS_AT, STATUS_BY, STATUS_NOTE)
    ).with_columns(
        pl.col(f"{CORRECTION}\x00").alias(CORRECTION),
        pl.when(pl.col(REASONS).list.len() == 0).then(f"{REASONS}\x00").otherwise(REASONS).alias(REASONS),
    )
    # Includes rows of a killed replay: their correction holds, and they are published now. Excludes superseded rows:
    # this rerun publishes neither them nor their corrections.
    then = {FIXED: pl.col(STATUS) != DISMISSED, DISMISSED: pl.col(STATUS) == DISMISSED}
    kept = [
        _not_superseded(work, decided.filter(condition)).with_columns(pl.lit(status).alias(STATUS))
        for status, condition in then.items()
    ]
    others = pl.concat(kept).join(fresh.select(ID), on=ID, how="anti")
    return pl.concat([refused_again.select(exact_names(fresh.collect_schema())), others], how="diagonal_relaxed")
