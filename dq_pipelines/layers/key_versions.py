"""Landed rows as versions of their keys: which of all partitions were kept, and when each came. Which one counts is in `precedence`."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

import polars as pl

from dq_pipelines.config.columns import exact, exact_names
from dq_pipelines.lake.evolution import comparable
from dq_pipelines.lake.ledger import batches_in, transactions
from dq_pipelines.layers.corrections import corrected, corrections
from dq_pipelines.layers.discarding import kept
from dq_pipelines.layers.healing import refused_of
from dq_pipelines.layers.landed import BATCH, bronze, outdated
from dq_pipelines.layers.precedence import ARRIVAL, came, is_greater, ordered
from dq_pipelines.layers.quarantine import DISMISSED, OPEN, PLACE, STATUS, SUPERSEDED
from dq_pipelines.layers.work import Work
from dq_pipelines.project import Silver
from dq_pipelines.sources import SOURCE

_CAME, _ORDER = "_came\x00", "_order\x00"


def versions(work: Work, keys: pl.LazyFrame | None = None, columns: Collection[str] | None = None) -> pl.LazyFrame:
    """The landed rows of all partitions that their last judgement kept, as silver has them, with `PLACE` and `ARRIVAL`.

    Where `keys` or `columns` are given, other rows and columns may be left out. Raises RuleError where a step of the table
    does not give on where its rows came from.
    """
    landed = bronze(work.table, work.lake)
    rows = landed.scan().filter(pl.col(BATCH).is_in(batches_in(transactions(work.silver))))
    refused = (
        refused_of(replace(work, partition=None))
        .filter(pl.col(STATUS).is_in([OPEN, DISMISSED, SUPERSEDED]))
        .select(PLACE)
    )
    found = kept(work, corrected(rows, corrections(work.quarantine)), keys, columns)
    return _in_force(work, found.join(refused, on=PLACE, how="anti"))


def _in_force(work: Work, rows: pl.LazyFrame) -> pl.LazyFrame:
    """The rows of inputs that count, and of earlier versions of inputs those that are published still."""
    landed = bronze(work.table, work.lake)
    batches = batches_in(transactions(work.silver))
    old = (
        [(batch, source) for batch, sources in outdated(landed, batches).items() for source in sources]
        if batches
        else []
    )
    if not old:
        return rows
    named = pl.LazyFrame(old, {BATCH: pl.String(), SOURCE: pl.String()}, orient="row")
    published, known = work.silver.scan(), rows.collect_schema()
    same = [
        name for name, dtype in published.collect_schema().items() if known.get(name) == dtype and not dtype.is_nested()
    ]
    stale = rows.join(named, on=[BATCH, SOURCE], how="semi")
    there = stale.join(published, on=exact_names(same), how="semi", nulls_equal=True) if same else stale
    return pl.concat([rows.join(named, on=[BATCH, SOURCE], how="anti"), there])


def overtaken(work: Work, rows: pl.LazyFrame, first: Mapping[str, int], *named: str) -> pl.LazyFrame:
    """Of kept rows those, by the columns `named`, of whose keys a version was kept before that counts more.

    `rows` have the columns of silver and `ARRIVAL`; such a version came later, or `merge.order_by` says so. `first` is
    `landed.first_landed`.
    """
    silver = work.table.landed.silver
    order = (*([_ORDER] if silver.order_by is not None else []), _CAME, *ARRIVAL)
    wanted = [*silver.keys, *([silver.order_by] if silver.order_by is not None else []), *ARRIVAL]
    theirs = _with_order(versions(work, columns=wanted), silver, first)
    theirs = theirs.select(*exact_names(dict.fromkeys([*silver.keys, *order])))
    ours = _with_order(rows, silver, first).select(
        *exact_names(dict.fromkeys([*silver.keys, *named])),
        *(pl.col(exact(name)).alias(f"{name}\x00") for name in order),
    )
    theirs, compared = comparable(theirs, ours, silver.keys)
    pairs = theirs.join(compared, on=exact_names(silver.keys), how="inner")
    later, same = pl.lit(False), pl.lit(True)
    for name in order:
        other, own = pl.col(exact(name)), pl.col(exact(f"{name}\x00"))
        later, same = later | (same & is_greater(other, own)), same & other.eq_missing(own)
    return pairs.filter(later).select(exact_names(named)).unique()


def _with_order(rows: pl.LazyFrame, silver: Silver, first: Mapping[str, int]) -> pl.LazyFrame:
    by = [] if silver.order_by is None else [ordered(silver, rows.collect_schema()).alias(_ORDER)]
    return rows.with_columns(came(first).alias(_CAME), *by)
