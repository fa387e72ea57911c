"""Health is ready only while every part is alive; REST and Prometheus name each problem and since when it exists."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from dagster._core.scheduler.instigation import InstigatorStatus, TickData, TickStatus
from dagster._daemon.types import DaemonHeartbeat
from dagster_shared.error import SerializableErrorInfo
from prometheus_client.parser import text_string_to_metric_families
from starlette.testclient import TestClient

from dq_pipelines.security.roles import Grant, Role
from dq_pipelines.web.app import application
from dq_pipelines.web.backend import Backend
from dq_pipelines.web.dagster_client.supervision import ProcessFailure
from dq_pipelines.web.health import Health
from dq_pipelines_tests.web.conftest import SALES, build, site_of
from dq_pipelines_tests.web.hosting import Hosted, hosting
from dq_pipelines_tests.workshop import Workshop

pytestmark = pytest.mark.slow

USERS = {"adam": [Grant(Role.ADMIN)], "vera": [Grant(Role.VIEWER, "domain:elsewhere")]}


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hosted]:
    shop = build(tmp_path_factory.mktemp("health"))
    half_an_hour_ago = (datetime.now(UTC).minute - 30) % 60  # a schedule that was due just now is not late yet
    shop.table("sales", SALES + f"on_arrival: true\nschedule: '{half_an_hour_ago} * * * *'\n")
    with hosting(shop, USERS) as made:
        yield made


@pytest.fixture
def client(here: Hosted) -> Iterator[TestClient]:
    """A browser of somebody who may look at everything."""
    here.host.supervised = {}
    here.host.instance.wipe_daemon_heartbeats()
    yield here.as_user("adam")
    here.host.supervised = {}
    here.host.instance.wipe_daemon_heartbeats()


def told(client: TestClient) -> tuple[int, dict[str, str]]:
    """The status, and by part what is wrong."""
    answer = client.get("/api/v1/health")
    found: dict[str, str] = {}
    for one in answer.json()["problems"]:
        assert datetime.fromisoformat(one["since"]) <= datetime.now(UTC)
        found[one["part"]] = one["said"]
    assert answer.json()["status"] == ("not ready" if found else "ready")
    return answer.status_code, found


def beat(here: Hosted, ago: float = 0, but: str = "") -> None:
    for kind in here.host.instance.get_required_daemon_types():
        at = time.time() - (1000 if kind == but else ago)
        here.host.instance.add_daemon_heartbeat(DaemonHeartbeat(at, kind, "tests", []))


def parts(client: TestClient) -> dict[str, float]:
    scraped = text_string_to_metric_families(client.get("/metrics").text)
    return {s.labels["part"]: s.value for family in scraped for s in family.samples if s.name == "dq_part_up"}


def test_without_a_daemon_the_other_parts_are_checked(client: TestClient) -> None:
    assert told(client) == (200, {})
    assert client.get("/api/v1/health").json()["dependencies"]["daemon"] == "not hosted here"
    assert parts(client) == dict.fromkeys(("history", "lake", "project", "dagster", "code location"), 1.0)


def test_a_table_that_is_left_out_is_named_and_the_service_stays_ready(tmp_path: Path) -> None:
    shop = Workshop(tmp_path)
    shop.table("sales", SALES)
    shop.table("faulty", SALES.replace("source", "surce"))
    (found,) = Health(site_of(shop), None).problems()
    assert (found.part, found.is_grave) == ("project", False)
    assert "faulty.yaml" in found.said


def test_a_part_of_the_daemon_that_is_silent_is_named(here: Hosted, client: TestClient) -> None:
    beat(here, but="SENSOR")
    code, wrong = told(client)
    assert code == 503
    assert wrong["daemon"].startswith("SENSOR: last heartbeat 100")
    assert parts(client)["daemon"] == 0.0


def test_a_restarting_process_is_named(here: Hosted, client: TestClient) -> None:
    beat(here)
    here.host.supervised = {"daemon": ProcessFailure(), "dq_pipelines": ProcessFailure()}
    assert told(client) == (200, {})
    here.host.supervised["dq_pipelines"].began("ended (exit -9)")
    time.sleep(2.1)  # an answer is good for two seconds
    assert told(client) == (503, {"code location": "dq_pipelines: ended (exit -9)"})


@pytest.mark.usefixtures("client")
def test_sensors_and_schedules_that_do_not_tick_are_named(here: Hosted) -> None:
    beat(here)
    site = site_of(here.shop)
    health = Backend(site, application(site).state.access, here.host).health
    assert [one.part for one in health.problems()] == []
    health._started_at -= 7200
    health._looked_at = 0.0
    said = {one.said.partition(":")[0]: one.part for one in health.problems()}
    assert said["sales_arrivals"] == "sensors"
    assert said["sales_schedule"] == "schedules"
    assert "sales_arrivals: has not ticked for 7" in " ".join(one.said for one in health.problems())


def tick_fails(here: Hosted, error: SerializableErrorInfo) -> None:
    """Write that the last tick of the sensor of `sales` failed."""
    entry = next(iter(here.host.process.get_current_workspace().code_location_entries.values()))
    assert entry.code_location is not None
    [repository] = entry.code_location.get_repositories().values()
    sensor = next(one for one in repository.get_sensors() if one.name == "sales_arrivals")
    state = sensor.get_current_instigator_state(None)
    instance = here.host.instance
    assert state.status == InstigatorStatus.DECLARED_IN_CODE
    if instance.get_instigator_state(state.instigator_origin_id, state.selector_id) is None:
        instance.add_instigator_state(state)
    instance.create_tick(
        TickData(state.instigator_origin_id, state.instigator_name, state.instigator_type, TickStatus.FAILURE, time.time(), error=error, selector_id=state.selector_id)
    )  # fmt: skip


def test_a_failed_tick_is_named_with_its_error(here: Hosted, client: TestClient) -> None:
    beat(here)
    tick_fails(here, SerializableErrorInfo("the source is away\nmore", [], "ValueError"))
    assert told(client) == (503, {"sensors": "sales_arrivals: its last tick failed: the source is away"})
    other = here.as_user("vera").get("/api/v1/health")
    assert "sales" not in other.text
    assert other.status_code == 503


def test_a_tick_that_met_no_code_server_counts_until_the_code_is_loaded_again(here: Hosted, client: TestClient) -> None:
    beat(here)
    away = SerializableErrorInfo("Unable to reach the user code server", [], "DagsterUserCodeUnreachableError")
    tick_fails(here, away)
    assert told(client) == (
        503,
        {"sensors": "sales_arrivals: its last tick failed: Unable to reach the user code server"},
    )
    [name] = here.host.process.get_current_workspace().code_location_entries
    here.host.process.refresh_code_location(name)  # as Dagster does when another server answers
    time.sleep(2.1)  # an answer is good for two seconds
    assert told(client) == (200, {})
