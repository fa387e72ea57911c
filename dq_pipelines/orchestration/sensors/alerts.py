"""Defines the sensor that opens and closes alerts from ended runs, and notifies the channels.

A failed check does not fail a Dagster run (dagster#29896), so the sensor reads the check evaluations of every ended run.
`monitoring.alerts` decides what opens an alert, and when and how a channel is notified.
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
from dq_pipelines.history.alerts.handling import Handlings
from dq_pipelines.history.alerts.run_cursor import RunsRead
from dq_pipelines.history.queries.table_status import TableStatus
from dq_pipelines.history.store.attempts import last_attempts
from dq_pipelines.monitoring.alerts.due import Subscription
from dq_pipelines.monitoring.alerts.opening import Finding, opened
from dq_pipelines.monitoring.alerts.sending import Channel
from dq_pipelines.monitoring.alerts.settings import Alerts, Route
from dq_pipelines.monitoring.alerts.wording import MessageFormatter
from dq_pipelines.orchestration.runs.ended_runs import EndedRuns, RunLog, ended, newly_ended_runs
from dq_pipelines.orchestration.sensors.findings import RunFindings, checks_of
from dq_pipelines.orchestration.sensors.missed_schedules import overdue
from dq_pipelines.orchestration.sensors.sensor_defaults import Budget, sensor
from dq_pipelines.orchestration.steps.attempts import run_end
from dq_pipelines.pipeline.current_status import table_status_now
from dq_pipelines.pipeline.runtime.dead_attempts import KILLED, record_dead_attempts
from dq_pipelines.pipeline.runtime.stores import Stores
from dq_pipelines.project import Project
from dq_pipelines.project.check_titles import check_titles

#: How long closed alerts are remembered.
_MEMORY = timedelta(days=30)


def alert_sensors(project: Project, stores: Stores, jobs: Collection[str]) -> list[dg.SensorDefinition]:
    """Returns the sensor `alerts`, if `project.yaml` has `alerts`; `jobs`: those that materialize no table."""
    settings = project.settings.alerts
    if settings is None:
        return []

    @sensor("alerts", f"Notifies {', '.join(settings.to)} of failed checks and runs, and of their recovery")
    def alerts(context: dg.SensorEvaluationContext) -> dg.SkipReason:
        tick = AlertsTick(project, settings, stores, jobs)
        ended_runs = newly_ended_runs(context, tick.book.read, datetime.now(UTC))
        tick.update(context.instance, ended_runs)
        sent, problems = tick.notify()
        for problem in problems:
            context.log.warning("%s; it is tried again at the next tick", problem)
        context.update_cursor(ended_runs.cursor)
        return dg.SkipReason(
            "; ".join([f"{counted(len(ended_runs.runs), 'run')} read, {counted(sent, 'message')} sent", *problems])
        )

    return [alerts]


@dataclass(frozen=True)
class AlertsTick:
    """One tick of the sensor: updates the open alerts, and notifies the channels."""

    project: Project
    settings: Alerts
    stores: Stores
    jobs: Collection[str] = ()

    def update(self, instance: dg.DagsterInstance, ended_runs: EndedRuns) -> None:
        """Opens and closes alerts for the ended runs. One transaction per run also marks it as read."""
        record_dead_attempts(self.stores, run_end(instance))
        limits, status_of = self._limits(), cache(partial(table_status_now, self.stores))
        for record in ended_runs.runs:
            log = RunLog(instance, record)
            run = RunFindings(log, self.project, self.stores.history, status_of, limits, self.jobs)
            changed = opened(run.findings(), self.book.open(), ended(record))
            self.book.write(changed, datetime.now(UTC), run_id=record.dagster_run.run_id)
        now = datetime.now(UTC)
        alerts = self.book.open()
        failing = {alert.about for alert in alerts if alert.event == "run_failed"}
        late = opened(overdue(instance, self.project, self.settings.lateness, failing, now), alerts, now)
        removed = [replace(alert, closed_at=now) for alert in alerts if not self._is_known(alert)]
        settled = [replace(alert, closed_at=now) for alert in alerts if self._is_settled(alert, status_of)]
        self.book.write([*late, *removed, *settled], now)
        self._open_for_killed_attempts(now)
        self.book.forget(now - _MEMORY)

    def _open_for_killed_attempts(self, now: datetime) -> None:
        """Opens an alert for each killed attempt: Dagster may list its run as started forever."""
        read = RunsRead("alerts of attempts", self.stores.history)
        already_read = read.remembered()
        for table in self.project:
            for attempt in last_attempts(self.stores.history, [table.key]).get(table.key, ()):
                if attempt.said != KILLED or attempt.run_id in already_read:
                    continue
                finding = Finding(
                    "run_failed",
                    table.key,
                    is_well=False,
                    partition=attempt.partition,
                    said=KILLED,
                    run_id=attempt.run_id,
                )
                self.book.write(opened([finding], self.book.open(), attempt.ended_at or now), now)
                with self.stores.history.engine.begin() as connection:
                    read.mark(connection, attempt.run_id, now)
        read.forget(now - _MEMORY)

    def _is_settled(self, alert: Alert, status_of: Callable[[str], TableStatus | None]) -> bool:
        """Whether no rows that the failed check refused are open: a replay or a person has settled them."""
        if alert.event != "check_failed" or not self._is_known(alert):
            return False
        status = status_of(alert.about)
        rule = status.rule(alert.name) if status is not None else None
        return rule is not None and not rule.fails_in(alert.partition)

    @property
    def book(self) -> AlertBook:
        return AlertBook(self.stores.history)

    def _title_of(self, key: str, check: str) -> str:
        table = self.project.by_key(key)
        return check_titles(table).get(check, "") if table is not None else ""

    def notify(self) -> tuple[int, list[str]]:
        """Sends the due messages to every channel. Returns the number of sent messages, and the errors.

        A message is recorded after it was sent, so a process that is killed in between sends it again.
        """
        budget, sent = Budget(), 0
        problems: list[str] = []
        dagster_url = Settings.from_environment().dagster_url or self.project.settings.dagster_url
        formatter = MessageFormatter(self.project.settings.name, dagster_url, self._title_of)
        handled = Handlings(self.stores.history).by_number()
        for name, url in self.settings.to.items():
            alerts = self.book.since(datetime.now(UTC) - _MEMORY)
            subscription = Subscription(name, self._routes, self.book.told(name), self.settings.rhythm, handled)
            for message in subscription.due(alerts, datetime.now(UTC)):
                if budget.is_spent:
                    return sent, [*problems, "one tick has no time for all messages"]
                try:
                    Channel(name, url).send(formatter.format(message))
                except DqError as error:
                    problems.append(str(error))
                    break  # do not try a failing channel again for each message
                self.book.tell(name, message.opened, message.closed, datetime.now(UTC))
                sent += 1
        return sent, problems

    def _limits(self) -> dict[str, int]:
        """Returns the lowest `quarantine_above` of the routes, by table."""
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
        return self.settings.routes if table is None or table.model.alerts is None else table.model.alerts

    def _is_known(self, alert: Alert) -> bool:
        """Whether the alert's table and check still exist: no run would close the alert of a removed one."""
        if "/" not in alert.about:
            return True
        table = self.project.by_key(alert.about)
        return table is not None and (not alert.name or alert.name in checks_of(table))
