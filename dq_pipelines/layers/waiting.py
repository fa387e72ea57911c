"""Which refused rows wait, for what reason and how long, and a look at a few of them. It changes none.

What may become of them belongs in `healing`; which of them a person means, in its `Chosen`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import polars as pl

from dq_pipelines.engine.interrupt import collect_all
from dq_pipelines.engine.reasons import REASONS
from dq_pipelines.lake.tables import Lake
from dq_pipelines.layers.healing import Chosen, refused
from dq_pipelines.layers.landing import INGESTED_AT
from dq_pipelines.layers.quarantine import ID, OPEN, STATUS
from dq_pipelines.sources import ROW, SOURCE


@dataclass(frozen=True)
class Reason:
    """Open rows of one table that were refused for the same reason and landed on the same day."""

    rule: str
    column: str | None
    #: when the oldest of them landed; None where a step forgot it
    since: datetime | None
    rows: int


@dataclass(frozen=True)
class Quarantine:
    """What waits in the quarantine of one table."""

    #: `silver/<name>` or `gold/<name>`
    table: str
    #: rows by status
    statuses: tuple[tuple[str, int], ...] = ()
    #: of open rows; a row counts for each of its reasons
    reasons: tuple[Reason, ...] = ()

    @property
    def open(self) -> int:
        return dict(self.statuses).get(OPEN, 0)

    @property
    def by_reason(self) -> list[tuple[str, str, str | None, list[Reason]]]:
        """Table, rule, column and their reasons by day, most rows first."""
        found: dict[tuple[str, str | None], list[Reason]] = {}
        for one in self.reasons:
            found.setdefault((one.rule, one.column), []).append(one)
        rows = [(self.table, rule, column, some) for (rule, column), some in found.items()]
        return sorted(rows, key=lambda row: -sum(reason.rows for reason in row[3]))


def waiting(lake: Lake, table: str) -> Quarantine:
    """What waits of a published table's refused rows; raises PublishError when the lake cannot be read."""
    rows = _refused(lake, table)
    if rows is None:
        return Quarantine(table)
    why = rows.filter(pl.col(STATUS) == OPEN).select(INGESTED_AT, pl.col(REASONS)).explode(REASONS).unnest(REASONS)
    by = ["rule", "column", pl.col(INGESTED_AT).dt.truncate("1d").alias("day")]
    statuses, reasons = collect_all(
        [
            rows.group_by(STATUS).len().sort(STATUS),
            why.group_by(by).agg(pl.col(INGESTED_AT).min().alias("since"), pl.len().alias("rows")).drop("day"),
        ]
    )
    found = sorted(
        (Reason(**row) for row in reasons.to_dicts()), key=lambda one: (-one.rows, one.rule, one.column or "")
    )
    return Quarantine(table, tuple(statuses.rows()), tuple(found))


def a_few(lake: Lake, table: str, chosen: Chosen, limit: int) -> list[dict[str, Any]]:
    """Some of the refused rows that are meant, those that landed last first, whole; none where nothing was refused."""
    rows = _refused(lake, table)
    if rows is None:
        return []
    order = [INGESTED_AT, SOURCE, ROW, ID]
    wanted = chosen.rows(rows).sort(order, descending=[True, False, False, False], nulls_last=True).head(limit)
    return collect_all([wanted])[0].to_dicts()


def _refused(lake: Lake, table: str) -> pl.LazyFrame | None:
    quarantine = lake.table(f"quarantine/{table.partition('/')[2]}")
    return None if quarantine.delta() is None else refused(quarantine, lake.table(table))
