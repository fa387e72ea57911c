"""Landed rows as versions of their keys: which of all partitions were kept, and when each came. Which one counts is in `precedence`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import polars as pl

from dq_pipelines.config.columns import exact, exact_names
from dq_pipelines.engine.polars import Scan
from dq_pipelines.lake.ledger import batches_in, transactions
from dq_pipelines.layers.corrections import corrected, corrections
from dq_pipelines.layers.healing import refused_of
from dq_pipelines.layers.landed import BATCH, bronze
from dq_pipelines.layers.precedence import ARRIVAL, came, is_greater
from dq_pipelines.layers.quarantine import DISMISSED, OPEN, PLACE, STATUS, SUPERSEDED
from dq_pipelines.layers.silver import misread, prepare, rules_of
from dq_pipelines.layers.work import Work
from dq_pipelines.rules.on_rows import RowRule

_CAME = "_came\x00"


def versions(work: Work) -> pl.LazyFrame:
    """The landed rows of all partitions that their last judgement kept, as silver has them, with `PLACE` and `ARRIVAL`."""
    silver, landed = work.table.landed.silver, bronze(work.table, work.lake)
    published = batches_in(transactions(work.silver))
    rows = corrected(landed.scan().filter(pl.col(BATCH).is_in(published)), corrections(work.quarantine))
    prepared = prepare(silver, rows)
    discarding = [rule for rule in rules_of(silver, prepared) if isinstance(rule, RowRule) and rule.action == "drop"]
    scan = Scan(prepared.rows, discarding, work.published, hidden=prepared.hidden, misread=misread(silver, prepared))
    refused = (
        refused_of(replace(work, partition=None))
        .filter(pl.col(STATUS).is_in([OPEN, DISMISSED, SUPERSEDED]))
        .select(PLACE)
    )
    return scan.kept.join(refused, on=PLACE, how="anti") if set(PLACE) <= set(scan.carried) else scan.kept


def overtaken(work: Work, rows: pl.LazyFrame, first: Mapping[str, int], *named: str) -> pl.LazyFrame:
    """Of kept rows those, by the columns `named`, of whose keys a version was kept before that counts more.

    `rows` have the columns of silver and `ARRIVAL`; such a version came later, or `merge.order_by` says so. `first` is
    `landed.first_landed`.
    """
    silver = work.table.landed.silver
    order = (*([silver.order_by] if silver.order_by is not None else []), _CAME, *ARRIVAL)
    theirs = versions(work).with_columns(came(first).alias(_CAME))
    theirs = theirs.select(*exact_names(dict.fromkeys([*silver.keys, *order])))
    ours = rows.with_columns(came(first).alias(_CAME)).select(
        *exact_names(dict.fromkeys([*silver.keys, *named])),
        *(pl.col(exact(name)).alias(f"{name}\x00") for name in order),
    )
    pairs = theirs.join(ours, on=exact_names(silver.keys), how="inner")
    later, same = pl.lit(False), pl.lit(True)
    for name in order:
        other, own = pl.col(exact(name)), pl.col(exact(f"{name}\x00"))
        later, same = later | (same & is_greater(other, own)), same & other.eq_missing(own)
    return pairs.filter(later).select(exact_names(named)).unique()
