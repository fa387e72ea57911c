"""What becomes of refused rows afterwards: who waits, who was given up, and what a rerun keeps of it.

How waiting rows are judged again belongs in `replay`, what people mend in them in `corrections`.
"""

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
from dq_pipelines.pipeline.quarantine.provenance import forgotten
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
    SUPERSEDED,
    cells_in,
)
from dq_pipelines.pipeline.quarantine.superseded import with_superseded
from dq_pipelines.pipeline.runtime.table_run import TableRun, alone

#: Marks rows that were dismissed; hidden from rules.
HELD = "_held\x00"


@dataclass(frozen=True)
class Chosen:
    """Some refused rows of a table; what is not said chooses all."""

    #: refused for this rule, by its type
    rule: str | None = None
    #: refused for this column
    column: str | None = None
    batch: str | None = None
    ids: Collection[str] | None = None

    def rows(self, quarantined: pl.LazyFrame) -> pl.LazyFrame:
        """Those of the quarantined rows that are meant."""
        reason = pl.element().struct
        wanted = [
            pl.col(REASONS).list.eval(reason.field(name) == value).list.any()
            for name, value in (("rule", self.rule), ("column", self.column))
            if value is not None
        ]
        if self.batch is not None:
            wanted.append(pl.col(BATCH) == self.batch)
        if self.ids is not None:
            wanted.append(pl.col(ID).is_in(list(self.ids)))
        return quarantined.filter(*wanted) if wanted else quarantined


ALL = Chosen()


def refused(lake: Lake, table: str) -> pl.LazyFrame | None:
    """The quarantined rows of a published table with the status that is true of them, as people and replays see them.

    None where nothing was ever refused.

    A replay says in quarantine what it will publish before it does. Where it was killed in between, its rows are open.
    Rows of a batch that silver has not consumed are none yet: a run was stopped between the two, the batch still waits,
    and whoever mended them here would publish them beside what the next run makes of it.
    """
    layer, _, name = table.partition("/")
    quarantine, published = lake.table(f"quarantine/{name}"), lake.table(table)
    if not quarantine.exists:
        return None
    there = quarantine.scan()
    names = there.collect_schema()
    rows = there.with_columns(
        pl.lit(None, dtype=dtype).alias(name) for name, dtype in QUARANTINE_COLUMNS.items() if name not in names
    )
    consumed = batches_in(transactions(published))
    unfinished = broken_off(consumed)
    tail = [*QUARANTINE_COLUMNS, *([PARTITION] if PARTITION in names else [])]
    judged = rows.filter(pl.col(BATCH).is_null() | pl.col(BATCH).is_in(consumed))
    true = judged.with_columns(
        pl.when(unfinished).then(pl.lit(OPEN)).otherwise(STATUS).alias(STATUS),
        pl.when(~unfinished).then(INTO).alias(INTO),
    ).select(*exact_names(cells_in(names)), *tail)
    return true if layer == "gold" else with_superseded(true, lake.table(f"bronze/{name}"), published)


def broken_off(consumed: Collection[str]) -> pl.Expr:
    """Whether a row was given to a replay that is not among what the table has consumed: it was killed."""
    return pl.col(INTO).is_not_null() & ~pl.col(INTO).is_in(list(consumed))


def refused_of(work: TableRun) -> pl.LazyFrame:
    """`refused`, of the table that is worked on; none where nothing was ever refused."""
    rows = refused(work.lake, work.table.key)
    if rows is None:
        return pl.LazyFrame(schema=QUARANTINE_COLUMNS)
    return rows if work.partition is None else rows.filter(pl.col(PARTITION) == work.partition)


def give_status(work: TableRun, chosen: Chosen, status: str, by: str) -> int:
    """Dismiss rows that are open, or open those that were dismissed; how many there were."""
    return alone(partial(given_status, chosen=chosen, status=status, by=by))(work)


def given_status(work: TableRun, *, chosen: Chosen, status: str, by: str) -> int:
    """`give_status`, for one who works alone on the table."""
    must_land(work)
    before = {DISMISSED: OPEN, OPEN: DISMISSED}[status]
    rows = chosen.rows(refused_of(work)).filter(pl.col(STATUS) == before, pl.col(ID).is_not_null())
    if status == OPEN:
        rows = _not_superseded(work, rows)
    found = rows.select(ID).unique().collect()
    if found.height:
        fate = [
            pl.lit(status).alias(STATUS),
            pl.lit(work.now).dt.cast_time_unit("us").alias(STATUS_AT),
            pl.lit(by).alias(STATUS_BY),
            # A replay that was killed no longer has a say: by its mark the row would be open for ever.
            pl.lit(None, pl.String).alias(INTO),
        ]
        work.may_commit()
        update(work.quarantine, found.with_columns(*fate), ID, {}, by=by)
    return found.height


def superseded(work: TableRun, chosen: Chosen) -> int:
    """How many of the rows that are meant are superseded."""
    rows = chosen.rows(refused_of(work)).filter(pl.col(STATUS) == SUPERSEDED)
    return int(rows.select(pl.len()).collect().item())


def tell_superseded(work: TableRun, chosen: Chosen) -> None:
    """Say how many rows are left out since they are superseded."""
    if count := superseded(work, chosen):
        later = ("a later version of its input has", "later versions of their inputs have")[count > 1]
        said = f"{counted(count, 'row', 'is', 'are')} superseded, since {later} landed; left out"
        work.log(f"{work.quarantine.key}: {said}")


def _not_superseded(work: TableRun, rows: pl.LazyFrame) -> pl.LazyFrame:
    """Of rows, whatever their status, those that would not be superseded if they were open; they are open in the result."""
    opened = rows.with_columns(pl.lit(OPEN).alias(STATUS))
    return with_superseded(opened, bronze(work.table, work.lake), work.silver).filter(pl.col(STATUS) == OPEN)


def must_land(work: TableRun) -> None:
    """Raise RuleError for a gold table: its refused rows are made anew whenever it is."""
    if work.table.is_gold:
        raise RuleError(f"{work.table.key} is computed: mend its inputs or its rules, and materialize it anew")


def dismissed(work: TableRun) -> pl.DataFrame:
    """The places in bronze of rows that were given up: a rerun judges them with their batch, and publishes none of them."""
    given_up = refused_of(work).filter(pl.col(STATUS) == DISMISSED, pl.col(ID).is_not_null())
    return given_up.select(PLACE).unique().collect()


def with_dismissed(work: TableRun, rows: pl.LazyFrame, places: pl.DataFrame) -> pl.LazyFrame:
    """Prepared rows with a mark, `HELD`, on those of these places; as they are where there are none.

    Raises RuleError where a step forgets which rows they are.
    """
    if places.is_empty():
        return rows
    if said := forgotten(work.table.key, rows.collect_schema(), PLACE):
        raise RuleError(f"{said}, so that dismissed rows cannot be told apart: let it, or reopen them")
    marked = places.lazy().with_columns(pl.lit(True).alias(HELD))
    return rows.join(marked, on=PLACE, how="left", maintain_order="left").with_columns(pl.col(HELD).fill_null(False))


def carried_over(fresh: pl.LazyFrame, work: TableRun) -> pl.LazyFrame:
    """The refused rows of a rerun, with what people have said of them before, and the rows that they have mended.

    A mended row is no longer refused, but its correction lives in quarantine: without it, the next rerun would refuse
    the row again. A dismissed row that no rule refuses any more, or that a step leaves out, is what it was.
    """
    before = refused_of(work).select(pl.exclude(PARTITION))
    told = before.filter((pl.col(STATUS) == DISMISSED) | pl.col(CORRECTION).is_not_null(), pl.col(ID).is_not_null())
    told = told.unique(ID, keep="last")
    fate = [STATUS, STATUS_AT, STATUS_BY, CORRECTION, REASONS]
    said = told.select(ID, *(pl.col(name).alias(f"{name}\x00") for name in fate))
    joined = fresh.join(said, on=ID, how="left", maintain_order="left")
    # What was mended once and is refused now waits again, with what was mended in it.
    stays = pl.col(f"{STATUS}\x00") == DISMISSED
    refused_again = joined.with_columns(
        pl.when(stays).then(pl.col(f"{name}\x00")).otherwise(name).alias(name)
        for name in (STATUS, STATUS_AT, STATUS_BY)
    ).with_columns(
        pl.col(f"{CORRECTION}\x00").alias(CORRECTION),
        pl.when(pl.col(REASONS).list.len() == 0).then(f"{REASONS}\x00").otherwise(REASONS).alias(REASONS),
    )
    # Also of a replay that was killed: its correction holds, and the row is published now. Not where a later version of
    # its input counts: then this rerun publishes neither the row nor what was mended in it.
    then = {FIXED: pl.col(STATUS) != DISMISSED, DISMISSED: pl.col(STATUS) == DISMISSED}
    kept = [
        _not_superseded(work, told.filter(those)).with_columns(pl.lit(status).alias(STATUS))
        for status, those in then.items()
    ]
    others = pl.concat(kept).join(fresh.select(ID), on=ID, how="anti")
    return pl.concat([refused_again.select(exact_names(fresh.collect_schema())), others], how="diagonal_relaxed")
