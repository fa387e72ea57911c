"""Defines the sensor that sends OpenLineage events of ended runs to a server. `lineage_events` builds the events.

It sends events after a run has ended, so an unreachable server fails no run. A run is marked as read when the server has
accepted all its events; until then they are sent again, with the same ids.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import dagster as dg

from dq_pipelines.config.counting import counted
from dq_pipelines.errors import ConfigError, Problem, SourceError
from dq_pipelines.history.alerts.run_cursor import RunsRead
from dq_pipelines.orchestration.runs.ended_runs import RunLog, newly_ended_runs
from dq_pipelines.orchestration.sensors.lineage_events import Lineage
from dq_pipelines.orchestration.sensors.sensor_defaults import Budget, sensor
from dq_pipelines.pipeline.runtime.stores import Stores
from dq_pipelines.project import OpenLineage, Project

if TYPE_CHECKING:
    from openlineage.client.event_v2 import RunEvent

#: Seconds to wait for an answer.
_TIMEOUT = 5.0
#: Client errors that may be temporary: authentication, timeout, too early, too many requests.
_LATER = (401, 403, 404, 407, 408, 425, 429)


def lineage_sensors(project: Project, stores: Stores) -> list[dg.SensorDefinition]:
    """Returns the sensor `openlineage`, if `project.yaml` has `openlineage`."""
    settings = project.settings.openlineage
    if settings is None:
        return []

    @sensor("openlineage", "Sends OpenLineage events of ended runs: tables, inputs and check results")
    def openlineage(context: dg.SensorEvaluationContext) -> dg.SkipReason:
        _require_package()
        server, read = Server(settings), RunsRead("openlineage", stores.history)
        ended_runs, budget = newly_ended_runs(context, read, datetime.now(UTC)), Budget()
        for done, record in enumerate(ended_runs.runs):
            lineage = Lineage(
                RunLog(context.instance, record), project, stores, settings.namespace or project.settings.name
            )
            if budget.is_spent:
                return dg.SkipReason(f"{done} of {len(ended_runs.runs)} runs sent; the others at the next tick")
            try:
                for refused in server.send(list(lineage.events())):
                    context.log.warning("run %s: %s", record.dagster_run.run_id, refused)
            except SourceError as error:
                context.log.warning("%s; it is tried again at the next tick", error)
                return dg.SkipReason(f"{done} of {len(ended_runs.runs)} runs sent; {error}")
            with stores.history.engine.begin() as connection:
                read.mark(connection, record.dagster_run.run_id, datetime.now(UTC))
        context.update_cursor(ended_runs.cursor)
        return dg.SkipReason(f"{counted(len(ended_runs.runs), 'run')} sent")

    return [openlineage]


def _require_package() -> None:
    """Raises ConfigError where the package is not installed."""
    try:
        import openlineage.client  # noqa: F401 - checks that it is installed
    except ImportError:
        problem = (
            "openlineage: wanted the package openlineage-python, found none: pip install 'dq_pipelines[openlineage]'"
        )
        raise ConfigError([Problem("project.yaml", 0, problem)]) from None


@dataclass(frozen=True)
class Server:
    """An OpenLineage server."""

    settings: OpenLineage

    def send(self, events: list[RunEvent]) -> list[str]:
        """Sends events in order. Returns a message for each event that the server permanently refuses.

        Raises SourceError when the server does not answer, or refuses temporarily.
        """
        import requests
        from openlineage.client.transport.http import ApiKeyTokenProvider, HttpConfig, HttpTransport, TokenProvider

        key = self.settings.api_key
        auth = TokenProvider({}) if key is None else ApiKeyTokenProvider({"apiKey": key.get_secret_value()})
        retry = {"total": 0}  # the next tick is the next try
        config = HttpConfig(self.settings.url, self.settings.endpoint, timeout=_TIMEOUT, auth=auth, retry=retry)
        transport, refused = HttpTransport(config), []
        try:
            for event in events:
                try:
                    transport.emit(event)
                except requests.HTTPError as error:
                    status = error.response.status_code if error.response is not None else 500
                    if status >= 500 or status in _LATER:
                        raise SourceError(f"openlineage: wanted the server to take an event, got: {status}") from None
                    refused.append(f"openlineage: the server refused an event of {event.job.name}: {status}")
        except requests.RequestException as error:
            # Only the error's name: its text contains the address.
            raise SourceError(f"openlineage: wanted an answer of the server, got: {type(error).__name__}") from None
        finally:
            transport.close()
        return refused
