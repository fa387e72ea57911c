"""Attacks without a login, or with another's, and that each fails (docs/attacks.md)."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import anyio
import argon2
import pytest
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from dq_pipelines.errors import Refused
from dq_pipelines.security.audit import AuditLog
from dq_pipelines.security.keys import Keys
from dq_pipelines.security.roles import Grant, Role
from dq_pipelines.security.sessions import Sessions
from dq_pipelines.security.throttling import FREE_TRIES, Origin
from dq_pipelines.security.users import User, Users
from dq_pipelines.web.app import application
from dq_pipelines.web.auth.access import REFUSING, Access
from dq_pipelines.web.auth.bootstrap_link import NAME
from dq_pipelines.web.auth.login import within
from dq_pipelines_tests.web.conftest import site_of
from dq_pipelines_tests.web.hosting import OWN, PASSWORD
from dq_pipelines_tests.workshop import Workshop

pytestmark = pytest.mark.slow

ANYWHERE = Origin()


@pytest.fixture
def users(empty: Workshop) -> Users:
    users = Users(empty.state.url)
    users.add("ann", PASSWORD, [Grant(Role.ADMIN)])
    return users


@pytest.fixture
def client(empty: Workshop, users: Users) -> Iterator[TestClient]:
    assert not users.is_empty()
    with visitor(empty) as made:
        yield made


def visitor(shop: Workshop, address: str = "http://dq.example:3001") -> TestClient:
    return TestClient(application(site_of(shop)), base_url=address, follow_redirects=False)


def log_in(client: TestClient, name: str = "ann", password: str = PASSWORD) -> int:
    answer = client.post("/login", data={"name": name, "password": password, "next": "/metrics"}, headers=OWN)
    return int(answer.status_code)


# --- the way back ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "target",
    ["//evil.example", "///evil.example", "/\\evil.example", "\\\\evil.example", "/%2fevil.example", "/%2Fevil.example/a?b",
     "/%252fevil.example", "/%5cevil.example", "/%255cevil.example", "%2f%2fevil.example", "https:evil.example",
     "https://evil.example", "HTTPS://evil.example", "javascript:alert(1)", "/\tevil", "/\t/evil.example", "\n//evil.example",
     "/%09/evil.example", "/a\r\nSet-Cookie: dq_session=x", "/%0d%0aSet-Cookie:x=y", "/%250aX:y", " //evil.example",
     "/\u2028/evil", "\x00//evil.example", "@evil.example", ""],
)  # fmt: skip
def test_the_redirect_after_login_leads_to_no_other_site(client: TestClient, target: str) -> None:
    assert within(target) == "/dashboard/"
    answer = client.post("/login", data={"name": "ann", "password": PASSWORD, "next": target}, headers=OWN)
    assert (answer.status_code, answer.headers["location"]) == (303, "/dashboard/")
    names = [given.partition("=")[0] for given in answer.headers.get_list("set-cookie")]
    assert sorted(names) == ["dq_device", "dq_session"]


@pytest.mark.parametrize("target", ["/dashboard/?since=7&q=a%2Fb%5C", "/dashboard/tables/silver/sales", "/runs/ä"])
def test_the_redirect_after_login_to_a_page_of_this_site_is_followed(target: str) -> None:
    assert within(target) == target


# --- names and passwords -----------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["form", "token"])
def test_a_refusal_takes_as_long_whatever_the_reason(
    client: TestClient, users: Users, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    users.add("gone", PASSWORD, [Grant(Role.VIEWER)])
    users.disable("gone")
    verified: list[str] = []
    verify = argon2.PasswordHasher.verify

    def counted(self: argon2.PasswordHasher, kept: str, password: str) -> bool:
        verified.append(kept)
        return verify(self, kept, password)

    monkeypatch.setattr(argon2.PasswordHasher, "verify", counted)
    for name in ("nobody", "ann", "gone", "", "a b", "x" * 255):
        verified.clear()
        began = time.monotonic()
        if kind == "form":
            assert log_in(client, name, "wrong") == 401
        else:
            assert client.post("/api/v1/auth/token", json={"name": name, "password": "wrong"}).status_code == 400
        assert time.monotonic() - began >= REFUSING
        assert len(verified) == 1, name
        assert verified[0].startswith("$argon2id$")


def test_delayed_attempts_get_the_same_answer_after_the_same_time(client: TestClient) -> None:
    for _ in range(FREE_TRIES):
        assert log_in(client, password="wrong") == 401
    began = time.monotonic()
    assert log_in(client) == 401
    assert time.monotonic() - began >= REFUSING


def test_failed_attempts_of_strangers_do_not_lock_out_a_known_browser(client: TestClient) -> None:
    assert log_in(client) == 303
    assert (
        "max-age=7776000"
        in client.post("/login", data={"name": "ann", "password": PASSWORD}, headers=OWN)
        .headers.get_list("set-cookie")[0]
        .lower()
    )
    stranger = TestClient(client.app, base_url="http://dq.example:3001", follow_redirects=False)
    for _ in range(FREE_TRIES):
        assert log_in(stranger, password="wrong") == 401
    assert log_in(stranger) == 401, "who guesses waits, with the right one too"
    client.cookies.delete("dq_session")
    assert log_in(client) == 303, "from the same address"


def test_a_flood_of_attempts_on_one_name_waits_in_a_short_queue(empty: Workshop, users: Users) -> None:
    access = Access(empty.state)
    for number in range(21):
        users.throttle.wrong("ann", Origin(f"192.0.2.{number}"))
    came: list[float] = []

    async def flood() -> None:
        async def one(number: int) -> None:
            began = time.monotonic()
            with pytest.raises(Refused):
                await access.authenticate("ann", "wrong", Origin(f"198.51.100.{number}"))
            came.append(time.monotonic() - began)

        async with anyio.create_task_group() as group:
            for number in range(12):
                group.start_soon(one, number)

    anyio.run(flood)
    # Eight are heard, each a second after the one before; four are refused at once.
    assert sorted(came)[4] - sorted(came)[3] > 0.5
    assert max(came) >= 8
    assert not access._lines


def test_a_flood_of_passwords_takes_few_threads_and_little_memory(users: Users, empty: Workshop) -> None:
    access = Access(empty.state)
    at_once, most = 0, 0
    lock = threading.Lock()

    class Counted(Users):
        def authenticate(self, name: str, password: str, origin: Origin = ANYWHERE) -> User:
            nonlocal at_once, most
            with lock:
                at_once += 1
                most = max(most, at_once)
            try:
                return super().authenticate(name, password, origin)
            finally:
                with lock:
                    at_once -= 1

    access.users = Counted(users.url)

    async def flood() -> None:
        async def one(number: int) -> None:
            with pytest.raises(Refused):
                await access.authenticate(f"guess{number}", "wrong")

        async with anyio.create_task_group() as group:
            for number in range(12):
                group.start_soon(one, number)

    anyio.run(flood)
    assert 1 < most <= 4


# --- sessions and cookies ----------------------------------------------------------------------------


def test_a_login_ends_the_previous_session(client: TestClient, users: Users) -> None:
    planted = Sessions(users).begin(users.named("ann"))
    form = {"name": "ann", "password": PASSWORD}
    answer = client.post("/login", data=form, headers=OWN | {"cookie": f"dq_session={planted}"})
    assert answer.status_code == 303
    assert planted not in answer.headers["set-cookie"]
    assert Sessions(users).of(planted) is None
    assert visitor_with(client, "chosen-by-somebody-else") == 401


def visitor_with(client: TestClient, secret: str) -> int:
    return int(client.get("/metrics", headers={"cookie": f"dq_session={secret}"}).status_code)


def test_a_disabled_users_session_ends(client: TestClient, users: Users) -> None:
    log_in(client)
    assert client.get("/metrics").status_code == 200
    users.disable("ann")
    assert client.get("/metrics").status_code == 401


def test_a_broken_database_lets_nobody_in(client: TestClient, users: Users) -> None:
    log_in(client)
    with users.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE dq_sessions RENAME TO elsewhere")
    answer = client.get("/metrics")
    assert (answer.status_code, answer.json()["detail"]) == (
        503,
        "users: wanted an answer from their database, got an error",
    )


def test_logging_out_ends_the_session_for_whoever_kept_its_cookie(client: TestClient) -> None:
    log_in(client)
    kept = client.cookies["dq_session"]
    answer = client.post("/logout", headers=OWN)
    assert "max-age=0" in answer.headers["set-cookie"].lower()
    client.cookies.clear()
    assert visitor_with(client, kept) == 401


def test_behind_tls_the_cookie_is_of_this_host_alone(empty: Workshop, users: Users) -> None:
    assert not users.is_empty()
    client = visitor(empty, "https://dq.example")
    answer = client.post("/login", data={"name": "ann", "password": PASSWORD}, headers=OWN)
    (given,) = [one for one in answer.headers.get_list("set-cookie") if one.startswith("__Host-dq_session=")]
    assert all(part in given.lower() for part in ("; secure", "; httponly", "; samesite=lax", "; path=/"))
    assert "domain" not in given.lower()
    secret = client.cookies["__Host-dq_session"]
    client.cookies.clear()
    # What another host of the domain, or a page without TLS, could have put there is not looked at.
    assert visitor_with(client, secret) == 401
    assert client.get("/metrics", headers={"cookie": f"__Host-dq_session={secret}"}).status_code == 200


# --- other sites' pages ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "headers",
    [{}, {"sec-fetch-site": "cross-site"}, {"sec-fetch-site": "same-site"}, {"sec-fetch-site": "none"},
     {"origin": "null"}, {"origin": "https://evil.example"}, {"origin": "http://dq.example"}, {"x-csrf-token": "guess"},
     {"sec-fetch-site": "cross-site", "origin": "http://dq.example:3001"}],
    ids=str,
)  # fmt: skip
def test_a_cookie_alone_changes_nothing(client: TestClient, headers: dict[str, str]) -> None:
    log_in(client)
    assert client.post("/logout", headers=headers).status_code == 403
    assert client.get("/metrics").status_code == 200


@pytest.mark.parametrize("proof", ["fetch metadata", "origin", "token"])
def test_a_page_of_this_site_changes_what_it_may(client: TestClient, users: Users, proof: str) -> None:
    log_in(client)
    session = Sessions(users).of(client.cookies["dq_session"])
    assert session is not None
    proofs = {
        "fetch metadata": OWN,
        "origin": {"origin": "http://dq.example:3001"},
        "token": {"x-csrf-token": session.csrf},
    }
    assert client.post("/logout", headers=proofs[proof]).status_code == 303


# --- without a login ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["api_key", "apikey", "key", "token", "access_token", "x-api-key", "authorization"])
def test_a_key_or_token_in_an_address_lets_nobody_in(client: TestClient, users: Users, name: str) -> None:
    key = Keys(users).add("ann")
    got = client.post("/api/v1/auth/token", json={"name": "ann", "password": PASSWORD}).json()
    for text in (key, f"Bearer {key}", got["access_token"]):
        assert client.get("/metrics", params={name: text}).status_code == 401
        assert client.get("/apikey", params={name: text}).status_code == 401
    assert client.get("/metrics", headers={"x-api-key": key}).status_code == 200


@pytest.mark.parametrize("path", ["/graphql", "/dashboard/events", "/api/v1/runs/x/events", "/nowhere"])
@pytest.mark.parametrize("headers", [{}, {"cookie": "dq_session=guess"}, {"origin": "http://dq.example:3001"}], ids=str)
def test_a_websocket_without_a_login_is_closed(client: TestClient, path: str, headers: dict[str, str]) -> None:
    with pytest.raises(WebSocketDisconnect) as closed, client.websocket_connect(path, headers=headers):
        pass
    assert (closed.value.code, closed.value.reason) == (1008, "authentication required: log in, or send an API key")


def test_another_sites_page_opens_no_websocket_with_a_session(client: TestClient) -> None:
    log_in(client)
    headers = {"origin": "https://evil.example", "cookie": f"dq_session={client.cookies['dq_session']}"}
    with pytest.raises(WebSocketDisconnect) as closed, client.websocket_connect("/graphql", headers=headers):
        pass
    assert (closed.value.code, closed.value.reason) == (1008, "wanted a request from a page of this site")


def test_strangers_cannot_flood_the_audit_log(client: TestClient, users: Users, empty: Workshop) -> None:
    def lines(what: str) -> list[str]:
        events = [event for _, event in AuditLog(empty.state).events()]
        return [event.more.get("why", "") for event in events if event.what == what]

    for _ in range(30):
        assert client.get("/metrics", headers={"x-api-key": "dq_guess_guess"}).status_code == 401
        client.get("/login/oidc/callback", params={"state": "guess"})
    assert lines("key") == [""] * 20 + ["too many; further ones are not logged for now"]
    assert lines("login")[-1] == "too many tries"
    assert len(lines("login")) == 21
    key = Keys(users).add("ann")
    assert client.get("/metrics", headers={"x-api-key": key}).status_code == 200, "a good one is taken all the same"


# --- the link that is good once ----------------------------------------------------------------------


@pytest.fixture
def here(empty: Workshop) -> TestClient:
    """Somebody at this machine, while there are no users."""
    return visitor(empty, "http://localhost:3001")


def link_of(client: TestClient) -> str:
    return str(client.app.state.access.once.path)  # type: ignore[attr-defined]


def me(client: TestClient) -> str:
    return str(client.get("/apikey").json()["user"])


def test_the_link_makes_whoever_opens_it_first_admin(here: TestClient, empty: Workshop) -> None:
    assert me(here) == ""
    answer = here.get(link_of(here))
    assert (answer.status_code, answer.headers["location"], answer.headers["cache-control"]) == (
        303,
        "/dashboard/",
        "no-store",
    )
    assert me(here) == NAME
    kept = here.cookies["dq_session"]
    here.cookies.clear()
    assert here.get(link_of(here)).status_code == 403, "a second opening"
    assert me(here) == "", "who has not opened it looks, as before"
    events = [(event.who, event.what, event.result) for _, event in AuditLog(empty.state).events()]
    assert events == [(NAME, "login", "done"), (NAME, "login", "refused")]
    assert kept not in str(list(AuditLog(empty.state).events()))
    here.cookies.set("dq_session", kept)
    assert here.post("/logout").status_code == 403, "its cookie alone changes nothing"
    assert here.post("/logout", headers=OWN).status_code == 303
    here.cookies.set("dq_session", kept)
    assert me(here) == ""


@pytest.mark.parametrize("token", ["", "guess", "é", "x" * 5000])
def test_another_link_opens_nothing(here: TestClient, token: str) -> None:
    assert here.get("/login/once", params={"token": token}).status_code == 403
    assert here.head(link_of(here)).status_code == 403, "what looks ahead opens nothing"
    assert here.get(link_of(here)).status_code == 303


def test_the_first_user_ends_the_link_and_its_session(here: TestClient, empty: Workshop) -> None:
    other = TestClient(here.app, base_url="http://localhost:3001", follow_redirects=False)
    here.get(link_of(here))
    assert me(here) == NAME
    Users(empty.state.url).add("ann", PASSWORD, [Grant(Role.ADMIN)])
    assert here.get("/apikey").status_code == 401
    assert other.get(link_of(here)).status_code == 403


def test_the_link_is_for_this_machine_alone(here: TestClient) -> None:
    elsewhere = TestClient(here.app, base_url="http://evil.example:3001")
    assert elsewhere.get(link_of(here)).status_code == 421
    assert here.get(link_of(here)).status_code == 303
