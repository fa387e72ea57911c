"""Caches summaries of tables, and since when their rules fail, until a table changes: pages are asked for often."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from dq_pipelines.history.queries.failing_since import all_failing_since
from dq_pipelines.history.queries.table_status import TableStatus
from dq_pipelines.history.store.records import ResultRecord
from dq_pipelines.history.store.verdicts import History
from dq_pipelines.pipeline.current_status import with_current_state
from dq_pipelines.pipeline.quarantine.quarantine_summary import QuarantineSummary
from dq_pipelines.web.dashboard.table_summary import TableSummary


@dataclass(frozen=True)
class _Made:
    """A summary, and what it was made of."""

    summary: TableSummary
    status: TableStatus
    domain: str
    aside: ResultRecord | None
    quarantine: QuarantineSummary | None


class SummaryCache:
    """The summaries of one site's tables. What a summary has computed stays until its table changes."""

    def __init__(self, history: History) -> None:
        self._history = history
        self._made: dict[str, _Made] = {}
        #: by table: the verdicts and failing checks that were asked about, and the answer
        self._since: dict[str, tuple[object, Mapping[str, datetime]]] = {}

    def summary(
        self,
        status: TableStatus,
        domain: str,
        asides: Mapping[str, ResultRecord],
        quarantine: QuarantineSummary | None,
    ) -> TableSummary:
        """The summary of a table, without its trend, and without since when its rules fail."""
        made, aside = self._made.get(status.table), asides.get(status.table)
        same = made is not None and made.status is status and made.quarantine is quarantine
        if made is None or not (same and made.domain == domain and made.aside == aside):
            now = with_current_state(status, asides, quarantine)
            made = self._made[status.table] = _Made(TableSummary(now, domain), status, domain, aside, quarantine)
        return made.summary

    def with_since(self, summaries: Sequence[TableSummary]) -> list[TableSummary]:
        """The summaries, each with since when its rules fail: one query about all of them that changed."""
        asked = {one.standing.table: _asked_about(one.standing) for one in summaries}
        known = {table: since for table in asked if (since := self._since.get(table)) is not None}
        new = [one for one in summaries if _answer(known, one.standing.table, asked) is None]
        pairs = [(one.standing.table, rule.one.check) for one in new for rule in one.standing.failed]
        began = all_failing_since(self._history, pairs)
        for one in new:
            table = one.standing.table
            of = {
                rule.one.check: began[table, rule.one.check]
                for rule in one.standing.failed
                if (table, rule.one.check) in began
            }
            known[table] = self._since[table] = (asked[table], of)
        return [replace(one, since=known[one.standing.table][1]) for one in summaries]


def _answer(
    known: Mapping[str, tuple[object, Mapping[str, datetime]]], table: str, asked: Mapping[str, object]
) -> object:
    return known[table] if table in known and known[table][0] == asked[table] else None


def _asked_about(table: TableStatus) -> tuple[object, Collection[str]]:
    verdicts = [(one.batch, one.run_id, one.started_at) for one in (*table.verdicts, *table.rechecks)]
    return verdicts, [rule.one.check for rule in table.failed]
