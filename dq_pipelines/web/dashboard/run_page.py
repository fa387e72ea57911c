"""Collects the content of a run's page from its event log; a script updates the page from the run's event stream."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import dagster as dg
from dagster._core.remote_representation.code_location import is_implicit_asset_job_name
from dagster._core.storage.dagster_run import RunRecord

from dq_pipelines.config.counting import counted
from dq_pipelines.history.queries.run_totals import RunTotals, totals_of_run
from dq_pipelines.orchestration.runs.run_partition import partition_label
from dq_pipelines.project import Project, Table
from dq_pipelines.project.check_titles import check_title, check_titles
from dq_pipelines.project.checked_rules import rules_by_check
from dq_pipelines.rules.core.check_names import renamed
from dq_pipelines.security.roles import Permission
from dq_pipelines.web.auth.authorization import Rights
from dq_pipelines.web.dagster_client.run_tables import may, tables_of
from dq_pipelines.web.dashboard.request_context import RequestContext
from dq_pipelines.web.dashboard.run_words import STATUSES, does, status_words
from dq_pipelines.web.dashboard.table_summary import TableSummary
from dq_pipelines.web.streaming.run_events import events_after


@dataclass(frozen=True)
class RuleLine:
    """One rule in this run."""

    check: str
    #: what it demands, in words
    title: str
    rule: str
    severity: str
    #: its result: `passed`, `unexpected_count`, `element_count`; empty before there is one
    result: Mapping[str, Any] = field(default_factory=dict)
    #: failing rows so far, before there is a result
    so_far: int = 0
    #: whether it judges the input as it landed: it is no rule of the table, and is not counted as one
    of_input: bool = False

    @property
    def status(self) -> str:
        """The rule's status; `wait` before there is a result."""
        if "passed" not in self.result:
            return "wait"
        if self.result["passed"]:
            return "passed"
        return "failing" if self.result.get("fails", self.severity == "critical") else "warning"

    @property
    def found(self) -> str:
        count, of = self.result.get("unexpected_count"), self.result.get("element_count")
        if count is None:
            return f"{self.so_far:,} so far" if self.so_far else ""
        return f"{count:,} of {of:,} rows" if of else counted(count, "row")


@dataclass(frozen=True)
class TableLine:
    """One table in this run."""

    key: str
    #: its last progress event; empty before there is one
    progress: Mapping[str, Any]
    rules: Sequence[RuleLine]
    #: the state of its step; "" if unknown
    state: str = ""
    #: why it failed
    said: str = ""

    #: the sums of its verdicts in this run; None before there is one
    totals: RunTotals | None = None
    #: its status after all runs; None for a table that never ran, or while the run is under way
    now: TableSummary | None = None

    @property
    def not_met(self) -> tuple[int, int]:
        """How many rules are not met in this run, of how many: by the history, else by the events so far."""
        if self.totals is not None:
            return self.totals.failed, self.totals.rules
        judged = [rule.status for rule in self.rules if rule.status != "wait" and not rule.of_input]
        return sum(status != "passed" for status in judged), len(judged)


@dataclass(frozen=True)
class RunPage:
    """A run and its progress."""

    run: dg.DagsterRun
    started_at: float | None
    ended_at: float | None
    tables: Sequence[TableLine]
    status: str
    #: why it ended
    said: str
    #: the id of the last event on the page
    last: int
    may_cancel: bool
    #: the address of the REST API
    api: str

    @property
    def tone(self) -> str:
        return status_words(self.run.status)[0]

    @property
    def word(self) -> str:
        return status_words(self.run.status)[1]

    @property
    def words(self) -> str:
        """The colours and words of all statuses as JSON, for the script that updates the page."""
        return json.dumps(STATUSES)

    @property
    def does(self) -> str:
        return does(self.run)

    @property
    def began(self) -> datetime | None:
        return None if self.started_at is None else datetime.fromtimestamp(self.started_at, UTC)

    @property
    def seconds(self) -> float | None:
        """How long it took; None until it has ended."""
        if self.started_at is None or self.ended_at is None:
            return None
        return max(self.ended_at - self.started_at, 0.0)

    @property
    def partition(self) -> str:
        """Its partition, or `<first>...<last>`; "" for none."""
        return partition_label(self.run.tags) or ""

    @property
    def job(self) -> str:
        """The job's name; "" for a selection of assets, for which Dagster has made one up."""
        return "" if is_implicit_asset_job_name(self.run.job_name) else self.run.job_name

    @property
    def is_over(self) -> bool:
        return self.run.is_finished


def run_page(
    visit: RequestContext, instance: dg.DagsterInstance, rights: Rights, run_id: str, api: str
) -> RunPage | None:
    """The page; None for an unknown run, or one that the reader may not view."""
    record = instance.get_run_record_by_id(run_id)
    if record is None or not may(rights, Permission.LOOK, record.dagster_run):
        return None
    words = [json.loads(word.text) for page in events_after(instance, run_id, 0) for word in page]
    return _page(record, words, rights, api, _Outcome.of(visit, record.dagster_run))


@dataclass(frozen=True)
class _Outcome:
    """What came of a run that is over, by table; empty while it is under way."""

    totals: Mapping[str, RunTotals] = field(default_factory=dict)
    now: Mapping[str, TableSummary] = field(default_factory=dict)

    @classmethod
    def of(cls, visit: RequestContext, run: dg.DagsterRun) -> _Outcome:
        if not run.is_finished:
            return cls()
        totals = totals_of_run(visit.history, run.run_id)
        statuses = [status for key in totals if (status := visit.standing(key)) is not None]
        counts = visit.site.lake.soon([status.table for status in statuses])
        return cls(totals, {status.table: visit.summary(status, counts) for status in statuses})


def _page(
    record: RunRecord, words: Sequence[Mapping[str, Any]], rights: Rights, api: str, outcome: _Outcome
) -> RunPage:
    run, project = record.dagster_run, rights.project
    names = dict.fromkeys(key.rpartition("/")[2] for key in tables_of(run, project))
    by_name: dict[str, list[Mapping[str, Any]]] = {name: [] for name in names}
    statuses = [word for word in words if word["type"] == "status"]
    for word in words:
        name = str(word.get("table") or word.get("step") or "").rpartition("/")[2]
        by_name.get(name, []).append(word)
    return RunPage(
        run=run,
        started_at=record.start_time,
        ended_at=record.end_time,
        tables=[_table(name, project, said, outcome) for name, said in by_name.items()],
        status=run.status.value,
        said=next((word["said"] for word in reversed(statuses) if word.get("said")), ""),
        last=max((word["id"] for word in words), default=0),
        may_cancel=not run.is_finished and may(rights, Permission.CANCEL, run),
        api=api,
    )


def _table(name: str, project: Project, words: Sequence[Mapping[str, Any]], outcome: _Outcome) -> TableLine:
    table = project.tables.get(name)
    progress: Mapping[str, Any] = next((word for word in reversed(words) if word["type"] == "progress"), {})
    steps = [word for word in words if word["type"] == "step"]
    last = steps[-1] if steps else {}
    key = table.key if table is not None else f"silver/{name}"
    rules = _rules(table, progress, words)
    state, said = last.get("state", ""), last.get("said", "")
    return TableLine(key, progress, rules, state, said, outcome.totals.get(key), outcome.now.get(key))


def _rules(table: Table | None, progress: Mapping[str, Any], words: Sequence[Mapping[str, Any]]) -> list[RuleLine]:
    """The table's own rules in order, those that are not met first; then the results of default checks."""
    results = _results(words)
    known = rules_by_check(table) if table is not None else {}
    titles = check_titles(table)
    passed, failing = (
        {renamed(name): one for name, one in progress.get(of, {}).items()} for of in ("passed", "failing")
    )
    lines = [
        RuleLine(
            check, titles[check], str(rule.type), rule.severity,
            results.get(check) or ({"passed": passed[check]} if check in passed else {}), failing.get(check, 0),
        )
        for check, rule in known.items()
    ]  # fmt: skip
    others = [
        RuleLine(
            check, check_title(titles, check, check, None), check, word["severity"], word,
            of_input=word["table"].startswith("bronze/"),
        )
        for check, word in results.items()
        if check not in known
    ]  # fmt: skip
    return sorted([*lines, *others], key=lambda line: line.status in ("wait", "passed"))


def _results(words: Sequence[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """The result of each check over all partitions of the run: of each partition, the last one."""
    by_check: dict[str, dict[str | None, Mapping[str, Any]]] = {}
    for word in words:
        if word["type"] == "check":
            by_check.setdefault(renamed(word["check"]), {})[word.get("partition")] = word
    return {check: _together(list(parts.values())) for check, parts in by_check.items()}


def _together(parts: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """One result of several: it passes if all pass, and its rows are their sum."""
    counts = {
        name: sum(values)
        for name in ("unexpected_count", "element_count")
        if (values := [one[name] for one in parts if one.get(name) is not None])
    }
    together = {"passed": all(one["passed"] for one in parts), "fails": any(one.get("fails") for one in parts)}
    return {**parts[-1], **together, **counts}
