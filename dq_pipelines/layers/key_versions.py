"""Landed rows as versions of their keys: which of all partitions were kept, and when each came. Which one counts is in `precedence`."""

from __future__ import annotations

from dataclasses import replace

import polars as pl

from dq_pipelines.engine.polars import Scan
from dq_pipelines.lake.ledger import batches_in, transactions
from dq_pipelines.layers.corrections import corrected, corrections
from dq_pipelines.layers.healing import refused_of
from dq_pipelines.layers.landed import BATCH, bronze
from dq_pipelines.layers.quarantine import DISMISSED, OPEN, PLACE, STATUS, SUPERSEDED
from dq_pipelines.layers.silver import misread, prepare, rules_of
from dq_pipelines.layers.work import Work
from dq_pipelines.rules.on_rows import RowRule


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
