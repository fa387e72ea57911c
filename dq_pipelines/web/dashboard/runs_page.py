"""Collects the content of the page of runs: what is queued, what runs now, and what has ended."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import Any
from urllib.parse import urlencode

import dagster as dg
from dagster._core.storage.dagster_run import IN_PROGRESS_RUN_STATUSES, RunRecord

from dq_pipelines.errors import nearest
from dq_pipelines.history.queries.run_totals import RunTotals, run_totals
from dq_pipelines.orchestration.runs.run_partition import partition_label
from dq_pipelines.orchestration.steps.step import USER_TAG
from dq_pipelines.security.roles import Permission
from dq_pipelines.web.auth.authorization import Rights
from dq_pipelines.web.dagster_client.run_list import Place, RunQuery, runs_page
from dq_pipelines.web.dagster_client.run_tables import may, tables_of
from dq_pipelines.web.dashboard.request_context import PageContext, RequestContext
from dq_pipelines.web.dashboard.run_words import GROUPS, does, status_words
from dq_pipelines.web.streaming.run_events import last_progress

#: Runs of one page.
_LIMIT = 50
#: Running runs whose progress is read from their logs.
_FOLLOWED = 20


@dataclass(frozen=True)
class RunFilters:
    """The filters of the page, as its address has them."""

    status: str = "all"
    table: str = ""
    user: str = ""

    @classmethod
    def of(cls, asked: Mapping[str, str]) -> RunFilters:
        """The filters of these query parameters; an unknown status shows all."""
        status = asked.get("status", "all")
        return cls(status if status in GROUPS else "all", asked.get("table", ""), asked.get("user", ""))

    def query(self, table: str | None) -> RunQuery:
        return RunQuery(GROUPS[self.status], table=table, user=self.user or None)

    def address(self, **changed: str) -> str:
        """The query of the page's address, with these values changed."""
        values = {"status": self.status, "table": self.table, "user": self.user} | changed
        return "?" + urlencode(
            {name: value for name, value in values.items() if value and (name, value) != ("status", "all")}
        )


@dataclass(frozen=True)
class RunRow:
    """One run in the list."""

    record: RunRecord
    #: the published tables that it concerns
    tables: Sequence[str]
    #: its last progress event; empty if none is read
    progress: Mapping[str, Any]
    totals: RunTotals | None
    may_cancel: bool

    @property
    def run(self) -> dg.DagsterRun:
        return self.record.dagster_run

    @property
    def tone(self) -> str:
        return status_words(self.run.status)[0]

    @property
    def word(self) -> str:
        return status_words(self.run.status)[1]

    @property
    def by(self) -> str:
        """Who or what launched it."""
        names = (USER_TAG, "dagster/schedule_name", "dagster/sensor_name", "dagster/backfill")
        return next((self.run.tags[name] for name in names if name in self.run.tags), "")

    @property
    def does(self) -> str:
        """What it does, in a word or a few."""
        return does(self.run)

    @property
    def partition(self) -> str:
        return partition_label(self.run.tags) or ""

    @property
    def began(self) -> datetime:
        return self.record.create_timestamp.replace(tzinfo=self.record.create_timestamp.tzinfo or UTC)

    @property
    def seconds(self) -> float | None:
        """How long it has taken so far, or took; None before it starts."""
        if self.record.start_time is None:
            return None
        end = self.record.end_time or datetime.now(UTC).timestamp()
        return max(end - self.record.start_time, 0.0)


@dataclass(frozen=True)
class RunsPage(PageContext):
    """The page of runs."""

    filters: RunFilters
    rows: Sequence[RunRow]
    #: the address of the next page; "" on the last one
    next: str
    notes: Sequence[str] = ()
    groups: Sequence[str] = field(default=tuple(GROUPS))

    @cached_property
    def is_live(self) -> bool:
        """Whether a run of the page is under way."""
        return any(not row.run.is_finished for row in self.rows)

    @property
    def cancellable(self) -> int:
        return sum(row.may_cancel for row in self.rows)


def runs_overview(
    visit: RequestContext, instance: dg.DagsterInstance, rights: Rights, asked: Mapping[str, str]
) -> RunsPage:
    """The page of runs for these query parameters."""
    filters = RunFilters.of(asked)
    notes = [*visit.known.notes]
    table = _known(rights, filters.table, notes)
    records, place = runs_page(instance, rights, filters.query(table), _LIMIT, _place(asked.get("after", "")))
    totals = run_totals(visit.history, [record.dagster_run.run_id for record in records], rights.seen)
    running = [one.dagster_run.run_id for one in records if one.dagster_run.status in IN_PROGRESS_RUN_STATUSES]
    followed = frozenset(running[:_FOLLOWED])
    rows = [
        _row(
            record,
            rights,
            totals.get(record.dagster_run.run_id),
            instance if record.dagster_run.run_id in followed else None,
        )
        for record in records
    ]
    after = filters.address(after=json.dumps([place[0], place[1].isoformat()])) if place else ""
    return RunsPage(visit, filters, rows, after, notes)


@dataclass(frozen=True)
class RunningNow:
    """The runs that are queued or under way, for the overview."""

    rows: Sequence[RunRow]


def running_now(instance: dg.DagsterInstance, rights: Rights) -> RunningNow:
    """The newest runs that the caller may view and that have not ended."""
    wanted = RunQuery([*GROUPS["running"], *GROUPS["queued"]])
    records, _ = runs_page(instance, rights, wanted, _FOLLOWED)
    return RunningNow([_row(one, rights, None, instance) for one in records])


def _row(record: RunRecord, rights: Rights, totals: RunTotals | None, instance: dg.DagsterInstance | None) -> RunRow:
    run = record.dagster_run
    names = dict.fromkeys(key.rpartition("/")[2] for key in tables_of(run, rights.project))
    tables = [table.key for name in names if (table := rights.project.tables.get(name)) is not None]
    progress = last_progress(instance, run.run_id) if instance is not None else {}
    return RunRow(record, tables, progress, totals, not run.is_finished and may(rights, Permission.CANCEL, run))


def _known(rights: Rights, name: str, notes: list[str]) -> str | None:
    """The key of the table of this key or name; without one, a note says so."""
    if not name:
        return None
    keys = rights.those(key for table in rights.project for key in table.keys)
    if name in keys:
        return name
    table = rights.project.tables.get(name)
    if table is not None and rights.sees(table.key):
        return table.key
    notes.append(f"There is no table {name}{nearest(name, keys)}: these are the runs of all tables.")
    return None


def _place(text: str) -> Place | None:
    """The place of this text; None for an invalid one, so for the first page."""
    try:
        run_id, at = json.loads(text)
        return str(run_id), datetime.fromisoformat(at)
    except (ValueError, TypeError):
        return None
