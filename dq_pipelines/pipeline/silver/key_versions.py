"""Landed rows as versions of their keys: which of all partitions were kept, and when each came. Which one counts is in `precedence`."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

import polars as pl

from dq_pipelines.config.columns import exact, exact_names
from dq_pipelines.lake.ledger import batches_in, transactions
from dq_pipelines.lake.schema_evolution import comparable
from dq_pipelines.pipeline.bronze.landed import BATCH, RowsByBatch, bronze, inputs_of, outdated
from dq_pipelines.pipeline.quarantine.corrections import corrected, corrections
from dq_pipelines.pipeline.quarantine.quarantine_status import refused_of
from dq_pipelines.pipeline.quarantine.refused_rows import DISMISSED, OPEN, PLACE, STATUS, SUPERSEDED
from dq_pipelines.pipeline.runtime.table_run import TableRun
from dq_pipelines.pipeline.silver.discarded_rows import kept
from dq_pipelines.pipeline.silver.precedence import ARRIVAL, came, is_greater, ordered
from dq_pipelines.project import Silver
from dq_pipelines.sources import SOURCE

_CAME, _ORDER = "_came\x00", "_order\x00"


def versions(run: TableRun, keys: pl.LazyFrame | None = None, columns: Collection[str] | None = None) -> pl.LazyFrame:
    """The landed rows of all partitions that their last judgement kept, as silver has them, with `PLACE` and `ARRIVAL`.

    Where `keys` or `columns` are given, other rows and columns may be left out. Raises RuleError where a step of the table
    does not give on where its rows came from.
    """
    published = batches_in(transactions(run.silver))
    landed = bronze(run.table, run.lake).snapshot()
    rows = landed.scan().filter(pl.col(BATCH).is_in(published))
    refused = (
        refused_of(replace(run, partition=None))
        .filter(pl.col(STATUS).is_in([OPEN, DISMISSED, SUPERSEDED]))
        .select(PLACE)
    )
    mended, by_batch = corrections(run.quarantine), RowsByBatch(landed)
    kept_rows = kept(run, corrected(rows, mended), keys, columns, lambda batch: corrected(by_batch.of(batch), mended))
    return _in_force(run, kept_rows.join(refused, on=PLACE, how="anti"), published)


def _in_force(run: TableRun, rows: pl.LazyFrame, batches: Sequence[str]) -> pl.LazyFrame:
    """The rows of inputs that count, and of earlier versions of inputs those that are published still."""
    old = outdated(bronze(run.table, run.lake), batches) if batches else {}
    if not any(old.values()):
        return rows
    named = inputs_of(old)
    published, columns = run.silver.scan(), rows.collect_schema()
    same = [
        name
        for name, dtype in published.collect_schema().items()
        if columns.get(name) == dtype and not dtype.is_nested()
    ]
    stale = rows.join(named, on=[BATCH, SOURCE], how="semi")
    still_published = stale.join(published, on=exact_names(same), how="semi", nulls_equal=True) if same else stale
    return pl.concat([rows.join(named, on=[BATCH, SOURCE], how="anti"), still_published])


def in_rank(run: TableRun, first: Mapping[str, int]) -> pl.LazyFrame:
    """The keys of all `versions`, with what tells which one counts; `first` is `landed.first_landed`."""
    silver = run.table.landed.silver
    by = [silver.order_by] if silver.order_by is not None else []
    rows = _with_order(versions(run, columns=[*silver.keys, *by, *ARRIVAL]), silver, first)
    return rows.select(exact_names([*silver.keys, *_order(silver)]))


def overtaken(
    silver: Silver, rows: pl.LazyFrame, known: pl.LazyFrame, first: Mapping[str, int], *named: str
) -> pl.LazyFrame:
    """Of kept rows those, by the columns `named`, of whose keys one of the versions `in_rank` counts more.

    `rows` have the columns of silver and `ARRIVAL`; such a version came later, or `merge.order_by` says so. `first` is that
    of both.
    """
    order = _order(silver)
    ours = _with_order(rows, silver, first).select(
        *exact_names(dict.fromkeys([*silver.keys, *named])),
        *(pl.col(exact(name)).alias(f"{name}\x00") for name in order),
    )
    theirs, compared = comparable(known, ours, silver.keys)
    pairs = theirs.join(compared, on=exact_names(silver.keys), how="inner")
    later, same = pl.lit(False), pl.lit(True)
    for name in order:
        other, own = pl.col(exact(name)), pl.col(exact(f"{name}\x00"))
        later, same = later | (same & is_greater(other, own)), same & other.eq_missing(own)
    return pairs.filter(later).select(exact_names(named)).unique()


def _order(silver: Silver) -> Sequence[str]:
    return (*([_ORDER] if silver.order_by is not None else []), _CAME, *ARRIVAL)


def _with_order(rows: pl.LazyFrame, silver: Silver, first: Mapping[str, int]) -> pl.LazyFrame:
    by = [] if silver.order_by is None else [ordered(silver, rows.collect_schema()).alias(_ORDER)]
    return rows.with_columns(came(first).alias(_CAME), *by)
