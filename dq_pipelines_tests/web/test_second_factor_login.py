"""The second factor over HTTP: enrolled on the account page, required at login and for tokens."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pyotp
import pytest
from starlette.testclient import TestClient

from dq_pipelines.cli.user import totp_reset
from dq_pipelines.security.audit import AuditLog
from dq_pipelines.security.keys import Keys
from dq_pipelines.security.roles import Grant, Role
from dq_pipelines.security.second_factor import SecondFactor
from dq_pipelines.security.store import TOTP
from dq_pipelines.security.users import Users
from dq_pipelines.web.app import application
from dq_pipelines_tests.web.conftest import site_of
from dq_pipelines_tests.web.hosting import OWN, PASSWORD
from dq_pipelines_tests.workshop import Workshop

pytestmark = pytest.mark.slow

HTML = {"accept": "text/html"}
FACTOR = "/account/second-factor"


@pytest.fixture
def shop(tmp_path: Path) -> Workshop:
    made = Workshop(tmp_path)
    users = Users(made.state.url)
    users.add("ann", PASSWORD, [Grant(Role.ADMIN)])
    users.add("vera", PASSWORD, [Grant(Role.VIEWER)])
    return made


@pytest.fixture
def client(shop: Workshop) -> Iterator[TestClient]:
    with TestClient(application(site_of(shop)), base_url="http://dq.example:3001", follow_redirects=False) as made:
        yield made


def visitor(client: TestClient) -> TestClient:
    return TestClient(client.app, base_url="http://dq.example:3001", follow_redirects=False)


def log_in(client: TestClient, name: str = "ann") -> str:
    """Where the password leads."""
    form = {"name": name, "password": PASSWORD, "next": "/dashboard/"}
    return client.post("/login", data=form, headers=OWN).headers["location"]


def send(client: TestClient, do: str, **form: str) -> str:
    """The page that a form of the account's second factor leads to."""
    page = client.get(FACTOR).text
    found = re.search(r'name="csrf" value="([^"]+)"', page)
    assert found is not None, page
    return client.post(FACTOR, data={"csrf": found[1], "do": do} | form, headers=OWN).text


def enrol(client: TestClient) -> tuple[pyotp.TOTP, list[str]]:
    """Set it up as somebody does who looks at the pages: the secret is read from the page, and a code of an app sent."""
    page = send(client, "begin", old=PASSWORD)
    assert "<svg" in page
    secret = re.search(r"<p><code>([A-Z2-7 ]+)</code></p>", page)
    assert secret is not None
    app = pyotp.TOTP(secret[1].replace(" ", ""))
    codes = re.findall(r"<li><code>([a-z2-7-]+)</code></li>", send(client, "confirm", code=app.now()))
    assert len(codes) == 10
    return app, codes


def test_a_wrong_first_code_keeps_the_secret(client: TestClient, shop: Workshop) -> None:
    log_in(client)
    first = send(client, "begin", old=PASSWORD)
    (shown,) = re.findall(r"<p><code>([A-Z2-7 ]+)</code></p>", first)
    secret = shown.replace(" ", "")
    assert f'name="secret" value="{secret}"' in first
    again = send(client, "confirm", code="wrong", secret=secret)
    assert "Wrong code" in again
    assert f"<p><code>{shown}</code></p>" in again
    stranger = send(client, "confirm", code="wrong", secret="A" * 32)
    assert shown not in stranger, "who does not know the secret is not shown it"
    assert shown not in client.get(FACTOR).text
    assert "Recovery codes" in send(client, "confirm", code=pyotp.TOTP(secret).now(), secret=secret)
    assert SecondFactor(Users(shop.state.url)).is_on("ann")


def let_pass(shop: Workshop) -> None:
    """As if the code that was taken last were long ago."""
    with Users(shop.state.url).engine.begin() as connection:
        connection.execute(TOTP.update().values(last_step=0))


def test_a_login_asks_for_a_code_after_the_password(client: TestClient, shop: Workshop) -> None:
    assert log_in(client) == "/dashboard/"
    app, _ = enrol(client)
    let_pass(shop)
    other = visitor(client)
    assert log_in(other) == "/login/code"
    assert other.get("/apikey").status_code == 401, "the password alone lets nobody in"
    assert "dq_session" not in other.cookies
    page = other.get("/login/code")
    assert 'autocomplete="one-time-code"' in page.text
    assert other.post("/login/code", data={"code": "000000"}, headers=OWN).status_code == 401
    elsewhere = other.post("/login/code", data={"code": app.now()}, headers={"sec-fetch-site": "cross-site"})
    assert elsewhere.status_code == 403
    code = app.now()
    done = other.post("/login/code", data={"code": code}, headers=OWN)
    assert (done.status_code, done.headers["location"]) == (303, "/dashboard/")
    assert other.get("/apikey").json() == {"user": "ann"}
    third = visitor(client)
    log_in(third)
    assert third.post("/login/code", data={"code": code}, headers=OWN).status_code == 401, "a code that was used"
    events = [(event.what, event.result, event.more.get("by")) for _, event in AuditLog(shop.state).events()]
    assert ("login", "refused", "code") in events
    assert ("login", "done", "totp") in events
    assert app.secret not in str(list(AuditLog(shop.state).events()))


def test_a_login_that_waits_for_a_code_is_this_browsers_and_ends_with_five_wrong_ones(
    client: TestClient, shop: Workshop
) -> None:
    log_in(client)
    app, codes = enrol(client)
    let_pass(shop)
    stranger, other = visitor(client), visitor(client)
    log_in(other)
    assert stranger.post("/login/code", data={"code": app.now()}, headers=OWN).headers["location"] == "/login"
    for _ in range(5):
        assert other.post("/login/code", data={"code": "000000"}, headers=OWN).status_code == 401
    assert other.post("/login/code", data={"code": codes[0]}, headers=OWN).headers["location"] == "/login"


def test_a_new_password_ends_a_login_that_waits_for_a_code(client: TestClient, shop: Workshop) -> None:
    log_in(client)
    _, codes = enrol(client)
    other = visitor(client)
    log_in(other)
    Users(shop.state.url).set_password("ann", "another good password")
    assert other.post("/login/code", data={"code": codes[0]}, headers=OWN).headers["location"] == "/login"
    assert other.get("/apikey").status_code == 401


def test_a_recovery_code_lets_in_once(client: TestClient) -> None:
    log_in(client)
    _, codes = enrol(client)
    for status in (303, 401):
        other = visitor(client)
        log_in(other)
        assert other.post("/login/code", data={"code": codes[0]}, headers=OWN).status_code == status
    assert "9 recovery codes are unused" in client.get(FACTOR).text


def test_a_token_takes_the_code_too(client: TestClient, shop: Workshop) -> None:
    log_in(client)
    app, codes = enrol(client)
    let_pass(shop)
    program, asked = visitor(client), {"name": "ann", "password": PASSWORD}
    answer = program.post("/api/v1/auth/token", json=asked)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")
    assert answer.json()["detail"] == "wanted the code of the second factor as `otp`, got none"
    assert program.post("/api/v1/auth/token", json=asked | {"otp": "000000"}).status_code == 400
    code = app.now()
    given = program.post("/api/v1/auth/token", json=asked | {"otp": code})
    assert given.status_code == 200
    assert program.post("/api/v1/auth/token", json=asked | {"otp": code}).status_code == 400
    form = {"grant_type": "password", "username": "ann", "password": PASSWORD, "otp": codes[0]}
    assert program.post("/api/v1/auth/token", data=form).status_code == 200
    renewal = {"grant_type": "refresh_token", "refresh_token": given.json()["refresh_token"]}
    assert program.post("/api/v1/auth/token", json=renewal).status_code == 200, "a renewal asks for no code"


def test_setting_it_up_takes_the_password_and_ends_other_sessions(client: TestClient) -> None:
    log_in(client)
    other = visitor(client)
    log_in(other)
    assert "Wrong password or code" in send(client, "begin", old="wrong")
    assert "Wrong password or code" in send(client, "confirm", code="000000")
    enrol(client)
    assert other.get("/apikey").status_code == 401
    assert client.get("/apikey").status_code == 200


def test_turning_it_off_takes_password_and_code(client: TestClient, shop: Workshop) -> None:
    log_in(client)
    _, codes = enrol(client)
    factor = SecondFactor(Users(shop.state.url))
    for old, code in (("wrong", codes[0]), (PASSWORD, "000000"), (PASSWORD, "")):
        assert "Wrong password or code" in send(client, "off", old=old, code=code)
        assert factor.is_on("ann")
    fresh = re.findall(r"<li><code>([a-z2-7-]+)</code></li>", send(client, "renew", old=PASSWORD, code=codes[0]))
    assert "Wrong password or code" in send(client, "off", old=PASSWORD, code=codes[1])
    assert "The second factor is off." in send(client, "off", old=PASSWORD, code=fresh[0])
    assert not factor.is_on("ann")
    assert log_in(visitor(client)) == "/dashboard/"


def test_neither_another_sites_page_nor_a_key_sets_it_up(client: TestClient, shop: Workshop) -> None:
    log_in(client)
    form = {"do": "begin", "old": PASSWORD, "csrf": "guess"}
    assert client.post(FACTOR, data=form, headers=OWN).status_code == 403
    assert client.post(FACTOR, data=form, headers={"sec-fetch-site": "cross-site"}).status_code == 403
    key = {"x-api-key": Keys(Users(shop.state.url)).add("ann")}
    assert visitor(client).post(FACTOR, data=form, headers=key).status_code == 404


def test_a_required_second_factor_must_be_set_up_first(shop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DQ_REQUIRE_TOTP", "admins")
    with TestClient(application(site_of(shop)), base_url="http://dq.example:3001", follow_redirects=False) as client:
        assert log_in(client) == "/dashboard/"
        answer = client.get("/dashboard/", headers=HTML)
        assert (answer.status_code, answer.headers["location"]) == (303, FACTOR)
        for path in ("/apikey", "/api/v1/jobs", "/metrics", "/dashboard/events"):
            assert client.get(path).status_code == 403, path
        assert client.delete("/api/v1/sessions", headers=OWN).status_code == 403
        refused = client.post("/api/v1/auth/token", json={"name": "ann", "password": PASSWORD})
        assert "set it up at /account/second-factor" in refused.json()["detail"]
        assert "You must set up a second factor" in client.get(FACTOR).text
        enrol(client)
        assert client.get("/apikey").json() == {"user": "ann"}
        viewer = visitor(client)
        log_in(viewer, "vera")
        assert viewer.get("/apikey").json() == {"user": "vera"}
        key = {"x-api-key": Keys(Users(shop.state.url)).add("ann")}
        assert visitor(client).get("/apikey", headers=key).status_code == 200


def test_the_machines_admin_resets_a_second_factor(
    client: TestClient, shop: Workshop, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    log_in(client)
    enrol(client)
    monkeypatch.setenv("DQ_STATE", str(shop.state.folder))
    totp_reset("ann")
    assert capsys.readouterr().out == "ann has no second factor any more\n"
    assert client.get("/apikey").status_code == 401, "its sessions end"
    assert log_in(visitor(client)) == "/dashboard/"
    assert [event.what for _, event in AuditLog(shop.state).events()][-2] == "user.totp-reset"
