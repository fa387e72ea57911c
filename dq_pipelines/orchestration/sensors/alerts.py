"""Alerting: the sensor that reads runs that have ended, keeps the book of alerts and tells the channels.

A failed check does not fail a run of Dagster's (dagster#29896), so it reads the evaluations of every run that ended, in whatever
way. What opens an alert, when and how it is told belongs in `monitoring.alerts`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cache, partial

import dagster as dg

from dq_pipelines.config.counting import counted
from dq_pipelines.config.settings import Settings
from dq_pipelines.errors import DqError
from dq_pipelines.history.alerts.alert import Alert
from dq_pipelines.history.alerts.alert_book import AlertBook
from dq_pipelines.history.alerts.run_cursor import RunsRead
from dq_pipelines.history.queries.table_status import TableStatus
from dq_pipelines.history.store.attempts import last_attempts
from dq_pipelines.monitoring.alerts.due import Subscription
from dq_pipelines.monitoring.alerts.opening import Finding, opened
from dq_pipelines.monitoring.alerts.sending import Channel
from dq_pipelines.monitoring.alerts.settings import Alerts, Route
from dq_pipelines.monitoring.alerts.wording import Writer
from dq_pipelines.orchestration.runs.ended_runs import EndedRuns, RunLog, ended, newly_ended_runs
from dq_pipelines.orchestration.sensors.findings import RunFindings, checks_of
from dq_pipelines.orchestration.sensors.missed_schedules import overdue
from dq_pipelines.orchestration.sensors.sensor_defaults import Budget, sensor
from dq_pipelines.orchestration.steps.attempts import run_end
from dq_pipelines.pipeline.current_status import standing_now
from dq_pipelines.pipeline.runtime.dead_attempts import KILLED, settle
from dq_pipelines.pipeline.runtime.stores import Stores
from dq_pipelines.project import Project

#: How long closed alerts are remembered.
_MEMORY = timedelta(days=30)


def alert_sensors(project: Project, stores: Stores, jobs: Collection[str]) -> list[dg.SensorDefinition]:
    """`alerts`, where `project.yaml` says whom to tell; `jobs` are those that materialize no table."""
    asked = project.settings.alerts
    if asked is None:
        return []

    @sensor("alerts", f"Tells {', '.join(asked.to)} of failed checks and runs, and that all is well again")
    def alerts(context: dg.SensorEvaluationContext) -> dg.SkipReason:
        alerting = Alerting(project, asked, stores, jobs)
        seen = newly_ended_runs(context, alerting.book.read, datetime.now(UTC))
        alerting.note(context.instance, seen)
        sent, problems = alerting.tell()
        for problem in problems:
            context.log.warning("%s; it is tried again at the next tick", problem)
        context.update_cursor(seen.cursor)
        return dg.SkipReason(
            "; ".join([f"{counted(len(seen.runs), 'run')} read, {counted(sent, 'message')} sent", *problems])
        )

    return [alerts]


@dataclass(frozen=True)
class Alerting:
    """A project, whom it wants to be told, and what they were told."""

    project: Project
    asked: Alerts
    stores: Stores
    jobs: Collection[str] = ()

    def note(self, instance: dg.DagsterInstance, seen: EndedRuns) -> None:
        """Open and close alerts by what ended, each run in one transaction with the note that it was read."""
        settle(self.stores, run_end(instance))
        limits, stands = self._limits(), cache(partial(standing_now, self.stores))
        for record in seen.runs:
            said = RunFindings(RunLog(instance, record), self.project, self.stores.history, stands, limits, self.jobs)
            changed = opened(said.findings(), self.book.open(), ended(record))
            self.book.write(changed, datetime.now(UTC), run_id=record.dagster_run.run_id)
        now = datetime.now(UTC)
        alerts = self.book.open()
        failing = {alert.about for alert in alerts if alert.event == "run_failed"}
        late = opened(overdue(instance, self.project, self.asked.lateness, failing, now), alerts, now)
        gone = [replace(alert, closed_at=now) for alert in alerts if not self._is_known(alert)]
        settled = [replace(alert, closed_at=now) for alert in alerts if self._is_settled(alert, stands)]
        self.book.write([*late, *gone, *settled], now)
        self._note_killed(now)
        self.book.forget(now - _MEMORY)

    def _note_killed(self, now: datetime) -> None:
        """Open an alert for each attempt that was killed: Dagster may call its run started for ever."""
        told = RunsRead("alerts of attempts", self.stores.history)
        known = told.remembered()
        for table in self.project:
            for attempt in last_attempts(self.stores.history, table.key).get(table.key, ()):
                if attempt.said != KILLED or attempt.run_id in known:
                    continue
                found = Finding(
                    "run_failed",
                    table.key,
                    is_well=False,
                    partition=attempt.partition,
                    said=KILLED,
                    run_id=attempt.run_id,
                )
                self.book.write(opened([found], self.book.open(), attempt.ended_at or now), now)
                with self.stores.history.engine.begin() as connection:
                    told.mark(connection, attempt.run_id, now)
        told.forget(now - _MEMORY)

    def _is_settled(self, alert: Alert, stands: Callable[[str], TableStatus | None]) -> bool:
        """Whether the rows that a failed check refused wait no longer: a replay or a person has settled them since."""
        if alert.event != "check_failed" or not self._is_known(alert):
            return False
        found = stands(alert.about)
        rule = found.rule(alert.name) if found is not None else None
        return rule is not None and not rule.fails_in(alert.partition)

    @property
    def book(self) -> AlertBook:
        return AlertBook(self.stores.history)

    def tell(self) -> tuple[int, list[str]]:
        """Tell every channel what is due; how many messages went out, and what went wrong.

        What was told is noted after it was sent: a process that is killed in between sends it once more.
        """
        budget, sent = Budget(), 0
        problems: list[str] = []
        where = Settings.from_environment().dagster_url or self.project.settings.dagster_url
        writer = Writer(self.project.settings.name, where)
        for name, url in self.asked.to.items():
            alerts = self.book.since(datetime.now(UTC) - _MEMORY)
            ear = Subscription(name, self._routes, self.book.told(name), self.asked.rhythm)
            for message in ear.due(alerts, datetime.now(UTC)):
                if budget.is_spent:
                    return sent, [*problems, "there is more to tell than a tick has time for"]
                try:
                    Channel(name, url).send(writer.post(message))
                except DqError as error:
                    problems.append(str(error))
                    break  # a channel that is down is not asked again for each message
                self.book.tell(name, message.opened, message.closed, datetime.now(UTC))
                sent += 1
        return sent, problems

    def _limits(self) -> dict[str, int]:
        """By table, the least number of rows in quarantine that a route asks to be told of."""
        limits: dict[str, int] = {}
        for table in self.project:
            wanted = [r.quarantine_above for r in self._routes_of(table.key) if r.quarantine_above is not None]
            if wanted:
                limits[table.key] = min(wanted)
        return limits

    def _routes(self, alert: Alert) -> Sequence[Route]:
        return self._routes_of(alert.about) if self._is_known(alert) else ()

    def _routes_of(self, about: str) -> Sequence[Route]:
        table = self.project.by_key(about)
        return self.asked.routes if table is None or table.model.alerts is None else table.model.alerts

    def _is_known(self, alert: Alert) -> bool:
        """Whether the table, and the check, are there still: of what is gone nobody says that it is well."""
        if "/" not in alert.about:
            return True
        table = self.project.by_key(alert.about)
        return table is not None and (not alert.name or alert.name in checks_of(table))
