"""Which refused rows wait, for what reason and how long, and a look at a few of them. It changes none.

What may become of them belongs in `quarantine_status`; which of them a person means, in its `Chosen`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import polars as pl

from dq_pipelines.engine.interrupt import collect_all
from dq_pipelines.engine.results.reasons import REASONS
from dq_pipelines.history.queries.rule_status import OpenRows
from dq_pipelines.lake.tables import PARTITION, Lake
from dq_pipelines.pipeline.bronze.landed import INGESTED_AT
from dq_pipelines.pipeline.quarantine.quarantine_status import Chosen, refused
from dq_pipelines.pipeline.quarantine.refused_rows import ID, OPEN, STATUS
from dq_pipelines.sources import ROW, SOURCE


@dataclass(frozen=True)
class Reason:
    """Open rows of one table that were refused for the same reason and landed on the same day."""

    rule: str
    column: str | None
    #: when the oldest of them landed; None where a step forgot it
    since: datetime | None
    rows: int
    #: None where the table has none
    partition: str | None = None


@dataclass(frozen=True)
class Quarantine:
    """What waits in the quarantine of one table."""

    #: `silver/<name>` or `gold/<name>`
    table: str
    #: rows by status
    statuses: tuple[tuple[str, int], ...] = ()
    #: of open rows; a row counts for each of its reasons
    reasons: tuple[Reason, ...] = ()
    #: whether there is a quarantine, and the lake answered
    is_known: bool = True

    @property
    def open(self) -> int:
        return dict(self.statuses).get(OPEN, 0)

    @property
    def open_rows(self) -> tuple[OpenRows, ...] | None:
        """What a table's standing counts as open; None where nobody knows."""
        if not self.is_known:
            return None
        found: dict[tuple[str, str | None, str | None], list[Reason]] = {}
        for one in self.reasons:
            found.setdefault((one.rule, one.column, one.partition), []).append(one)
        return tuple(
            OpenRows(*key, sum(one.rows for one in some), min((one.since for one in some if one.since), default=None))
            for key, some in found.items()
        )

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
    rows = refused(lake, table)
    if rows is None:  # nothing was refused so far, or what was is lost: then the verdicts alone tell
        return Quarantine(table, is_known=False)
    part = pl.col(PARTITION) if PARTITION in rows.collect_schema() else pl.lit(None, pl.String)
    # Two rules on one column that differ in their arguments alone give a row the same reason twice.
    once = pl.col(REASONS).list.unique()
    waits = rows.filter(pl.col(STATUS) == OPEN).select(INGESTED_AT, part.alias("partition"), once)
    why = waits.explode(REASONS).unnest(REASONS)
    by = ["rule", "column", "partition", pl.col(INGESTED_AT).dt.truncate("1d").alias("day")]
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
    rows = refused(lake, table)
    if rows is None:
        return []
    order = [INGESTED_AT, SOURCE, ROW, ID]
    wanted = chosen.rows(rows).sort(order, descending=[True, False, False, False], nulls_last=True).head(limit)
    return collect_all([wanted])[0].to_dicts()


@dataclass(frozen=True)
class Place:
    """Where a list of refused rows goes on: at what landed then, by the row of this id, past so many that are like it."""

    #: None for rows of which a step forgot when they landed
    at: datetime | None
    id: str | None
    skip: int = 1

    def is_of(self, row: Mapping[str, Any]) -> bool:
        """Whether that row is at this place."""
        return bool(row[INGESTED_AT] == self.at and row[ID] == self.id)

    def after(self, rows: Sequence[Mapping[str, Any]]) -> Place:
        """The place after these rows, which came after this one."""
        last = rows[-1]
        alike = sum(row[INGESTED_AT] == last[INGESTED_AT] and row[ID] == last[ID] for row in rows)
        return Place(last[INGESTED_AT], last[ID], alike + (self.skip if self.is_of(last) else 0))

    def onwards(self) -> pl.Expr:
        """Whether a row is at this place or after it."""
        at, by = pl.col(INGESTED_AT), pl.col(ID)
        later = by.is_null() if self.id is None else by.is_null() | (by >= self.id)
        if self.at is None:
            return at.is_null() & later
        return at.is_null() | (at < self.at) | ((at == self.at) & later)


#: Before every row.
BEGINNING = Place(None, None, 0)


def page(
    lake: Lake, table: str, chosen: Chosen, status: str | None, limit: int, after: Place = BEGINNING
) -> list[dict[str, Any]]:
    """Refused rows, those that landed last first and then by id, from a place on; raises PublishError as `waiting` does."""
    rows = refused(lake, table)
    if rows is None:
        return []
    if status is not None:
        rows = rows.filter(pl.col(STATUS) == status)
    if after != BEGINNING:
        rows = rows.filter(after.onwards())
    wanted = chosen.rows(rows).sort(INGESTED_AT, ID, descending=[True, False], nulls_last=True)
    return collect_all([wanted.slice(after.skip, limit)])[0].to_dicts()
