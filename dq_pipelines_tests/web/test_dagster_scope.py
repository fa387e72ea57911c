"""Dagster's buttons and mutations for users with a scope: by team and by domain."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient

from dq_pipelines.security.roles import Grant, Role
from dq_pipelines_tests.web.conftest import GOLD, SALES, SHOPS, build
from dq_pipelines_tests.web.hosting import LAUNCH, Hosted, hosting
from dq_pipelines_tests.workshop import Workshop

pytestmark = pytest.mark.slow

_LOOKS = Grant(Role.VIEWER)
USERS = {
    "tina": [_LOOKS, Grant(Role.OPERATOR, "team:sales")],
    "dora": [_LOOKS, Grant(Role.OPERATOR, "domain:planning")],
    "stan": [_LOOKS, Grant(Role.STEWARD, "team:sales")],
    "sue": [Grant(Role.OPERATOR, "team:sales")],
    "otto": [Grant(Role.OPERATOR)],
}
MINE = {"tina": {"sales"}, "dora": {"plan"}, "stan": set(), "otto": {"sales", "shops", "by_shop", "plan"}}
REPOSITORY = '{repositoryName: "__repository__", repositoryLocationName: "dq_pipelines"}'


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hosted]:
    shop = build(tmp_path_factory.mktemp("scope"))
    shop.table("sales", f"owners: [team:sales]\non_arrival: true\n{SALES}")
    shop.table("shops", f"schedule: '0 2 * * *'\n{SHOPS}")
    shop.table("by_shop", f"owners: [team:other]\n{GOLD}")
    shop.table("plan", f"on_arrival: true\nschedule: '0 3 * * *'\n{SHOPS}", domain="planning")
    shop.land("plan/a.csv", "shop\nnorth\n")
    with hosting(Workshop(shop.root), USERS) as made:
        yield made


def launch(here: Hosted, name: str, *keys: str, **more: Any) -> dict[str, Any]:
    found: dict[str, Any] = here.asked(name, LAUNCH, here.launching(*keys, **more))["data"]["launchRun"]
    return found


@pytest.mark.parametrize("name", MINE)
def test_the_buttons_of_assets_are_by_table(here: Hosted, name: str) -> None:
    nodes = here.asked(name, "{ assetNodes { assetKey { path } hasMaterializePermission hasWipePermission } }")["data"]
    found = {one["assetKey"]["path"][1] for one in nodes["assetNodes"] if one["hasMaterializePermission"]}
    assert found == MINE[name]
    assert not any(one["hasWipePermission"] for one in nodes["assetNodes"])
    query = f"{{ repositoryOrError(repositorySelector: {REPOSITORY}) {{ ... on Repository {{ assetManifest }} }} }}"
    manifest = here.asked(name, query)["data"]["repositoryOrError"]["assetManifest"]
    assert {one["assetKey"]["path"][1] for one in manifest if one["hasMaterializePermission"]} == MINE[name]


@pytest.mark.parametrize(
    ("name", "jobs", "instigators"),
    [
        ("tina", {"checks__sales"}, {"sales_arrivals"}),
        ("dora", {"checks__plan", "domain__planning"}, {"plan_arrivals", "plan_schedule"}),
        ("stan", {"quarantine_replay"}, set()),
    ],
)
def test_the_buttons_of_jobs_and_schedules_are_by_their_tables(
    here: Hosted, name: str, jobs: set[str], instigators: set[str]
) -> None:
    query = f"""{{ repositoryOrError(repositorySelector: {REPOSITORY}) {{ ... on Repository {{
      jobs {{ name hasLaunchExecutionPermission hasLaunchReexecutionPermission }}
      sensors {{ name sensorState {{ hasStartPermission hasStopPermission }} hasCursorUpdatePermissions }}
      schedules {{ name scheduleState {{ hasStartPermission hasStopPermission }} }} }} }} }}"""
    found = here.asked(name, query)["data"]["repositoryOrError"]
    named = [one for one in found["jobs"] if not one["name"].startswith("__")]
    assert {one["name"] for one in named if one["hasLaunchExecutionPermission"]} == jobs
    assert {one["name"] for one in named if one["hasLaunchReexecutionPermission"]} == jobs
    for may in ("hasStartPermission", "hasStopPermission"):
        states = {
            one["name"]: one.get("sensorState") or one["scheduleState"]
            for one in (*found["sensors"], *found["schedules"])
        }
        assert {each for each, state in states.items() if state[may]} == instigators
    assert {one["name"] for one in found["sensors"] if one["hasCursorUpdatePermissions"]} == {
        each for each in instigators if each.endswith("arrivals")
    }


def test_a_launch_is_limited_to_the_callers_tables(here: Hosted) -> None:
    for keys in (("silver/shops",), ("silver/sales", "silver/shops"), ("gold/by_shop",)):
        refused = launch(here, "tina", *keys)
        assert refused["__typename"] == "UnauthorizedError", keys
        assert "; you are operator of team:sales, viewer" in refused["message"]
    for job in ("domain__shop", "checks__shops", "upkeep", "quarantine_replay", "quarantine_export"):
        assert launch(here, "tina", job=job)["__typename"] == "UnauthorizedError", job
    assert launch(here, "tina")["__typename"] == "UnauthorizedError", "everything"
    done = launch(here, "tina", "silver/sales")
    assert done["__typename"] == "LaunchRunSuccess", done
    assert here.ended(done["run"]["runId"]).tags["dq/user"] == "tina"
    assert here.heard("launch")[0].result == "done"
    # Another's run is not for her to cancel, nor to run again.
    stop = """mutation Stop($id: String!) { terminateRun(runId: $id) { __typename
      ... on TerminateRunFailure { message } ... on Error { message } } }"""
    other = launch(here, "dora", job="checks__plan")["run"]["runId"]
    assert "to cancel runs" in here.asked("tina", stop, {"id": other})["data"]["terminateRun"]["message"]
    assert (here.heard("cancel")[0].who, here.heard("cancel")[0].result) == ("tina", "refused")
    here.ended(other)


def test_a_steward_replays_a_table_in_scope(here: Hosted) -> None:
    def replay(table: str, config: str | None = None) -> dict[str, Any]:
        ops = f"ops: {{quarantine_replay_rows: {{config: {{table: {table}, dry_run: true}}}}}}"
        return launch(here, "stan", job="quarantine_replay", runConfigData=config or ops)

    assert "be steward or admin of silver/shops" in replay("shops")["message"]
    for config in ("{}", "ops: {quarantine_replay_rows: {config: {table: [sales]}}}", "ops: [}"):
        assert (
            replay("", config)["message"]
            == "quarantine_replay: wanted a table of the project in its configuration, found ''"
        )
    done = replay("sales")
    assert done["__typename"] == "LaunchRunSuccess", done
    assert here.ended(done["run"]["runId"]).tags["dq/user"] == "stan"


def test_sensors_and_schedules_are_switched_by_their_tables_scope(here: Hosted) -> None:
    listed = f"""{{ repositoryOrError(repositorySelector: {REPOSITORY}) {{ ... on Repository {{
      sensors {{ name sensorState {{ id }} }} schedules {{ name scheduleState {{ id }} }} }} }} }}"""
    found = here.asked("otto", listed)["data"]["repositoryOrError"]
    ids = {
        one["name"]: (one.get("sensorState") or one["scheduleState"])["id"]
        for one in (*found["sensors"], *found["schedules"])
    }
    stop_sensor = "mutation S($id: String!) { stopSensor(id: $id) { __typename ... on Error { message } } }"
    stop_schedule = "mutation S($id: String!) { stopRunningSchedule(id: $id) { __typename ... on Error { message } } }"

    def stopped(name: str, one: str) -> str:
        query = stop_sensor if one.endswith("arrivals") else stop_schedule
        data = here.asked(name, query, {"id": ids[one]})["data"]
        return str(next(iter(data.values()))["__typename"])

    assert stopped("dora", "sales_arrivals") == stopped("tina", "plan_arrivals") == "UnauthorizedError"
    assert stopped("dora", "shops_schedule") == stopped("dora", "upkeep_schedule") == "UnauthorizedError"
    assert here.heard("schedule.off")[0].on == "upkeep_schedule"
    assert stopped("dora", "plan_arrivals") == "StopSensorMutationResult"
    assert stopped("tina", "sales_arrivals") == "StopSensorMutationResult"
    assert stopped("dora", "plan_schedule") == "ScheduleStateResult"
    assert [(one.who, one.on, one.result) for one in here.heard("sensor.off")[:2]] == [
        ("tina", "sales_arrivals", "done"),
        ("dora", "plan_arrivals", "done"),
    ]


def test_users_with_a_scope_are_led_to_the_dashboard(here: Hosted) -> None:
    client: TestClient = here.as_user("sue")
    first = client.get("/", headers={"accept": "text/html"}, follow_redirects=False)
    assert (first.status_code, first.headers["location"]) == (303, "/dashboard/")
    page = client.get("/assets", headers={"accept": "text/html"})
    assert page.status_code == 403
    assert 'those of team:sales. They are on <a href="/dashboard/">the dashboard</a>' in page.text
    for path in ("/graphql?query={version}", "/logs/x/y.err", "/server_info", "/assets/silver/sales", "/favicon.png"):
        answer = client.get(path)
        assert (answer.status_code, answer.json()["error"][:42]) == (
            403,
            "Dagster's pages show every table, and you ",
        ), path
    assert client.post("/graphql", json={"query": "{ version }"}).status_code == 403
    assert client.get("/dashboard/", headers={"accept": "text/html"}).status_code == 200
