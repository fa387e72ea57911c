"""A run's page: how far it has come by what its event log says. What comes later a script adds, from the run's live stream."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import dagster as dg
from dagster._core.storage.dagster_run import RunRecord

from dq_pipelines.config.counting import counted
from dq_pipelines.history.store.status import rule_status
from dq_pipelines.project import Project, Table
from dq_pipelines.project.checked_rules import rules_by_check
from dq_pipelines.security.roles import Permission
from dq_pipelines.web.auth.authorization import Rights
from dq_pipelines.web.dagster_client.run_tables import may, tables_of
from dq_pipelines.web.streaming.run_events import events_after

#: The colour and the word of Dagster's statuses; one that is not named goes on.
RUNS = {"SUCCESS": ("healthy", "succeeded"), "FAILURE": ("error", "failed"), "CANCELED": ("never_run", "cancelled")}
RUNS |= {"CANCELING": ("never_run", "being cancelled")}


@dataclass(frozen=True)
class RuleLine:
    """One rule in this run."""

    check: str
    rule: str
    column: str
    severity: str
    #: what was said of it: `passed`, `unexpected_count`, `element_count`; empty as long as nothing was
    said: Mapping[str, Any] = field(default_factory=dict)
    #: failing rows so far, as long as nothing was
    so_far: int = 0

    @property
    def status(self) -> str:
        """That of a rule, or `wait`."""
        if "passed" not in self.said:
            return "wait"
        return rule_status(success=self.said["passed"], blocks=False, severity=self.severity)

    @property
    def found(self) -> str:
        count, of = self.said.get("unexpected_count"), self.said.get("element_count")
        if count is None:
            return f"{self.so_far:,} so far" if self.so_far else ""
        return f"{count:,} of {of:,} rows" if of else counted(count, "row")


@dataclass(frozen=True)
class TableLine:
    """One table in this run."""

    key: str
    #: of its last progress, as a stream tells it; empty before there is any
    progress: Mapping[str, Any]
    rules: Sequence[RuleLine]
    #: how its step ended, where that was told
    state: str = ""
    #: why it failed
    said: str = ""


@dataclass(frozen=True)
class RunPage:
    """A run as it is now."""

    run: dg.DagsterRun
    started_at: float | None
    tables: Sequence[TableLine]
    status: str
    #: why it ended as it did
    said: str
    #: the last event that is on the page
    last: int
    may_cancel: bool
    #: where the REST API lies
    api: str

    @property
    def tone(self) -> str:
        return RUNS.get(self.status, ("on", ""))[0]

    @property
    def word(self) -> str:
        return RUNS.get(self.status, ("", self.status.replace("_", " ").lower()))[1]

    @property
    def is_over(self) -> bool:
        return self.run.is_finished


def run_page(instance: dg.DagsterInstance, rights: Rights, run_id: str, api: str) -> RunPage | None:
    """The page; None for a run that there is not, or that is not for the reader."""
    record = instance.get_run_record_by_id(run_id)
    if record is None or not may(rights, Permission.LOOK, record.dagster_run):
        return None
    words = [json.loads(word.text) for page in events_after(instance, run_id, 0) for word in page]
    return _page(record, words, rights, api)


def _page(record: RunRecord, words: Sequence[Mapping[str, Any]], rights: Rights, api: str) -> RunPage:
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
        tables=[_table(name, project, said) for name, said in by_name.items()],
        status=run.status.value,
        said=next((word["said"] for word in reversed(statuses) if word.get("said")), ""),
        last=max((word["id"] for word in words), default=0),
        may_cancel=not run.is_finished and may(rights, Permission.CANCEL, run),
        api=api,
    )


def _table(name: str, project: Project, words: Sequence[Mapping[str, Any]]) -> TableLine:
    table = project.tables.get(name)
    progress: Mapping[str, Any] = next((word for word in reversed(words) if word["type"] == "progress"), {})
    steps = [word for word in words if word["type"] == "step"]
    last = steps[-1] if steps else {}
    key = table.key if table is not None else f"silver/{name}"
    return TableLine(key, progress, _rules(table, progress, words), last.get("state", ""), last.get("said", ""))


def _rules(table: Table | None, progress: Mapping[str, Any], words: Sequence[Mapping[str, Any]]) -> list[RuleLine]:
    """The table's own rules in their order, then what every table is checked for, as far as it was told."""
    told = {word["check"]: word for word in words if word["type"] == "check"}
    known = rules_by_check(table) if table is not None else {}
    passed, failing = progress.get("passed", {}), progress.get("failing", {})
    lines = [
        RuleLine(
            check, str(rule.type), rule.column_label or "", rule.severity,
            told.get(check) or ({"passed": passed[check]} if check in passed else {}), failing.get(check, 0),
        )
        for check, rule in known.items()
    ]  # fmt: skip
    others = [RuleLine(check, check, "", word["severity"], word) for check, word in told.items() if check not in known]
    return [*lines, *others]
