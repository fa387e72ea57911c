"""Sums over all batches of a table, which only grow: for counters."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from dq_pipelines.history.store.filters import ON_SINGLE_BATCHES, one_if
from dq_pipelines.history.store.records import GOLD, REPLAY, RERUN
from dq_pipelines.history.store.schema import BATCH_METRICS, VERDICTS
from dq_pipelines.history.store.verdicts import History

#: Upper bounds of the duration buckets, in seconds.
DURATIONS = (1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0)


@dataclass(frozen=True)
class Totals:
    """Sums over one table's verdicts on batches, without replays, reruns and re-checks."""

    #: verdicts that published a batch, and that blocked one; a batch that is judged again counts again
    published_batches: int
    blocked_batches: int
    #: rows of published batches
    rows_in: int
    published: int
    refused: int
    dropped: int
    #: number of batches that took at most so many seconds, in the order of DURATIONS
    durations: Sequence[int]
    duration_seconds: float
    #: CPU seconds, and seconds by stage: landing, judging, committing
    cpu_seconds: float
    stage_seconds: Mapping[str, float]
    #: when the judgement of the last published batch began
    last_published_at: datetime | None


def totals(history: History) -> dict[str, Totals]:
    """Returns the sums by table (`silver/<name>`, `gold/<name>`)."""
    if not history.is_begun:
        return {}
    verdict, more = VERDICTS.c, BATCH_METRICS.c
    stages = ("landing", "judging", "committing")

    def unless_blocked(value: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
        # Rows of a blocked batch are counted when they are judged again.
        return sa.case((verdict.blocked, 0), else_=value)

    wanted = sa.select(
        verdict.table,
        sa.func.sum(unless_blocked(sa.literal(1))),
        sa.func.sum(one_if(verdict.blocked)),
        *(sa.func.sum(unless_blocked(verdict[name])) for name in ("rows_in", "published", "refused", "dropped")),
        sa.func.sum(verdict.duration_seconds),
        *(sa.func.sum(one_if(verdict.duration_seconds <= most)) for most in DURATIONS),
        sa.func.coalesce(sa.func.sum(more.cpu_seconds), 0.0),
        *(sa.func.coalesce(sa.func.sum(more[f"{stage}_seconds"]), 0.0) for stage in stages),
        sa.func.max(sa.case((~verdict.blocked, verdict.started_at))),
    )
    wanted = wanted.join_from(VERDICTS, BATCH_METRICS, more.verdict_id == verdict.id, isouter=True)
    with history.engine.connect() as connection:
        rows = connection.execute(wanted.where(*ON_SINGLE_BATCHES).group_by(verdict.table)).all()
    return {row[0]: _totals(row[1:], stages) for row in rows}


def _totals(row: Sequence[Any], stages: Sequence[str]) -> Totals:
    published, blocked, *rows = (int(number) for number in row[:6])
    seconds, *rest = row[6:]
    durations, (cpu, *of_stages, last) = rest[: len(DURATIONS)], rest[len(DURATIONS) :]
    return Totals(
        published_batches=published,
        blocked_batches=blocked,
        rows_in=rows[0],
        published=rows[1],
        refused=rows[2],
        dropped=rows[3],
        durations=[int(number) for number in durations],
        duration_seconds=float(seconds),
        cpu_seconds=float(cpu),
        stage_seconds=dict(zip(stages, map(float, of_stages), strict=True)),
        last_published_at=last,
    )


def rows_in_by_table(
    history: History, since: datetime | None, tables: Collection[str] | None = None
) -> dict[str, tuple[int, int]]:
    """Returns the number of input rows of some or all tables, and of refused ones, by table; each row counts once.

    The last verdict of a batch counts; for a blocked batch, the verdict that judged its rows again. Reruns and re-checks
    have no input rows. Of gold, the last computation counts.
    """
    if not history.is_begun:
        return {}
    verdict, later = VERDICTS.c, VERDICTS.alias("later")
    same = (later.c.table == verdict.table) & (later.c.id > verdict.id)
    same &= sa.func.coalesce(later.c.partition, "") == sa.func.coalesce(verdict.partition, "")
    # Two conditions, not one with an "or": the first, for every verdict, is answered by the index on batches.
    same_batch = sa.exists().where(same, later.c.batch == verdict.batch)
    is_on_batch = (later.c.batch != "") & later.c.batch.not_like(f"{REPLAY}%") & later.c.batch.not_like(f"%{RERUN}")
    any_batch = (verdict.blocked | verdict.batch.like(f"{GOLD}%")) & sa.exists().where(same, is_on_batch)
    refused = sa.func.sum(sa.case((verdict.blocked, 0), else_=verdict.refused))
    wanted = sa.select(verdict.table, sa.func.sum(verdict.rows_in), refused).group_by(verdict.table)
    wanted = wanted.where(*ON_SINGLE_BATCHES, ~same_batch, ~any_batch)
    if tables is not None:
        wanted = wanted.where(verdict.table.in_(tables))
    if since is not None:
        wanted = wanted.where(verdict.started_at >= since)
    with history.engine.connect() as connection:
        found = connection.execute(wanted).all()
    return {table: (int(rows or 0), int(refused or 0)) for table, rows, refused in found}


@dataclass(frozen=True)
class LastMeasured:
    """Metrics of a table's last published batch; None where a metric was not measured."""

    began_at: datetime
    #: size of the published files
    bytes: int | None
    #: age of the newest row when the run began
    freshness_seconds: float | None
    #: peak memory of the process so far
    peak_memory_bytes: int | None


def last_measured(history: History) -> dict[str, LastMeasured]:
    """Returns the metrics of the last published batch, by table."""
    if not history.is_begun:
        return {}
    verdict, more = VERDICTS.c, BATCH_METRICS.c
    last = sa.select(sa.func.max(more.verdict_id)).join_from(BATCH_METRICS, VERDICTS).where(~verdict.blocked)
    last = last.where(*ON_SINGLE_BATCHES).group_by(verdict.table)
    wanted = sa.select(verdict.table, verdict.started_at, more.bytes, more.freshness_seconds, more.peak_memory_bytes)
    with history.engine.connect() as connection:
        rows = connection.execute(wanted.join_from(VERDICTS, BATCH_METRICS).where(verdict.id.in_(last))).all()
    return {table: LastMeasured(at, *rest) for table, at, *rest in rows}
