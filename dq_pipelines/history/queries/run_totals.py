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

    #: incoming, published and refused rows
    rows_in: int = 0
    published: int = 0
    refused: int = 0
    #: failed rules, and all judged rules
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
    v = VERDICTS.c
    rows = sa.select(
        v.run_id,
        sa.func.sum(v.rows_in),
        sa.func.sum(sa.case((v.blocked, 0), else_=v.published)),
        sa.func.sum(sa.case((v.blocked, 0), else_=v.refused)),
    )
    rules = sa.select(v.run_id, sa.func.sum(one_if(~RESULTS.c.success)), sa.func.count()).join_from(
        VERDICTS, RESULTS, RESULTS.c.verdict_id == v.id
    )
    wanted = v.run_id.in_(run_ids) if tables is None else v.run_id.in_(run_ids) & v.table.in_(tables)
    with history.engine.connect() as connection:
        found = {
            run_id: RunTotals(*counts) for run_id, *counts in connection.execute(rows.where(wanted).group_by(v.run_id))
        }
        for run_id, failed, judged in connection.execute(rules.where(wanted).group_by(v.run_id)):
            found[run_id] = replace(found[run_id], failed=failed, rules=judged)
    return found | _with_reasons(history, found, run_ids, tables)


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
