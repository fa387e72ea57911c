"""Mutations of Dagster's GraphQL: permissions, the audit log, and attempts to bypass both."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient

from dq_pipelines.security.roles import Grant, Role
from dq_pipelines.web.dagster_client.mutation_guards import guard_mutations
from dq_pipelines.web.dagster_client.mutations import MUTATIONS
from dq_pipelines_tests.web.conftest import build
from dq_pipelines_tests.web.hosting import LAUNCH, Hosted, hosting

pytestmark = pytest.mark.slow

USERS = {
    "vera": [Grant(Role.VIEWER)],
    "stella": [Grant(Role.STEWARD)],
    "otto": [Grant(Role.OPERATOR)],
    "adam": [Grant(Role.ADMIN)],
}
DAYS = """
source: {type: csv, path: "{landing}/days/*.csv"}
partitions: {type: daily, start: 2024-01-01}
"""
VERSION = "{ version }"
CHANGE = "mutation { reloadWorkspace { __typename } }"


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hosted]:
    shop = build(tmp_path_factory.mktemp("gate"))
    shop.table("days", DAYS)
    shop.land("days/2024-01-01.csv", "id\n1\n")
    with hosting(shop, USERS) as made:
        yield made


@pytest.fixture(scope="module")
def adam(here: Hosted) -> TestClient:
    return here.as_user("adam")


def launch(here: Hosted, name: str, variables: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = here.asked(name, LAUNCH, variables)["data"]["launchRun"]
    return found


# --- who, and what is written down --------------------------------------------------------------------


def test_a_launch_has_its_callers_name_which_cannot_be_forged(here: Hosted) -> None:
    tags = [{"key": "dq/user", "value": "adam"}, {"key": "why", "value": "a test"}]
    done = launch(here, "otto", here.launching("silver/shops", executionMetadata={"tags": tags}))
    run = here.ended(done["run"]["runId"])
    assert (run.tags["dq/user"], run.tags["why"]) == ("otto", "a test")
    line = here.heard("launch")[0]
    assert (line.who, line.on, line.result, line.source) == ("otto", "silver/shops", "done", "testclient")
    assert line.more == {"run": run.run_id}

    again = """mutation Again($id: String!) { launchRunReexecution(reexecutionParams: {
      parentRunId: $id, strategy: ALL_STEPS, extraTags: [{key: "dq/user", value: "otto"}]}) {
      __typename ... on LaunchRunSuccess { run { runId } } } }"""
    done = here.asked("adam", again, {"id": run.run_id})["data"]["launchRunReexecution"]
    assert here.ended(done["run"]["runId"]).tags["dq/user"] == "adam"
    assert (here.heard("launch.again")[0].who, here.heard("launch.again")[0].on) == ("adam", run.run_id)


def test_internal_queries_in_a_callers_name_are_checked_too(here: Hosted) -> None:
    from dq_pipelines.security.users import Users
    from dq_pipelines.web.auth.access import Caller

    otto = Caller(Users(here.shop.state.url).named("otto"), source="10.0.0.7")
    done = here.host.ask(otto, LAUNCH, here.launching(job="checks__shops"))["launchRun"]
    assert here.ended(done["run"]["runId"]).tags["dq/user"] == "otto"
    assert (here.heard("launch")[0].on, here.heard("launch")[0].source) == ("checks__shops", "10.0.0.7")


def test_a_refusal_says_why_and_is_noted(here: Hosted) -> None:
    refused = launch(here, "vera", here.launching("silver/shops"))
    why = "to materialize, run checks, backfill, and run again, be operator or admin of every table; you are viewer"
    assert refused == {"__typename": "UnauthorizedError", "message": why}
    line = here.heard("launch")[0]
    assert (line.who, line.result, line.more) == ("vera", "refused", {"why": why})
    # Where the answer has no place for a refusal, it is an error.
    said = here.asked("otto", 'mutation { setConcurrencyLimit(concurrencyKey: "x", limit: 1) }')["errors"][0]["message"]
    assert said.startswith("to manage users, keys, the audit log")


def test_a_launch_that_cannot_be_is_noted_as_failed(here: Hosted) -> None:
    wrong = launch(here, "otto", here.launching(job="nosuch"))
    assert wrong["__typename"] in ("PipelineNotFoundError", "PythonError")
    assert (here.heard("launch")[0].on, here.heard("launch")[0].result) == ("nosuch", "failed")


def test_each_of_many_is_noted(here: Hosted) -> None:
    query = """mutation Many($params: [ExecutionParams!]!) { launchMultipleRuns(executionParamsList: $params) {
      ... on LaunchMultipleRunsResult { launchMultipleRunsResult { __typename ... on LaunchRunSuccess { run { runId } } } } } }"""
    params = [here.launching(job="checks__shops")["params"], here.launching(job="quarantine_export")["params"]]
    found = here.asked("otto", query, {"params": params})["data"]["launchMultipleRuns"]["launchMultipleRunsResult"]
    assert [one["__typename"] for one in found] == ["LaunchRunSuccess", "UnauthorizedError"]
    assert here.ended(found[0]["run"]["runId"]).tags["dq/user"] == "otto"
    assert [(one.on, one.result) for one in here.heard("launch")[:2]] == [
        ("quarantine_export", "refused"),
        ("checks__shops", "done"),
    ]


@pytest.mark.parametrize(
    ("job", "may"),
    [("quarantine_replay", {"stella", "adam"}), ("quarantine_export", {"adam"}), ("upkeep", {"otto", "adam"})],
)
def test_a_job_needs_the_permission_for_what_it_does(here: Hosted, job: str, may: set[str]) -> None:
    """Refused rows are the steward's to mend, so that launching that job is no materialization; files are the admin's."""
    asked = f"""{{ pipelineOrError(params: {{pipelineName: "{job}", repositoryName: "__repository__",
      repositoryLocationName: "dq_pipelines"}}) {{ ... on Pipeline {{ hasLaunchExecutionPermission }} }} }}"""
    said = {
        name for name in USERS if here.asked(name, asked)["data"]["pipelineOrError"]["hasLaunchExecutionPermission"]
    }
    assert said == may
    for name in {"otto", "stella", "vera"} - may:
        assert launch(here, name, here.launching(job=job))["__typename"] == "UnauthorizedError"


def test_operators_cannot_set_how_a_process_is_started(here: Hosted) -> None:
    tags = [{"key": "dagster-k8s/config", "value": '{"container_config": {"command": ["sh"]}}'}]
    refused = launch(here, "otto", here.launching("silver/shops", executionMetadata={"tags": tags}))
    assert refused["message"] == (
        "the tag 'dagster-k8s/config' sets how a run's process is started: only admins may set it"
    )


def over(here: Hosted, first: str, last: str, *keys: str, job: str = "__ASSET_JOB") -> dict[str, Any]:
    ends = {"dagster/asset_partition_range_start": first, "dagster/asset_partition_range_end": last}
    tags = [{"key": key, "value": value} for key, value in ends.items()]
    return here.launching(*keys, job=job, executionMetadata={"tags": tags})


def test_a_range_that_no_table_has_is_refused_before_dagster_plans_it(here: Hosted) -> None:
    runs = here.host.instance.get_runs_count()
    for asked in (
        over(here, "2024-01-01", "2054-01-01", "bronze/days", "silver/days"),
        over(here, "2024-01-01", "2054-01-01", job="table__days"),
    ):
        refused = launch(here, "otto", asked)
        assert refused["__typename"] == "UnauthorizedError"
        said = "silver/days runs by partition: got 2024-01-01...2054-01-01, and it has no partition '2054-01-01' (wanted 2024-01-01..."
        assert refused["message"].startswith(said)
        assert here.heard("launch")[0].result == "refused"
    assert here.host.instance.get_runs_count() == runs
    # Who may not run the table is told no more than that.
    assert "2054" not in launch(here, "vera", over(here, "2024-01-01", "2054-01-01", "silver/days"))["message"]
    done = launch(here, "otto", over(here, "2024-01-01", "2024-01-02", "bronze/days", "silver/days", "quarantine/days"))
    assert here.ended(done["run"]["runId"]).is_success


def test_an_unknown_mutation_is_refused_to_everybody(here: Hosted, monkeypatch: pytest.MonkeyPatch) -> None:
    from dagster_graphql.schema import create_schema

    known = dict(MUTATIONS)
    del known["reloadWorkspace"]
    monkeypatch.setattr("dq_pipelines.web.dagster_client.mutation_guards.MUTATIONS", known)
    made = create_schema()
    guard_mutations(made.graphql_schema)
    monkeypatch.setattr(here.host.server, "_graphene_schema", made)
    found = here.asked("adam", "mutation { reloadWorkspace { __typename ... on Error { message } } }")["data"][
        "reloadWorkspace"
    ]
    assert found["message"] == "reloadWorkspace is not allowed: this gateway does not know the mutation"
    assert here.heard("reloadWorkspace")[0].result == "refused"


# --- ways round ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "query",
    [
        "mutation { harmless: reloadWorkspace { __typename } version2: reloadWorkspace { __typename } }",
        "mutation { ...more } fragment more on Mutation { reloadWorkspace { __typename } }",
        "mutation { ... on Mutation { x: reloadWorkspace { __typename } } }",
        "mutation { ... @include(if: true) { reloadWorkspace { __typename } } }",
    ],
)
def test_aliases_and_fragments_do_not_bypass_the_guard(here: Hosted, query: str) -> None:
    before = len(here.heard("reload"))
    data = here.asked("otto", query)["data"]
    assert {one["__typename"] for one in data.values()} == {"UnauthorizedError"}
    assert len(here.heard("reload")) == before + len(data)


@pytest.mark.parametrize("name", ["otto", "adam"])
def test_ids_of_two_schedules_stop_none(here: Hosted, name: str) -> None:
    """Dagster asks whether one may stop the schedule of the one id, and stops that of the other."""
    listed = """{ schedulesOrError(repositorySelector: {repositoryName: "__repository__",
      repositoryLocationName: "dq_pipelines"}) { ... on Schedules { results { name scheduleState { id status } } } } }"""
    results = here.asked("adam", listed)["data"]["schedulesOrError"]["results"]
    origin = results[0]["scheduleState"]["id"].partition(":")[0]
    query = """mutation Stop($origin: String!, $selector: String!) {
      stopRunningSchedule(scheduleOriginId: $origin, scheduleSelectorId: $selector) { __typename ... on Error { message } } }"""
    found = here.asked(name, query, {"origin": origin, "selector": "of-another"})["data"]["stopRunningSchedule"]
    assert found["__typename"] == "UnauthorizedError"
    assert "got those of two: purge_runs_schedule and another" in found["message"]
