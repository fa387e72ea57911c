"""What admins do over REST and on their pages: users, API keys and the audit log; and that nobody else may."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from starlette.testclient import TestClient

from dq_pipelines.security.audit import AuditLog
from dq_pipelines.security.roles import Grant, Role
from dq_pipelines.security.users import Users
from dq_pipelines_tests.web.conftest import SALES, client_of, site_of
from dq_pipelines_tests.web.hosting import OWN, PASSWORD
from dq_pipelines_tests.workshop import Workshop

USERS = {
    "adam": [Grant(Role.ADMIN)],
    "tess": [Grant(Role.ADMIN, "domain:shop")],
    "otto": [Grant(Role.OPERATOR)],
}
ROUTES = [("GET", "users"), ("POST", "users"), ("PATCH", "users/otto"), ("DELETE", "users/otto/sessions"), ("GET", "keys"),
          ("POST", "keys"), ("DELETE", "keys/0123456789ab"), ("GET", "audit"), ("POST", "audit/verify"), ("POST", "keys/rotate"),
          ("GET", "maintenance/storage"), ("POST", "maintenance/examine"), ("POST", "maintenance/run"),
          ("GET", "alert-channels"), ("POST", "alert-channels/team/test"), ("POST", "maintenance/restore"),
          ("POST", "maintenance/restore/dry-run"), ("POST", "maintenance/erasure"), ("POST", "maintenance/erasure/dry-run"),
          ("GET", "maintenance/backups"), ("POST", "maintenance/backups"), ("POST", "maintenance/backups/dry-run")]  # fmt: skip
PAGES = ("", "/users", "/keys", "/audit", "/maintenance", "/data")


@pytest.fixture
def shop(tmp_path: Path) -> Workshop:
    made = Workshop(tmp_path)
    made.table("sales", SALES)
    for name, grants in USERS.items():
        Users(made.state.url).add(name, PASSWORD, grants)
    return made


def entered(shop: Workshop, name: str, password: str = PASSWORD) -> TestClient:
    client = client_of(site_of(shop))
    answer = client.post("/login", data={"name": name, "password": password}, headers=OWN, follow_redirects=False)
    assert answer.status_code == 303, answer.text
    client.headers.update(OWN)
    return client


@pytest.fixture
def adam(shop: Workshop) -> Iterator[TestClient]:
    with entered(shop, "adam") as client:
        yield client


@pytest.mark.parametrize("name", ["tess", "otto"])
def test_only_admins_of_all_tables_get_in_and_the_log_knows(shop: Workshop, name: str) -> None:
    with entered(shop, name) as client:
        for method, path in ROUTES:
            answer = client.request(method, f"/api/v1/{path}", json={} if method in ("POST", "PATCH") else None)
            assert answer.status_code == 403, (method, path, answer.text)
        for path in PAGES:
            answer = client.get(f"/dashboard/admin{path}")
            assert answer.status_code == 403
            assert ("<title>Admin ·" in answer.text, answer.text.count("You may not open the admin pages")) == (True, 1)
        missing = client.get("/dashboard/nowhere")
        assert (missing.status_code, "<title>Not found ·" in missing.text) == (404, True)
        assert ">Admin</a>" not in client.get("/dashboard/").text
    refused = [event for _, event in AuditLog(shop.state).events() if event.who == name and event.result == "refused"]
    assert [event.on for event in refused] == [f"{method} /api/v1/{path}" for method, path in ROUTES]


def test_without_users_nobody_is_admin(tmp_path: Path) -> None:
    shop = Workshop(tmp_path)
    shop.table("sales", SALES)
    with client_of(site_of(shop)) as client:
        assert client.post("/api/v1/users", json={"name": "eve", "grants": ["admin"]}).status_code == 403
        assert client.get("/dashboard/admin/users").status_code == 403
    assert Users(shop.state.url).is_empty()


def test_an_invited_user_logs_in_with_the_first_password(shop: Workshop, adam: TestClient) -> None:
    answer = adam.post("/api/v1/users", json={"name": "ann", "grants": ["viewer", "operator@domain:shop"]})
    assert answer.status_code == 201, answer.text
    first = answer.json()["first_password"]
    assert answer.json()["grants"] == ["operator@domain:shop", "viewer"]
    with entered(shop, "ann", first) as ann:
        assert ann.get("/api/v1/tables").status_code == 200
    assert first not in adam.get("/api/v1/users").text
    log = [event for _, event in AuditLog(shop.state).events() if event.what == "user.add"][-1]
    assert (log.who, log.on, log.more) == ("adam", "ann", {"grants": "viewer, operator of domain:shop"})


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"name": "otto"}, "wanted a new name, got 'otto'"),
        ({"name": "a b"}, "wanted a name of letters"),
        ({"name": "ann", "grants": ["operater"]}, "nearest: operator"),
        ({"name": "ann", "grants": ["viewer@everywhere"]}, "wanted a scope such as domain:retail"),
        ({"name": "ann", "password": "short"}, "body.password"),
        ({"name": "ann", "admin": True}, "body.admin"),
        ({"name": ".."}, "wanted a name of letters"),
    ],
)
def test_a_wrong_user_is_said_and_not_added(
    shop: Workshop, adam: TestClient, body: dict[str, object], said: str
) -> None:
    answer = adam.post("/api/v1/users", json=body)
    assert (answer.status_code, said in answer.text) == (422, True), answer.text
    assert [user.name for user in Users(shop.state.url).all()] == ["adam", "otto", "tess"]


def test_half_a_surrogate_is_no_password(shop: Workshop, adam: TestClient) -> None:
    body = b'{"name": "ann", "password": "\\ud800 correct horse staple zebra"}'
    answer = adam.post("/api/v1/users", content=body, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["detail"]) == (
        422,
        "body.password: wanted text, got half of a surrogate pair",
    )
    assert Users(shop.state.url).find("ann") is None


def test_a_role_that_is_named_twice_is_given_once(adam: TestClient) -> None:
    answer = adam.post("/api/v1/users", json={"name": "ann", "grants": ["viewer", "viewer"]})
    assert (answer.status_code, answer.json()["grants"]) == (201, ["viewer"])


def test_a_user_is_changed_disabled_and_logged_out(shop: Workshop, adam: TestClient) -> None:
    with entered(shop, "otto") as otto:
        assert adam.patch("/api/v1/users/otto", json={"grants": ["viewer"]}).json()["grants"] == ["viewer"]
        assert otto.get("/api/v1/tables").status_code == 200
        assert adam.delete("/api/v1/users/otto/sessions").status_code == 204
        assert otto.get("/api/v1/tables").status_code == 401
    assert adam.patch("/api/v1/users/otto", json={"disabled": True}).json()["disabled"] is True
    refused = client_of(site_of(shop)).post("/login", data={"name": "otto", "password": PASSWORD}, headers=OWN)
    assert refused.status_code == 401
    assert adam.patch("/api/v1/users/otto", json={"disabled": False}).json()["disabled"] is False
    assert adam.patch("/api/v1/users/ott", json={"disabled": False}).status_code == 404
    assert adam.patch("/api/v1/users/otto", json={"second_factor": True}).status_code == 422


@pytest.mark.parametrize("body", [{"grants": ["viewer"]}, {"disabled": True}, {"second_factor": False}])
def test_nobody_locks_themselves_out(adam: TestClient, body: dict[str, object]) -> None:
    assert adam.patch("/api/v1/users/adam", json=body).status_code == 409
    [found] = [one for one in adam.get("/api/v1/users").json()["items"] if one["name"] == "adam"]
    assert (found["grants"], found["disabled"]) == (["admin"], False)


def test_a_key_is_told_once_works_and_is_revoked(shop: Workshop, adam: TestClient) -> None:
    made = adam.post("/api/v1/keys", json={"user": "otto", "grant": "viewer", "note": "nightly", "days": 7}).json()
    program = client_of(site_of(shop))
    assert program.get("/api/v1/tables", headers={"X-API-Key": made["key"]}).status_code == 200
    [line] = adam.get("/api/v1/keys").json()["items"]
    assert (line["id"], line["grant"], line["note"], line["in_use"]) == (made["id"], "viewer", "nightly", True)
    assert made["key"] not in adam.get("/api/v1/keys").text + adam.get("/dashboard/admin/keys").text
    assert adam.delete(f"/api/v1/keys/{made['id']}").status_code == 204
    assert program.get("/api/v1/tables", headers={"X-API-Key": made["key"]}).status_code == 401
    assert adam.delete("/api/v1/keys/0123456789ab").status_code == 404


@pytest.mark.parametrize(
    ("body", "said"),
    [({"user": "nobody"}, "unknown user 'nobody'"), ({"user": "otto", "grant": "viewer@x"}, "wanted a scope"), ({"user": "otto", "days": 0}, "body.days")],
)  # fmt: skip
def test_a_wrong_key_is_said_and_not_added(adam: TestClient, body: dict[str, object], said: str) -> None:
    answer = adam.post("/api/v1/keys", json=body)
    assert (answer.status_code, said in answer.text) == (422, True), answer.text
    assert adam.get("/api/v1/keys").json()["items"] == []


def test_the_log_is_searched_from_its_end(shop: Workshop, adam: TestClient) -> None:
    for name in ("a", "b", "c"):
        adam.post("/api/v1/users", json={"name": name})
    adam.post("/api/v1/users", json={"name": "<i>d</i>"})
    every = adam.get("/api/v1/audit?limit=1000").json()["items"]
    assert [one["number"] for one in every] == sorted((one["number"] for one in every), reverse=True)
    assert len(every) == sum(1 for _ in AuditLog(shop.state).events())
    first = adam.get("/api/v1/audit?what=user.add&who=adam&limit=2").json()
    second = adam.get(f"/api/v1/audit?what=user.add&who=adam&limit=2&cursor={first['next']}").json()
    assert [one["on"] for one in (*first["items"], *second["items"])] == ["c", "b", "a"]
    assert adam.get("/api/v1/audit?on=nowhere").json() == {"items": [], "next": None}
    assert adam.get("/api/v1/audit?since=2999-01-01").json()["items"] == []
    page = adam.get("/dashboard/admin/audit?what=user.add&who=adam").text
    assert page.count('class="code" data-label="what">user.add') == 3


def test_a_changed_line_is_found(shop: Workshop, adam: TestClient) -> None:
    assert adam.post("/api/v1/audit/verify").json()["unchanged"] is True
    with Users(shop.state.url).engine.begin() as connection:
        connection.execute(sa.text("UPDATE dq_audit SET line = replace(line, 'adam', 'eve') WHERE number = 1"))
    answer = adam.post("/api/v1/audit/verify").json()
    assert answer["unchanged"] is False
    assert answer["breaches"]
    assert answer["sentence"] == "; ".join(answer["breaches"])


def test_the_pages_show_what_rest_says(adam: TestClient) -> None:
    assert "history" in adam.get("/dashboard/admin").text
    users = adam.get("/dashboard/admin/users").text
    assert 'data-user="tess"' in users
    assert "admin@domain:shop" in users
    assert 'value="operator@domain:shop"' in users
    assert "There is no API key." in adam.get("/dashboard/admin/keys").text
    assert adam.get("/dashboard/admin/nowhere").status_code == 404
