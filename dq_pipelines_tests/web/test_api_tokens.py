"""`/api/v1/auth`: programs log in, renew and end their login; invalid requests are refused."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from dq_pipelines.security.audit import AuditLog
from dq_pipelines.security.roles import Grant, Role
from dq_pipelines.security.users import Users
from dq_pipelines.web.app import application
from dq_pipelines_tests.web.conftest import site_of
from dq_pipelines_tests.web.hosting import PASSWORD
from dq_pipelines_tests.workshop import Workshop

pytestmark = pytest.mark.slow

TOKEN, REVOKE = "/api/v1/auth/token", "/api/v1/auth/revoke"


@pytest.fixture
def shop(tmp_path: Path) -> Workshop:
    made = Workshop(tmp_path)
    Users(made.state.url).add("ann", PASSWORD, [Grant(Role.VIEWER)])
    return made


@pytest.fixture
def client(shop: Workshop) -> Iterator[TestClient]:
    with TestClient(application(site_of(shop)), base_url="http://dq.example:3001") as made:
        yield made


def log_in(client: TestClient) -> dict[str, Any]:
    answer = client.post(TOKEN, json={"name": "ann", "password": PASSWORD})
    assert answer.status_code == 200, answer.text
    assert answer.headers["cache-control"] == "no-store"
    return dict(answer.json())


def asked(client: TestClient, token: str) -> int:
    return int(client.get("/metrics", headers={"authorization": f"Bearer {token}"}).status_code)


def heard(shop: Workshop) -> list[tuple[str, str, str, str]]:
    events = [event for _, event in AuditLog(shop.state).events()]
    return [(event.who, event.what, event.result, event.more.get("why", "")) for event in events]


@pytest.mark.parametrize(
    "body",
    [
        {"json": {"name": "ann", "password": PASSWORD}},
        {"json": {"grant_type": "password", "username": "ann", "password": PASSWORD}},
        {"data": {"grant_type": "password", "username": "ann", "password": PASSWORD, "scope": "", "client_id": "x"}},
    ],
)
def test_a_name_and_its_password_give_a_token(client: TestClient, body: dict[str, Any]) -> None:
    got = client.post(TOKEN, **body).json()
    assert (got["token_type"], got["expires_in"]) == ("Bearer", 600)
    assert asked(client, got["access_token"]) == 200
    assert asked(client, got["refresh_token"]) == 401, "what renews does not let in"
    assert client.get("/apikey", headers={"authorization": f"bearer {got['access_token']}"}).json() == {"user": "ann"}


def test_a_login_is_renewed_until_a_token_comes_twice(client: TestClient, shop: Workshop) -> None:
    first = log_in(client)
    renewing = {"grant_type": "refresh_token", "refresh_token": first["refresh_token"]}
    # Who renews may still send what has run out.
    second = client.post(TOKEN, data=renewing, headers={"authorization": "Bearer worn.out.token"}).json()
    assert asked(client, second["access_token"]) == 200
    answer = client.post(TOKEN, json=renewing)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")
    assert asked(client, second["access_token"]) == 401
    renewing["refresh_token"] = second["refresh_token"]
    assert client.post(TOKEN, json=renewing).status_code == 400
    notes = heard(shop)
    assert notes[:3] == [
        ("ann", "token", "done", ""),
        ("ann", "token", "done", ""),
        ("ann", "token", "refused", "used twice"),
    ]
    told = str(list(AuditLog(shop.state).events()))
    assert all(text not in told for text in (PASSWORD, first["refresh_token"], second["access_token"]))


@pytest.mark.parametrize("kind", ["access_token", "refresh_token"])
def test_revoking_ends_the_login(client: TestClient, shop: Workshop, kind: str) -> None:
    got = log_in(client)
    assert client.post(REVOKE, data={"token": got[kind], "token_type_hint": kind}).status_code == 200
    assert asked(client, got["access_token"]) == 401
    assert heard(shop)[1][:3] == ("ann", "token.revoke", "done")
    assert client.post(REVOKE, json={"token": "none of ours"}).status_code == 200


@pytest.mark.parametrize(
    "form",
    [{"name": "ann", "password": "wrong"}, {"name": "bob", "password": PASSWORD}, {"name": "\x00", "password": ""}],
)
def test_a_wrong_name_or_password_says_no_more_than_that(client: TestClient, form: dict[str, str]) -> None:
    answer = client.post(TOKEN, json=form)
    assert (answer.status_code, answer.headers["content-type"]) == (400, "application/problem+json")
    assert answer.json() == {
        "type": "about:blank",
        "title": "Bad Request",
        "status": 400,
        "detail": "The name or the password is wrong.",
        "error": "invalid_grant",
    }


@pytest.mark.parametrize(
    ("content", "kind", "status"),
    [
        (b"{", "application/json", 422),
        (b"[]", "application/json", 422),
        (b"[" * 8000, "application/json", 422),
        (b'{"name": "\\ud800", "password": "x"}', "application/json", 422),
        (b'{"name": ["ann"], "password": "x"}', "application/json", 422),
        (b'{"grant_type": "client_credentials"}', "application/json", 422),
        (b"grant_type=refresh_token", "application/x-www-form-urlencoded", 422),
        (b"name=ann&name=bob&password=x", "application/x-www-form-urlencoded", 422),
        (b"\xff=1", "application/x-www-form-urlencoded", 422),
        (b"a=1&" * 40, "application/x-www-form-urlencoded", 422),
        (b"<name/>", "text/xml", 415),
        (b"", "", 415),
        (b'{"name": "ann", "password": "' + b"x" * 9000 + b'"}', "application/json", 413),
    ],
)
def test_an_invalid_login_is_answered_as_problem_details(
    client: TestClient, content: bytes, kind: str, status: int
) -> None:
    for path in (TOKEN, REVOKE):
        answer = client.post(path, content=content, headers={"content-type": kind})
        assert (answer.status_code, answer.json()["status"]) == (status, status)
        assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("body", "wrong"),
    [
        ({"name": 1}, ["body.name", "body.password"]),
        ({"grant_type": "refresh_token", "name": 1}, ["body.refresh_token"]),
        ({"grant_type": "other", "password": "x" * 257}, ["body.grant_type", "body.name", "body.password"]),
        ({}, ["body.name", "body.password"]),
    ],
)
def test_all_mistakes_are_listed_for_the_given_grant_type(
    client: TestClient, body: dict[str, object], wrong: list[str]
) -> None:
    lines = client.post(TOKEN, json=body).json()["detail"].splitlines()
    assert [line.partition(":")[0] for line in lines] == wrong


def test_a_password_is_not_repeated_in_errors(client: TestClient) -> None:
    answer = client.post(TOKEN, json={"name": ["ann"], "password": PASSWORD * 20})
    assert answer.status_code == 422
    assert PASSWORD not in answer.text


def test_too_many_attempts_from_one_address_must_wait(client: TestClient) -> None:
    renewing = {"grant_type": "refresh_token", "refresh_token": "dqr_guess"}
    said = [client.post(TOKEN, json=renewing) for _ in range(22)]
    assert [answer.status_code for answer in said] == [400] * 20 + [429] * 2
    assert said[-1].headers["retry-after"] == "60"


def test_a_key_is_accepted_in_either_header(client: TestClient, shop: Workshop) -> None:
    from dq_pipelines.security.keys import Keys

    text = Keys(Users(shop.state.url)).add("ann")
    for header in ("X-API-Key", "APIKEY"):
        assert client.get("/apikey", headers={header: text}).json() == {"user": "ann"}
        refused = client.get("/apikey", headers={header: text + "x"})
        assert (refused.status_code, refused.headers["www-authenticate"]) == (401, "Bearer")
