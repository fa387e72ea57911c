"""Logins to `dq serve` by form, session and API key, accepted and refused."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from dq_pipelines.security.audit import AuditLog
from dq_pipelines.security.audit_verify import verify
from dq_pipelines.security.keys import Keys
from dq_pipelines.security.moving import open_state
from dq_pipelines.security.roles import Grant, Role
from dq_pipelines.security.users import Users
from dq_pipelines.web.app import application
from dq_pipelines.web.auth.login import within
from dq_pipelines_tests.web.conftest import site_of
from dq_pipelines_tests.web.hosting import OWN, PASSWORD
from dq_pipelines_tests.workshop import Workshop

HTML = {"accept": "text/html"}


@pytest.fixture
def users(empty: Workshop) -> Users:
    users = Users(empty.state.url)
    users.add("ann", PASSWORD, [Grant(Role.VIEWER)])
    users.add("nobody", PASSWORD, [])
    return users


@pytest.fixture
def client(empty: Workshop, users: Users) -> Iterator[TestClient]:
    assert not users.is_empty()
    with TestClient(application(site_of(empty)), base_url="http://dq.example:3001", follow_redirects=False) as made:
        yield made


def log_in(client: TestClient, name: str = "ann", password: str = PASSWORD, target: str = "/dashboard/") -> int:
    form = {"name": name, "password": password, "next": target}
    answer = client.post("/login", data=form, headers=OWN)
    if answer.status_code == 303:
        assert answer.headers["location"] == within(target)
    return answer.status_code


def heard(shop: Workshop) -> list[tuple[str, str, str]]:
    return [(event.who, event.what, event.result) for _, event in AuditLog(shop.state).events()]


def test_an_unknown_caller_is_redirected_to_login_and_back(client: TestClient) -> None:
    answer = client.get("/dashboard/?since=7", headers=HTML)
    assert (answer.status_code, answer.headers["location"]) == (303, "/login?next=%2Fdashboard%2F%3Fsince%3D7")
    form = client.get(answer.headers["location"])
    assert 'value="/dashboard/?since=7"' in form.text
    assert "frame-ancestors 'none'" in form.headers["content-security-policy"]
    assert log_in(client, target="/dashboard/?since=7") == 303
    assert client.get("/dashboard/", headers=HTML).status_code == 200


@pytest.mark.parametrize("path", ["/", "/dashboard/", "/metrics", "/dashboard/events", "/nowhere", "/login/../metrics"])
def test_only_the_login_form_is_open(client: TestClient, path: str) -> None:
    assert client.get(path).status_code == 401
    assert client.get("/health").json() == {"status": "live"}


def test_a_wrong_password_is_refused_and_noted(client: TestClient, empty: Workshop) -> None:
    assert log_in(client, password="wrong") == 401
    assert log_in(client, name="<b>") == 401
    assert client.get("/metrics").status_code == 401
    assert log_in(client) == 303
    assert heard(empty) == [("ann", "login", "refused"), ("<b>", "login", "refused"), ("ann", "login", "done")]
    assert PASSWORD not in str(list(AuditLog(empty.state).events()))
    assert verify(AuditLog(empty.state)) == []


def test_the_cookie_is_for_this_site_and_no_script(client: TestClient) -> None:
    form = {"name": "ann", "password": PASSWORD}
    cookie = client.post("/login", data=form).headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie


def test_logging_out_ends_the_session(client: TestClient) -> None:
    log_in(client)
    kept = client.cookies["dq_session"]
    left = client.post("/logout", headers=OWN, follow_redirects=False)
    assert (left.status_code, left.headers["clear-site-data"]) == (303, '"cache", "storage"')
    client.cookies.set("dq_session", kept)
    assert client.get("/metrics").status_code == 401


@pytest.mark.parametrize("headers", [{"sec-fetch-site": "cross-site"}, {"origin": "https://elsewhere.example"}])
def test_another_sites_page_changes_nothing(client: TestClient, headers: dict[str, str]) -> None:
    log_in(client)
    assert client.post("/logout", headers=headers).status_code == 403
    assert client.get("/metrics").status_code == 200


@pytest.mark.parametrize("headers", [{"sec-fetch-site": "cross-site"}, {"origin": "https://elsewhere.example"}])
@pytest.mark.parametrize("path", ["/login", "/login/code"])
def test_another_sites_page_logs_nobody_in(client: TestClient, path: str, headers: dict[str, str]) -> None:
    form = {"name": "ann", "password": PASSWORD, "code": "123456"}
    assert client.post(path, data=form, headers=headers).status_code == 403


def test_a_key_lets_a_program_in(client: TestClient, users: Users) -> None:
    text = Keys(users).add("ann")
    assert client.get("/metrics", headers={"x-api-key": text}).status_code == 200
    assert client.get("/metrics", headers={"authorization": f"Bearer {text}"}).status_code == 200
    assert client.get("/metrics", headers={"x-api-key": text + "x"}).status_code == 401
    users.disable("ann")
    assert client.get("/metrics", headers={"x-api-key": text}).status_code == 401


def test_a_user_without_grants_sees_nothing(client: TestClient) -> None:
    log_in(client, name="nobody")
    answer = client.get("/dashboard/", headers=HTML)
    assert (answer.status_code, answer.headers["content-type"]) == (403, "application/problem+json")
    wanted = (
        "to look at tables, runs, verdicts and quarantine, be viewer or steward or operator or admin; you are nothing"
    )
    assert answer.json()["detail"] == wanted


@pytest.mark.slow
def test_too_many_attempts_from_one_address_must_wait(client: TestClient) -> None:
    said = [log_in(client, name=f"guess{number}", password="wrong") for number in range(22)]
    assert said[:20] == [401] * 20
    assert said[20:] == [429] * 2


def test_a_form_that_is_too_long_is_not_read(client: TestClient) -> None:
    assert client.post("/login", content=b"name=" + b"x" * 10_000).status_code == 413


@pytest.mark.parametrize(
    "target", ["//evil.example", "https://evil.example", "/\\evil.example", "javascript:alert(1)", "", "/a\nb", "/\t/b"]
)
def test_the_redirect_after_login_stays_on_this_site(client: TestClient, target: str) -> None:
    assert within(target) == "/dashboard/"
    assert log_in(client, target=target) == 303


def test_a_login_that_began_at_the_root_leads_to_the_overview() -> None:
    assert within("/") == "/dashboard/"


def test_without_users_this_machine_alone_is_answered(empty: Workshop) -> None:
    app = application(site_of(empty))
    assert TestClient(app, base_url="http://localhost:3001").get("/metrics").status_code == 200
    assert TestClient(app, base_url="http://dq.example:3001").get("/metrics").status_code == 421
    # the first user turns the login on, without a new start
    Users(empty.state.url).add("ann", PASSWORD, [Grant(Role.ADMIN)])
    assert TestClient(app, base_url="http://localhost:3001").get("/metrics").status_code == 401


def test_without_the_users_database_nobody_is_let_in(empty: Workshop) -> None:
    open_state(empty.state)
    Path(empty.state.url.removeprefix("sqlite:///")).write_text("no database")
    answer = TestClient(application(site_of(empty)), base_url="http://localhost:3001").get("/metrics")
    assert answer.status_code == 503
    assert "wanted a database to write" in answer.json()["detail"]


def test_a_websocket_with_another_host_name_is_refused(empty: Workshop) -> None:
    client = TestClient(application(site_of(empty)), base_url="http://dq.example:3001")
    with pytest.raises(WebSocketDisconnect) as refused, client.websocket_connect("/dashboard/events"):
        pass
    assert (refused.value.code, refused.value.reason) == (1008, "This server only answers requests to localhost.")
