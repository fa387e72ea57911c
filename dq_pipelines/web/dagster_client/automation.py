"""Lists Dagster's schedules and sensors with their last and next ticks, and starts and stops them.

Callers of this module check permissions themselves.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from dq_pipelines.web.auth.access import Caller
from dq_pipelines.web.dagster_client import DagsterError, DagsterHost

_ASKED = """
{
  repositoriesOrError {
    __typename
    ... on PythonError { message }
    ... on RepositoryConnection {
      nodes {
        name
        location { name }
        schedules {
          name description cronSchedule
          scheduleState { ...State }
          futureTicks(limit: 1) { results { timestamp } }
        }
        sensors { name description minIntervalSeconds sensorState { ...State } }
      }
    }
  }
}
fragment State on InstigationState {
  id selectorId status ticks(limit: 1) { timestamp status skipReason error { message } }
}
"""
_TURN = """mutation Turn(%s) { done: %s { __typename ... on PythonError { message } ... on UnauthorizedError { message } } }"""
#: By kind, and whether to start it: the mutation's parameter, and the mutation.
_TURNS = {
    ("schedule", True): ("$of: ScheduleSelector!", "startSchedule(scheduleSelector: $of)"),
    ("sensor", True): ("$of: SensorSelector!", "startSensor(sensorSelector: $of)"),
    ("schedule", False): ("$id: String!", "stopRunningSchedule(id: $id)"),
    ("sensor", False): ("$id: String!", "stopSensor(id: $id)"),
}
_TURNED = ("ScheduleStateResult", "Sensor", "StopSensorMutationResult")


@dataclass(frozen=True)
class Tick:
    """One evaluation by the daemon."""

    at: datetime
    #: Dagster's: STARTED, SKIPPED, SUCCESS, FAILURE
    status: str
    #: why it was skipped or failed
    said: str | None


@dataclass(frozen=True)
class Instigator:
    """A schedule or a sensor."""

    name: str
    kind: Literal["schedule", "sensor"]
    running: bool
    description: str | None
    #: of a schedule
    cron: str | None
    #: of a sensor: seconds between two ticks
    interval: int | None
    last: Tick | None
    next: datetime | None
    repository: str
    location: str
    id: str

    def turn(self, host: DagsterHost, caller: Caller, *, on: bool) -> None:
        """Start or stop it. Raises DagsterError."""
        schedule = self.kind == "schedule"
        of = {"repositoryName": self.repository, "repositoryLocationName": self.location}
        of["scheduleName" if schedule else "sensorName"] = self.name
        done = host.ask(caller, _TURN % _TURNS[self.kind, on], {"of": of} if on else {"id": self.id})["done"]
        if done["__typename"] not in _TURNED:
            raise DagsterError(f"Dagster: {self.name}: {done.get('message') or done['__typename']}")


def instigators(host: DagsterHost, caller: Caller) -> list[Instigator]:
    """All schedules and sensors, sorted by name. Raises DagsterError."""
    answer = host.ask(caller, _ASKED)["repositoriesOrError"]
    if answer["__typename"] != "RepositoryConnection":
        raise DagsterError(f"Dagster: {answer.get('message') or answer['__typename']}")
    found = []
    for repository in answer["nodes"]:
        where = (repository["name"], repository["location"]["name"])
        found += [_schedule(one, *where) for one in repository["schedules"]]
        found += [_sensor(one, *where) for one in repository["sensors"]]
    return sorted(found, key=lambda one: one.name)


def _schedule(told: Mapping[str, Any], repository: str, location: str) -> Instigator:
    state = told["scheduleState"]
    running = state["status"] == "RUNNING"
    due = [_moment(tick["timestamp"]) for tick in told["futureTicks"]["results"]]
    return Instigator(
        told["name"], "schedule", running, told["description"], told["cronSchedule"], None, _last(state),
        due[0] if due and running else None, repository, location, state["id"],
    )  # fmt: skip


def _sensor(told: Mapping[str, Any], repository: str, location: str) -> Instigator:
    state, interval = told["sensorState"], told["minIntervalSeconds"]
    running, last = state["status"] == "RUNNING", _last(state)
    due = None
    if running:
        due = max(datetime.now(UTC), last.at + timedelta(seconds=interval)) if last else datetime.now(UTC)
    return Instigator(
        told["name"], "sensor", running, told["description"], None, interval, last, due, repository, location,
        state["id"],
    )  # fmt: skip


def _last(state: Mapping[str, Any]) -> Tick | None:
    for tick in state["ticks"]:
        error = tick["error"]["message"].strip().splitlines()[0] if tick["error"] else None
        return Tick(_moment(tick["timestamp"]), tick["status"], tick["skipReason"] or error)
    return None


def _moment(timestamp: float) -> datetime:
    return datetime.fromtimestamp(timestamp, UTC)
