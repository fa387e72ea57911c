"""Requests to Dagster's GraphQL over HTTP and WebSocket: allowed forms, size limits, and requests of other sites."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from graphql import GraphQLError
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from dq_pipelines.security.roles import Grant, Role
from dq_pipelines.web.app import application
from dq_pipelines.web.dagster_client import query_limits
from dq_pipelines.web.dagster_client.query_limits import document_of
from dq_pipelines_tests.web.conftest import build, site_of
from dq_pipelines_tests.web.hosting import OWN, Hosted, hosting
from dq_pipelines_tests.web.test_dagster_mutations import CHANGE, VERSION, launch
from dq_pipelines_tests.workshop import Workshop

pytestmark = pytest.mark.slow

USERS = {"vera": [Grant(Role.VIEWER)], "otto": [Grant(Role.OPERATOR)], "adam": [Grant(Role.ADMIN)]}


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hosted]:
    with hosting(build(tmp_path_factory.mktemp("requests")), USERS) as made:
        yield made


@pytest.fixture(scope="module")
def adam(here: Hosted) -> TestClient:
    return here.as_user("adam")


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
def test_requests_that_other_sites_can_send_are_refused(adam: TestClient, kind: str) -> None:
    answer = adam.post("/graphql", content=json.dumps({"query": CHANGE}), headers={"content-type": kind})
    assert answer.status_code == 415
    assert answer.json()["errors"][0]["message"].startswith("wanted a body of application/json, got ")
    assert adam.post(f"/graphql?query={CHANGE}", headers={"content-type": kind}).status_code == 415


def test_a_query_that_takes_too_long_is_answered_in_one_sentence(
    adam: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DQ_GRAPHQL_SECONDS", "0.000001")
    answer = adam.post("/graphql", json={"query": VERSION})
    assert (answer.status_code, answer.json()["data"]) == (504, None)
    (error,) = answer.json()["errors"]
    assert "seconds (DQ_GRAPHQL_SECONDS), got a longer one" in error["message"]
    monkeypatch.delenv("DQ_GRAPHQL_SECONDS")
    assert adam.post("/graphql", json={"query": VERSION}).json()["data"]["version"]


@pytest.mark.parametrize("headers", [{"sec-fetch-site": "cross-site"}, {"sec-fetch-site": "same-site"}])
def test_another_sites_page_changes_nothing_with_a_users_cookie(adam: TestClient, headers: dict[str, str]) -> None:
    assert adam.post("/graphql", json={"query": CHANGE}, headers=headers).status_code == 403


@pytest.mark.parametrize(
    "body", [b"[]", b'[{"query": "{version}"}]', b'"x"', b"{", b"[" * 100_000, b'{"query": 7}', b'{"query": "{version}", "variables": []}', b'{"query": "{version}", "operationName": 3}', b'{"query": "{nosuch}"}', b'{"query": "{"}', b"\xff"]
)  # fmt: skip
def test_a_body_that_is_no_request_is_told_so(adam: TestClient, body: bytes) -> None:
    answer = adam.post("/graphql", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["message"]


def test_introspection_is_for_admins(here: Hosted, adam: TestClient) -> None:
    query = "{ ...x } fragment x on Query { a: __schema { mutationType { fields { name } } } }"
    assert adam.post("/graphql", json={"query": query}).status_code == 200
    otto = here.as_user("otto")
    assert otto.post("/graphql", json={"query": query}).status_code == 403
    assert otto.post("/graphql", json={"query": '{ __type(name: "Mutation") { name } }'}).status_code == 403
    assert otto.post("/graphql", json={"query": "{ version __typename }"}).status_code == 200


def test_the_instance_configuration_is_for_admins(here: Hosted) -> None:
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
def test_an_oversized_query_is_refused_before_validation(adam: TestClient, name: str) -> None:
    with pytest.raises(GraphQLError) as refused:
        document_of(BOMBS[name])
    answer = adam.post("/graphql", json={"query": BOMBS[name]})
    assert (answer.status_code, answer.json()["errors"][0]["message"]) == (400, refused.value.message)


def test_cyclic_fragments_are_refused(adam: TestClient) -> None:
    query = "{ ...a } fragment a on Query { version ...b } fragment b on Query { ...a }"
    assert adam.post("/graphql", json={"query": query}).status_code == 400


def test_brackets_in_a_text_count_too_but_a_plain_query_is_far_below() -> None:
    assert query_limits.MOST_NESTED > 40
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


def test_another_sites_page_cannot_subscribe_with_a_users_cookie(adam: TestClient) -> None:
    for headers in ({"origin": "http://evil.example"}, {"origin": "http://localhost:9"}, {"origin": "null"}):
        adam.headers.pop("sec-fetch-site", None)
        with pytest.raises(WebSocketDisconnect) as ended, adam.websocket_connect(SOCKET, headers=headers):
            pass
        assert (ended.value.code, ended.value.reason) == (1008, "wanted a request from a page of this site")
    adam.headers.update(OWN)


@pytest.mark.parametrize(
    ("query", "said"),
    [
        (CHANGE, "wanted a subscription: queries and mutations are sent by POST"),
        (VERSION, "wanted a subscription: queries and mutations are sent by POST"),
        (f"{WATCH.replace('subscription', 'subscription a')} mutation b {{ setNuxSeen }}", "wanted a subscription"),
        ("subscription { nosuch }", "Cannot query field 'nosuch' on type 'Subscription'."),
        (BOMBS["deep"], "wanted a query with brackets nested at most 60 deep, got 70"),
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


def test_a_socket_with_invalid_messages_is_closed(adam: TestClient) -> None:
    with adam.websocket_connect(SOCKET) as socket:
        socket.send_json([1, 2])
        assert socket.receive() == {"type": "websocket.close", "code": 1003, "reason": "wanted messages of graphql-ws"}


def test_another_sites_page_cannot_listen_while_there_are_no_users(here: Hosted, tmp_path: Path) -> None:
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
