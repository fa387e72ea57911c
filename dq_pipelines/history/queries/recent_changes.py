"""Finds what changed since a moment: rules that began to fail or passed again, and sums of what ran."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from dq_pipelines.history.store.filters import ON_SINGLE_BATCHES, one_if
from dq_pipelines.history.store.schema import ATTEMPTS, RESULTS, VERDICTS
from dq_pipelines.history.store.verdicts import History

#: The severities, the worst first.
_SEVERITIES = ("critical", "warning", "info")


@dataclass(frozen=True)
class ChangedRule:
    """A rule whose last result differs from its last one before the moment."""

    table: str
    check: str
    rule: str
    column: str
    severity: str
    #: the number of partitions in which it changed; 1 for a table without partitions
    partitions: int
    #: when the batch was judged that changed it last
    at: datetime


@dataclass(frozen=True, kw_only=True)
class RecentChanges:
    """What changed since a moment in one or several tables."""

    #: rules that passed, or did not exist, and now fail in a partition at least; the worst first, none of new tables
    began: Sequence[ChangedRule] = ()
    #: rules that failed, now pass, and began to fail in no other partition
    recovered: Sequence[ChangedRule] = ()
    #: tables with their first verdict
    first_judged: int = 0
    #: verdicts that published a batch, and that blocked one
    published_batches: int = 0
    blocked_batches: int = 0
    #: rows of published batches
    rows_in: int = 0
    refused: int = 0
    #: attempts to load or judge a table that ended with an error
    failed_attempts: int = 0

    @classmethod
    def of(cls, tables: Iterable[RecentChanges]) -> RecentChanges:
        """The changes of several tables together."""
        every = list(tables)
        counts = {one.name: sum(getattr(of, one.name) for of in every) for one in fields(cls)[2:]}
        began, recovered = ([rule for of in every for rule in getattr(of, name)] for name in ("began", "recovered"))
        return cls(began=_in_order(began), recovered=_in_order(recovered), **counts)

    @property
    def is_empty(self) -> bool:
        return not (self.published_batches or self.blocked_batches or self.failed_attempts)


def recent_changes(
    history: History, since: datetime | None, tables: Collection[str] | None = None
) -> dict[str, RecentChanges]:
    """What changed since this moment by table, for some or all tables; tables where nothing ran are left out.

    Since the beginning of history (None), nothing has changed.

    Verdicts on single batches count, without replays, reruns and re-checks.
    """
    if not history.is_begun or since is None or (tables is not None and not tables):
        return {}
    ends = _ends(since, tables)
    with history.engine.connect() as connection:
        counts = {row["table"]: dict(row) for row in connection.execute(_sums(since, tables)).mappings()}
        failed: dict[str, int] = dict(connection.execute(_failed(since, tables)).all())
        first = set(connection.execute(sa.select(ends.c.table).where(ends.c.before.is_(None))).scalars())
        rows = connection.execute(_changes(ends)).all()
    began, recovered = _by_table(rows, success=False), _by_table(rows, success=True)
    found = {}
    for table in sorted(counts.keys() | failed):
        sums = {name: int(value) for name, value in counts.get(table, {}).items() if name != "table"}
        failing = {one.check for one in began[table]}
        found[table] = RecentChanges(
            began=began[table],
            recovered=[one for one in recovered[table] if one.check not in failing],
            first_judged=int(table in first),
            failed_attempts=failed.get(table, 0),
            **sums,
        )
    return found


def _sums(since: datetime, tables: Collection[str] | None) -> sa.Select[Any]:
    v = VERDICTS.c
    wanted = sa.select(
        v.table,
        sa.func.sum(one_if(~v.blocked)).label("published_batches"),
        sa.func.sum(one_if(v.blocked)).label("blocked_batches"),
        sa.func.sum(sa.case((v.blocked, 0), else_=v.rows_in)).label("rows_in"),
        sa.func.sum(sa.case((v.blocked, 0), else_=v.refused)).label("refused"),
    )
    return _of(wanted.where(*ON_SINGLE_BATCHES, v.started_at >= since), v.table, tables).group_by(v.table)


def _failed(since: datetime, tables: Collection[str] | None) -> sa.Select[Any]:
    a = ATTEMPTS.c
    wanted = sa.select(a.table, sa.func.count()).where(a.outcome == "failed", a.started_at >= since)
    return _of(wanted, a.table, tables).group_by(a.table)


def _ends(since: datetime, tables: Collection[str] | None) -> sa.CTE:
    """By table and partition with a verdict since then: its last verdict, and its last one before.

    A new partition follows the last verdict of its table; for a new table, `before` is null.
    """
    v = VERDICTS.c
    partition = sa.func.coalesce(v.partition, "")
    last = sa.func.max(sa.case((v.started_at >= since, v.id))).label("last")
    before = sa.func.max(sa.case((v.started_at < since, v.id))).label("before")
    wanted = _of(sa.select(v.table, last, before).where(*ON_SINGLE_BATCHES), v.table, tables)
    every = wanted.group_by(v.table, partition).subquery()
    of_table = sa.func.max(every.c.before).over(partition_by=every.c.table)
    pairs = sa.select(
        every.c.table, every.c.last, sa.func.coalesce(every.c.before, of_table).label("before")
    ).subquery()
    return sa.select(pairs).where(pairs.c.last.is_not(None)).cte("ends")


def _changes(ends: sa.CTE) -> sa.Select[Any]:
    """The results that differ, of tables that had a verdict before; a new rule passed before."""
    now, then = RESULTS.alias("now"), RESULTS.alias("then")
    rule = (now.c.check, now.c.rule, now.c.column, now.c.severity, now.c.success)
    return (
        sa.select(ends.c.table, *rule, VERDICTS.c.started_at)
        .join_from(ends, now, now.c.verdict_id == ends.c.last)
        .join(VERDICTS, VERDICTS.c.id == ends.c.last)
        .join(then, (then.c.verdict_id == ends.c.before) & (then.c.check == now.c.check), isouter=True)
        .where(ends.c.before.is_not(None), now.c.success != sa.func.coalesce(then.c.success, sa.true()))
    )


def _of(wanted: sa.Select[Any], table: sa.ColumnElement[str], tables: Collection[str] | None) -> sa.Select[Any]:
    return wanted if tables is None else wanted.where(table.in_(tables))


def _by_table(rows: Iterable[Any], *, success: bool) -> Mapping[str, Sequence[ChangedRule]]:
    """By table one entry per rule, with the number of its partitions."""
    found: dict[tuple[str, str], ChangedRule] = {}
    for row in rows:
        if row.success == success:
            known = found.get((row.table, row.check))
            count, at = (known.partitions + 1, max(known.at, row.started_at)) if known else (1, row.started_at)
            found[row.table, row.check] = ChangedRule(
                row.table, row.check, row.rule, row.column or "", row.severity, count, at
            )
    tables: dict[str, list[ChangedRule]] = defaultdict(list)
    for one in _in_order(found.values()):
        tables[one.table].append(one)
    return tables


def _in_order(rules: Iterable[ChangedRule]) -> list[ChangedRule]:
    """The worst first, then the latest."""
    return sorted(rules, key=lambda one: (_SEVERITIES.index(one.severity), -one.at.timestamp(), one.table, one.check))
