"""`/account`: changing the password needs the old one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from dq_pipelines.errors import Refused
from dq_pipelines.security.audit import AuditLog
from dq_pipelines.security.keys import Keys
from dq_pipelines.security.roles import Grant, Role
from dq_pipelines.security.users import Users
from dq_pipelines.web.app import application
from dq_pipelines_tests.web.conftest import site_of
from dq_pipelines_tests.web.hosting import OWN, PASSWORD
from dq_pipelines_tests.workshop import Workshop

pytestmark = pytest.mark.slow

BETTER = "another good password"


@pytest.fixture
def shop(tmp_path: Path) -> Workshop:
    made = Workshop(tmp_path)
    Users(made.state.url).add("ann", PASSWORD, [Grant(Role.VIEWER, "team:sales")])
    return made


@pytest.fixture
def client(shop: Workshop) -> Iterator[TestClient]:
    with TestClient(application(site_of(shop)), base_url="http://dq.example:3001", follow_redirects=False) as made:
        assert made.post("/login", data={"name": "ann", "password": PASSWORD}, headers=OWN).status_code == 303
        yield made


def csrf(client: TestClient) -> str:
    found = re.search(r'name="csrf" value="([^"]+)"', client.get("/account").text)
    assert found is not None
    return found[1]


def change(client: TestClient, **more: str) -> tuple[int, str]:
    form = {"csrf": csrf(client), "old": PASSWORD, "new": BETTER, "again": BETTER} | more
    answer = client.post("/account", data=form, headers=OWN)
    said = re.search(r'role="alert">([^<]+)<', answer.text)
    return answer.status_code, said[1] if said else ""


def test_a_new_password_ends_every_session_but_this_browsers(client: TestClient, shop: Workshop) -> None:
    page = client.get("/account").text
    assert re.search(r'<a href="/account" title="[^"]+">ann</a>', client.get("/dashboard/").text)
    assert "<strong>ann</strong><br>viewer of team:sales" in page
    kept = client.cookies["dq_session"]
    token = client.post("/api/v1/auth/token", json={"name": "ann", "password": PASSWORD}).json()["access_token"]
    assert change(client) == (303, "")
    assert client.get("/account").status_code == 200
    client.cookies.clear()
    assert client.get("/apikey", headers={"cookie": f"dq_session={kept}"}).status_code == 401
    assert client.get("/apikey", headers={"authorization": f"Bearer {token}"}).status_code == 401
    users = Users(shop.state.url)
    assert users.authenticate("ann", BETTER).name == "ann"
    with pytest.raises(Refused):
        users.authenticate("ann", PASSWORD)
    events = [(event.who, event.what, event.result) for _, event in AuditLog(shop.state).events()]
    assert ("ann", "user.password", "done") in events
    assert BETTER not in str(list(AuditLog(shop.state).events()))


@pytest.mark.parametrize(
    ("form", "status", "said"),
    [
        ({"old": "wrong"}, 403, "Wrong old password, or too many failed attempts: wait, and try again."),
        ({"again": "yet another password"}, 422, "The two new passwords differ."),
        ({"new": "short", "again": "short"}, 422, "wanted a password of 12 to 256 characters, got one of 5."),
        ({"csrf": "guess"}, 403, "This page has expired: try again."),
    ],
)
def test_what_does_not_fit_changes_nothing(
    client: TestClient, shop: Workshop, form: dict[str, str], status: int, said: str
) -> None:
    assert change(client, **form) == (status, said)
    assert Users(shop.state.url).authenticate("ann", PASSWORD).name == "ann"


def test_guessing_the_old_password_delays_this_session_only(client: TestClient, shop: Workshop) -> None:
    for _ in range(5):
        assert change(client, old="wrong")[0] == 403
    assert change(client)[0] == 403
    assert Users(shop.state.url).authenticate("ann", PASSWORD).name == "ann"


def test_a_key_changes_no_password(client: TestClient, shop: Workshop) -> None:
    key = {"x-api-key": Keys(Users(shop.state.url)).add("ann")}
    client.cookies.clear()
    form = {"old": PASSWORD, "new": BETTER, "again": BETTER}
    assert client.post("/account", data=form, headers=key).status_code == 404
    assert client.post("/account", data=form).status_code == 401
    assert client.get("/account", headers=key).status_code == 404


def test_a_user_of_an_identity_provider_has_none_to_change(client: TestClient, shop: Workshop) -> None:
    users = Users(shop.state.url)
    user = users.vouched("https://login.example 1", "bob", [Grant(Role.VIEWER)])
    from dq_pipelines.security.sessions import Sessions

    client.cookies.clear()
    client.cookies.set("dq_session", Sessions(users).begin(user))
    assert "Old password" not in client.get("/account").text
    assert client.post("/account", data={"old": "", "new": BETTER, "again": BETTER}, headers=OWN).status_code == 404


# --- sessions ----------------------------------------------------------------------------------------

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


def another_browser(client: TestClient, agent: str = FIREFOX) -> TestClient:
    other = TestClient(client.app, base_url="http://dq.example:3001", follow_redirects=False)
    other.headers["user-agent"] = agent
    assert other.post("/login", data={"name": "ann", "password": PASSWORD}, headers=OWN).status_code == 303
    return other


def test_the_page_lists_ones_sessions_and_ends_them(client: TestClient, shop: Workshop) -> None:
    other = another_browser(client)
    page = client.get("/account").text
    assert "<strong>Firefox on Linux</strong> at testclient" in page
    assert page.count("<em>this one</em>") == 1
    (name,) = re.findall(r'name="end" value="([0-9a-f]{16})"', page)
    form = {"csrf": csrf(client), "end": name}
    assert client.post("/account/sessions", data=form | {"csrf": "guess"}, headers=OWN).status_code == 403
    assert client.post("/account/sessions", data=form, headers={"sec-fetch-site": "cross-site"}).status_code == 403
    assert other.get("/account").status_code == 200
    assert client.post("/account/sessions", data=form, headers=OWN).status_code == 303
    assert other.get("/apikey").status_code == 401
    assert client.post("/account/sessions", data=form, headers=OWN).status_code == 404
    assert client.get("/account").status_code == 200
    events = [(event.what, event.on) for _, event in AuditLog(shop.state).events()]
    assert events[-1] == ("session.end", name)


def test_what_a_browser_calls_itself_is_shown_as_text(client: TestClient) -> None:
    another_browser(client, "<script>alert(1)</script>")
    page = client.get("/account").text
    assert "<script>" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page


def test_all_others_end_with_their_tokens(client: TestClient) -> None:
    other = another_browser(client)
    token = client.post("/api/v1/auth/token", json={"name": "ann", "password": PASSWORD}).json()
    bearer = {"authorization": f"Bearer {token['access_token']}"}
    assert "a program, by token" in client.get("/account").text
    assert (
        client.post("/account/sessions", data={"csrf": csrf(client), "end": "others"}, headers=OWN).status_code == 303
    )
    assert other.get("/apikey").status_code == 401
    stranger = TestClient(client.app, base_url="http://dq.example:3001")
    assert stranger.get("/apikey", headers=bearer).status_code == 401
    renewal = {"grant_type": "refresh_token", "refresh_token": token["refresh_token"]}
    assert stranger.post("/api/v1/auth/token", json=renewal).status_code == 400
    assert client.get("/apikey").status_code == 200


def test_the_api_lists_ones_sessions_and_ends_them(client: TestClient, shop: Workshop) -> None:
    other = another_browser(client)
    token = client.post("/api/v1/auth/token", json={"name": "ann", "password": PASSWORD}).json()["access_token"]
    program = TestClient(client.app, base_url="http://dq.example:3001", headers={"authorization": f"Bearer {token}"})
    items = program.get("/api/v1/sessions").json()["items"]
    assert [(one["kind"], one["current"]) for one in items if one["kind"] == "token"] == [("token", True)]
    assert {one["device"] for one in items} == {FIREFOX, "testclient", ""}
    key = {"x-api-key": Keys(Users(shop.state.url)).add("ann")}
    stranger = TestClient(client.app, base_url="http://dq.example:3001")
    assert len(stranger.get("/api/v1/sessions", headers=key).json()["items"]) == 3
    assert stranger.delete("/api/v1/sessions", headers=key).status_code == 403
    (firefox,) = [one["id"] for one in items if one["device"] == FIREFOX]
    assert program.delete(f"/api/v1/sessions/{firefox}").status_code == 204
    assert program.delete(f"/api/v1/sessions/{firefox}").status_code == 404
    assert other.get("/apikey").status_code == 401
    assert program.delete("/api/v1/sessions").status_code == 204
    assert client.get("/apikey").status_code == 401
    assert program.get("/apikey").json() == {"user": "ann"}
