"""`/account`: a new password for whoever knows the old one, and for nobody else."""

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
    assert '<a href="/account">ann</a>' in client.get("/dashboard/").text
    assert "<strong>ann</strong><br>viewer of team:sales" in page
    kept = client.cookies["dq_session"]
    token = client.post("/api/v1/auth/token", json={"name": "ann", "password": PASSWORD}).json()["access_token"]
    assert change(client) == (303, "")
    assert client.get("/account").status_code == 200
    client.cookies.clear()
    assert client.get("/apikey", headers={"cookie": f"dq_session={kept}"}).status_code == 401
    assert client.get("/apikey", headers={"authorization": f"Bearer {token}"}).status_code == 401
    users = Users(shop.state.url)
    assert users.let_in("ann", BETTER).name == "ann"
    with pytest.raises(Refused):
        users.let_in("ann", PASSWORD)
    events = [(event.who, event.what, event.result) for _, event in AuditLog(shop.state).events()]
    assert ("ann", "user.password", "done") in events
    assert BETTER not in str(list(AuditLog(shop.state).events()))


@pytest.mark.parametrize(
    ("form", "status", "said"),
    [
        ({"old": "wrong"}, 403, "The old password does not fit, or too many were wrong: wait, and try again."),
        ({"again": "yet another password"}, 422, "The new password was not the same twice."),
        ({"new": "short", "again": "short"}, 422, "wanted a password of 12 to 256 characters, got one of 5."),
        ({"csrf": "guess"}, 403, "This page was too old: try again."),
    ],
)
def test_what_does_not_fit_changes_nothing(
    client: TestClient, shop: Workshop, form: dict[str, str], status: int, said: str
) -> None:
    assert change(client, **form) == (status, said)
    assert Users(shop.state.url).let_in("ann", PASSWORD).name == "ann"


def test_guessing_the_old_one_makes_the_name_wait(client: TestClient, shop: Workshop) -> None:
    for _ in range(5):
        assert change(client, old="wrong")[0] == 403
    assert change(client)[0] == 403
    with pytest.raises(Refused):
        Users(shop.state.url).let_in("ann", PASSWORD)


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
