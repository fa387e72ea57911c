"""What changes something through Dagster's GraphQL: by whom, noted how, and the ways round that are closed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from graphql import GraphQLError
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from dq_pipelines.security.roles import Grant, Role
from dq_pipelines.web.app import application
from dq_pipelines.web.dagster_ui import limits
from dq_pipelines.web.dagster_ui.gating import guard_mutations
from dq_pipelines.web.dagster_ui.limits import document_of
from dq_pipelines.web.dagster_ui.mutations import MUTATIONS
from dq_pipelines_tests.web.conftest import build, site_of
from dq_pipelines_tests.web.hosting import LAUNCH, OWN, Hosted, hosting
from dq_pipelines_tests.workshop import Workshop

USERS = {
    "vera": [Grant(Role.VIEWER)],
    "stella": [Grant(Role.STEWARD)],
    "otto": [Grant(Role.OPERATOR)],
    "adam": [Grant(Role.ADMIN)],
}
VERSION = "{ version }"
CHANGE = "mutation { reloadWorkspace { __typename } }"


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hosted]:
    with hosting(build(tmp_path_factory.mktemp("gate")), USERS) as made:
        yield made


@pytest.fixture(scope="module")
def adam(here: Hosted) -> TestClient:
    return here.as_user("adam")


def launch(here: Hosted, name: str, variables: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = here.asked(name, LAUNCH, variables)["data"]["launchRun"]
    return found


# --- who, and what is written down --------------------------------------------------------------------


def test_a_launch_carries_its_caller_and_nobody_poses_as_another(here: Hosted) -> None:
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


def test_what_is_asked_in_somebodys_name_goes_the_same_way(here: Hosted) -> None:
    from dq_pipelines.security.users import Users
    from dq_pipelines.web.access import Caller

    otto = Caller(Users(here.shop.history.url).named("otto"), source="10.0.0.7")
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
    assert said.startswith("to see to users, keys and the audit log")


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
def test_a_job_takes_what_it_does(here: Hosted, job: str, may: set[str]) -> None:
    """Refused rows are the steward's to mend, so that launching that job is no materialization; files are the admin's."""
    asked = f"""{{ pipelineOrError(params: {{pipelineName: "{job}", repositoryName: "__repository__",
      repositoryLocationName: "dq_pipelines"}}) {{ ... on Pipeline {{ hasLaunchExecutionPermission }} }} }}"""
    said = {
        name for name in USERS if here.asked(name, asked)["data"]["pipelineOrError"]["hasLaunchExecutionPermission"]
    }
    assert said == may
    for name in {"otto", "stella", "vera"} - may:
        assert launch(here, name, here.launching(job=job))["__typename"] == "UnauthorizedError"


def test_how_a_process_is_started_is_not_the_operators_to_say(here: Hosted) -> None:
    tags = [{"key": "dagster-k8s/config", "value": '{"container_config": {"command": ["sh"]}}'}]
    refused = launch(here, "otto", here.launching("silver/shops", executionMetadata={"tags": tags}))
    assert refused["message"] == (
        "the tag 'dagster-k8s/config' says how a run's process is started: be admin, or leave it out"
    )


def test_a_mutation_that_nobody_has_named_is_refused_to_everybody(
    here: Hosted, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dagster_graphql.schema import create_schema

    known = dict(MUTATIONS)
    del known["reloadWorkspace"]
    monkeypatch.setattr("dq_pipelines.web.dagster_ui.gating.MUTATIONS", known)
    made = create_schema()
    guard_mutations(made.graphql_schema)
    monkeypatch.setattr(here.host.server, "_graphene_schema", made)
    found = here.asked("adam", "mutation { reloadWorkspace { __typename ... on Error { message } } }")["data"][
        "reloadWorkspace"
    ]
    assert found["message"] == "nobody may reloadWorkspace by this gateway, which does not know what it is"
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
def test_neither_alias_nor_fragment_goes_round(here: Hosted, query: str) -> None:
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
    assert "got those of two: upkeep_schedule and another" in found["message"]


# --- how it is sent -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "query",
    [
        CHANGE,
        f"query a {VERSION} mutation b {{ setNuxSeen }}",
        "subscription { locationStateChangeEvents { __typename } }",
    ],
)
def test_nothing_changes_by_get(adam: TestClient, here: Hosted, query: str) -> None:
    before = len(here.heard("reload"))
    answer = adam.get("/graphql", params={"query": query, "operationName": "b" if "query a" in query else None})
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
    assert answer.json()["errors"][0]["message"].startswith("wanted a query")
    assert len(here.heard("reload")) == before
    assert adam.get("/graphql", params={"query": VERSION}).json()["data"]["version"]


@pytest.mark.parametrize(
    "kind",
    ["text/plain", "text/plain; x=application/json", "application/graphql", "application/x-www-form-urlencoded", ""],
)
def test_what_forms_and_pages_elsewhere_can_send_is_refused(adam: TestClient, kind: str) -> None:
    answer = adam.post("/graphql", content=json.dumps({"query": CHANGE}), headers={"content-type": kind})
    assert answer.status_code == 415
    assert answer.json()["errors"][0]["message"].startswith("wanted a body of application/json, got ")
    assert adam.post(f"/graphql?query={CHANGE}", headers={"content-type": kind}).status_code == 415


@pytest.mark.parametrize("headers", [{"sec-fetch-site": "cross-site"}, {"sec-fetch-site": "same-site"}])
def test_a_page_elsewhere_changes_nothing_with_ones_cookie(adam: TestClient, headers: dict[str, str]) -> None:
    assert adam.post("/graphql", json={"query": CHANGE}, headers=headers).status_code == 403


@pytest.mark.parametrize(
    "body", [b"[]", b'[{"query": "{version}"}]', b'"x"', b"{", b"[" * 100_000, b'{"query": 7}', b'{"query": "{version}", "variables": []}', b'{"query": "{version}", "operationName": 3}', b'{"query": "{nosuch}"}', b'{"query": "{"}', b"\xff"]
)  # fmt: skip
def test_a_body_that_is_no_request_is_told_so(adam: TestClient, body: bytes) -> None:
    answer = adam.post("/graphql", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["message"]


def test_what_can_be_asked_is_told_to_admins(here: Hosted, adam: TestClient) -> None:
    query = "{ ...x } fragment x on Query { a: __schema { mutationType { fields { name } } } }"
    assert adam.post("/graphql", json={"query": query}).status_code == 200
    otto = here.as_user("otto")
    assert otto.post("/graphql", json={"query": query}).status_code == 403
    assert otto.post("/graphql", json={"query": '{ __type(name: "Mutation") { name } }'}).status_code == 403
    assert otto.post("/graphql", json={"query": "{ version __typename }"}).status_code == 200


def test_the_configuration_of_the_instance_is_told_to_admins(here: Hosted) -> None:
    assert here.asked("otto", "{ instance { info } }")["data"]["instance"]["info"] is None
    assert "run_storage" in here.asked("adam", "{ instance { info } }")["data"]["instance"]["info"]


# --- how much -----------------------------------------------------------------------------------------

_DOUBLING = "".join(f"fragment f{n} on Query {{ ...f{n + 1} ...f{n + 1} }} " for n in range(40))
BOMBS = {
    "deep": "{a" * 70 + "}" * 70,
    "wide": "{" + " ".join(f"a{n}: version" for n in range(200)) + "}",
    "long": "{" + "version " * 9_000 + "}",
    "doubling fragments": "{ ...f0 } " + _DOUBLING + "fragment f40 on Query { version }",
    "deep by fragments": "{ ...d0 } "
    + "".join(f"fragment d{n} on Query {{ a {{ b {{ ...d{n + 1} }} }} }} " for n in range(30))
    + "fragment d30 on Query { version }",
    "many changes": "mutation {" + " ".join(f"a{n}: setNuxSeen" for n in range(30)) + "}",
    "many changes in fragments": "mutation { ...m ...n } fragment m on Mutation {"
    + " ".join(f"a{n}: setNuxSeen" for n in range(15))
    + "} fragment n on Mutation {"
    + " ".join(f"b{n}: setNuxSeen" for n in range(15))
    + "}",
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_refused_before_it_is_looked_into(adam: TestClient, name: str) -> None:
    with pytest.raises(GraphQLError):
        document_of(BOMBS[name])
    answer = adam.post("/graphql", json={"query": BOMBS[name]})
    assert answer.status_code == 400
    assert answer.elapsed.total_seconds() < 2


def test_fragments_that_lead_to_themselves_end(adam: TestClient) -> None:
    query = "{ ...a } fragment a on Query { version ...b } fragment b on Query { ...a }"
    assert adam.post("/graphql", json={"query": query}).status_code == 400


def test_brackets_in_a_text_count_too_but_a_plain_query_is_far_below() -> None:
    assert limits.MOST_NESTED > 40
    document_of('{ runOrError(runId: "{{{{") { __typename } }')


# --- over WebSocket -----------------------------------------------------------------------------------

SOCKET = "ws://localhost:3001/graphql"
WATCH = "subscription { locationStateChangeEvents { event { message } } }"


def test_nobody_subscribes_without_logging_in(here: Hosted) -> None:
    with (
        pytest.raises(WebSocketDisconnect) as ended,
        here.client().websocket_connect(SOCKET, subprotocols=["graphql-ws"]),
    ):
        pass
    assert ended.value.code == 1008


def test_a_page_elsewhere_does_not_subscribe_with_ones_cookie(adam: TestClient) -> None:
    for headers in ({"origin": "http://evil.example"}, {"origin": "http://localhost:9"}, {"origin": "null"}):
        adam.headers.pop("sec-fetch-site", None)
        with pytest.raises(WebSocketDisconnect) as ended, adam.websocket_connect(SOCKET, headers=headers):
            pass
        assert (ended.value.code, ended.value.reason) == (1008, "wanted a request from this site's own pages")
    adam.headers.update(OWN)


@pytest.mark.parametrize(
    ("query", "said"),
    [
        (CHANGE, "wanted a subscription: everything else is asked by POST"),
        (VERSION, "wanted a subscription: everything else is asked by POST"),
        (f"{WATCH.replace('subscription', 'subscription a')} mutation b {{ setNuxSeen }}", "wanted a subscription"),
        ("subscription { nosuch }", "Cannot query field 'nosuch' on type 'Subscription'."),
        (BOMBS["deep"], "wanted a query of at most 60 brackets within brackets, got 70"),
    ],
)
def test_a_socket_is_for_subscriptions(adam: TestClient, here: Hosted, query: str, said: str) -> None:
    before = len(here.heard("reload"))
    with adam.websocket_connect(SOCKET, headers={"origin": "http://localhost:3001"}) as socket:
        socket.send_json({"type": "connection_init"})
        assert socket.receive_json() == {"type": "connection_ack"}
        socket.send_json({"type": "start", "id": "1", "payload": {"query": query}})
        answer = socket.receive_json()
    assert (answer["type"], answer["payload"]["message"][: len(said)]) == ("error", said)
    assert len(here.heard("reload")) == before


def test_a_subscription_tells_of_a_run(here: Hosted) -> None:
    done = launch(here, "otto", here.launching(job="checks__shops"))
    here.ended(done["run"]["runId"])
    query = """subscription Logs($id: ID!) { pipelineRunLogs(runId: $id) {
      ... on PipelineRunLogsSubscriptionSuccess { messages { __typename } } } }"""
    with here.as_user("vera").websocket_connect(SOCKET, headers={"origin": "http://localhost:3001"}) as socket:
        socket.send_json(
            {"type": "start", "id": "1", "payload": {"query": query, "variables": {"id": done["run"]["runId"]}}}
        )
        messages = socket.receive_json()["payload"]["data"]["pipelineRunLogs"]["messages"]
        socket.send_json({"type": "stop", "id": "1"})
    assert {"RunStartEvent", "RunSuccessEvent"} <= {one["__typename"] for one in messages}


def test_a_socket_that_says_nonsense_is_closed(adam: TestClient) -> None:
    with adam.websocket_connect(SOCKET) as socket:
        socket.send_json([1, 2])
        assert socket.receive() == {"type": "websocket.close", "code": 1003, "reason": "wanted messages of graphql-ws"}


def test_a_page_elsewhere_does_not_listen_where_nobody_logs_in_yet(here: Hosted, tmp_path: Path) -> None:
    """As long as there are no users there is no cookie to miss, and a browser may open a WebSocket to any site."""
    client = TestClient(application(site_of(Workshop(tmp_path)), here.host), base_url="http://localhost:3001")
    for origin in ("http://evil.example", "http://localhost:9000", "null"):
        with pytest.raises(WebSocketDisconnect) as ended, client.websocket_connect(SOCKET, headers={"origin": origin}):
            pass
        assert (ended.value.code, ended.value.reason) == (1008, "wanted a page of this site")
    with client.websocket_connect(SOCKET, headers={"origin": "http://localhost:3001"}) as socket:
        socket.send_json({"type": "connection_init"})
        assert socket.receive_json() == {"type": "connection_ack"}
    assert client.post("/graphql", json={"query": CHANGE}).json()["data"]["reloadWorkspace"] == {
        "__typename": "UnauthorizedError"
    }
