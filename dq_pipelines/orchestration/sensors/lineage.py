"""Lineage: the sensor that tells an OpenLineage server of runs that have ended. What it tells belongs in `lineage_events`.

Events are made of records when a run is over, and not within it: a server that is away fails no run, and is told when it is
back, since a run counts as read only when the server has taken all that it tells. What is sent again is the same event.
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
#: Answers that may be another one later: who asks must log in, is too early or too often.
_LATER = (401, 403, 404, 407, 408, 425, 429)


def lineage_sensors(project: Project, stores: Stores) -> list[dg.SensorDefinition]:
    """`openlineage`, where `project.yaml` says it."""
    asked = project.settings.openlineage
    if asked is None:
        return []

    @sensor("openlineage", "Tells an OpenLineage server of runs that have ended, their tables and what checks found")
    def openlineage(context: dg.SensorEvaluationContext) -> dg.SkipReason:
        _want_the_extra()
        server, read = Server(asked), RunsRead("openlineage", stores.history)
        seen, budget = newly_ended_runs(context, read, datetime.now(UTC)), Budget()
        for done, record in enumerate(seen.runs):
            lineage = Lineage(
                RunLog(context.instance, record), project, stores, asked.namespace or project.settings.name
            )
            if budget.is_spent:
                return dg.SkipReason(f"{done} of {len(seen.runs)} runs told; the others at the next tick")
            try:
                for refused in server.tell(list(lineage.events())):
                    context.log.warning("run %s: %s", record.dagster_run.run_id, refused)
            except SourceError as error:
                context.log.warning("%s; it is tried again at the next tick", error)
                return dg.SkipReason(f"{done} of {len(seen.runs)} runs told; {error}")
            with stores.history.engine.begin() as connection:
                read.mark(connection, record.dagster_run.run_id, datetime.now(UTC))
        context.update_cursor(seen.cursor)
        return dg.SkipReason(f"{counted(len(seen.runs), 'run')} told")

    return [openlineage]


def _want_the_extra() -> None:
    """Raises ConfigError where the package is not installed."""
    try:
        import openlineage.client  # noqa: F401 - whether it is there
    except ImportError:
        said = "openlineage: wanted the package openlineage-python, found none: pip install 'dq_pipelines[openlineage]'"
        raise ConfigError([Problem("project.yaml", 0, said)]) from None


@dataclass(frozen=True)
class Server:
    """An OpenLineage server."""

    asked: OpenLineage

    def tell(self, events: list[RunEvent]) -> list[str]:
        """Send events in order; what the server would never take is said, and left out.

        Raises SourceError when it does not answer, or cannot take any just now.
        """
        import requests
        from openlineage.client.transport.http import ApiKeyTokenProvider, HttpConfig, HttpTransport, TokenProvider

        key = self.asked.api_key
        auth = TokenProvider({}) if key is None else ApiKeyTokenProvider({"apiKey": key.get_secret_value()})
        retry = {"total": 0}  # the next tick is the next try
        config = HttpConfig(self.asked.url, self.asked.endpoint, timeout=_TIMEOUT, auth=auth, retry=retry)
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
            # The name of the error and not its text, which has the address.
            raise SourceError(f"openlineage: wanted an answer of the server, got: {type(error).__name__}") from None
        finally:
            transport.close()
        return refused
