"""Sums the outcomes of runs: rows, failed rules, and why a run published nothing."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

import sqlalchemy as sa

from dq_pipelines.history.store.attempts import Attempts
from dq_pipelines.history.store.filters import one_if
from dq_pipelines.history.store.schema import ATTEMPTS, RESULTS, VERDICTS
from dq_pipelines.history.store.verdicts import History


@dataclass(frozen=True)
class RunTotals:
    """The outcome of one run over all its tables."""

    #: incoming, published, refused and dropped rows
    rows_in: int = 0
    published: int = 0
    refused: int = 0
    dropped: int = 0
    #: rules that are not met, and all judged rules: one of a table counts once, whatever the number of batches
    failed: int = 0
    rules: int = 0
    #: why an attempt of the run failed, was blocked or waits; "" for none
    said: str = ""


def run_totals(
    history: History, run_ids: Collection[str], tables: Collection[str] | None = None
) -> Mapping[str, RunTotals]:
    """Returns the sums by run id, for runs with a verdict or an attempt; with `tables`, only of these tables."""
    if not history.is_begun or not run_ids:
        return {}
    found = _totals(history, VERDICTS.c.run_id, run_ids, tables)
    return found | _with_reasons(history, found, run_ids, tables)


def totals_of_run(history: History, run_id: str) -> Mapping[str, RunTotals]:
    """Returns the sums of one run by table, for tables with a verdict."""
    return _totals(history, VERDICTS.c.table, [run_id], None) if history.is_begun else {}


def _totals(
    history: History, group: sa.ColumnElement[str], run_ids: Collection[str], tables: Collection[str] | None
) -> dict[str, RunTotals]:
    """The sums of the verdicts of these runs, by this column."""
    v, r = VERDICTS.c, RESULTS.c
    wanted = v.run_id.in_(run_ids) if tables is None else v.run_id.in_(run_ids) & v.table.in_(tables)
    rows = sa.select(
        group,
        sa.func.sum(v.rows_in),
        sa.func.sum(sa.case((v.blocked, 0), else_=v.published)),
        sa.func.sum(sa.case((v.blocked, 0), else_=v.refused)),
        sa.func.sum(sa.case((v.blocked, 0), else_=v.dropped)),
    )
    # A rule counts once in a run of several batches or partitions, and is not met if one of them breaks it.
    rules = (
        sa.select(group.label("group"), sa.func.max(one_if(~r.success)).label("failed"))
        .join_from(VERDICTS, RESULTS, r.verdict_id == v.id)
        .where(wanted)
        .group_by(group, v.table, r.check)
        .subquery()
    )
    counted = sa.select(rules.c.group, sa.func.sum(rules.c.failed), sa.func.count()).group_by(rules.c.group)
    with history.engine.connect() as connection:
        found = {name: RunTotals(*counts) for name, *counts in connection.execute(rows.where(wanted).group_by(group))}
        for name, failed, judged in connection.execute(counted):
            found[name] = replace(found[name], failed=failed, rules=judged)
    return found


def _with_reasons(
    history: History, found: Mapping[str, RunTotals], run_ids: Collection[str], tables: Collection[str] | None
) -> dict[str, RunTotals]:
    """The totals of runs with a failed attempt, with its sentence."""
    a = ATTEMPTS.c
    wanted = ATTEMPTS.select().where(
        a.run_id.in_(run_ids), a.outcome.in_(("failed", "blocked", "waiting")), a.said != ""
    )
    if tables is not None:
        wanted = wanted.where(a.table.in_(tables))
    attempts = Attempts(history).select(wanted.order_by(a.id.desc()))
    return {one.run_id: replace(found.get(one.run_id, RunTotals()), said=one.said) for one in attempts}
