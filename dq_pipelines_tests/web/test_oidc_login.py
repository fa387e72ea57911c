"""Login by a real OpenID Connect provider over HTTP: accepted users and their roles, and each forged answer that is refused."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import httpx
import pytest
import sqlalchemy as sa
from joserfc.jwk import OctKey, RSAKey
from starlette.testclient import TestClient

from dq_pipelines.errors import ConfigError
from dq_pipelines.project import load_project
from dq_pipelines.security.audit import AuditLog
from dq_pipelines.security.roles import Grant, Role
from dq_pipelines.security.store import SESSIONS
from dq_pipelines.security.users import Users
from dq_pipelines.web.app import application
from dq_pipelines_tests.web.conftest import site_of
from dq_pipelines_tests.web.hosting import OWN, PASSWORD
from dq_pipelines_tests.web.identity_provider import CLIENT, SECRET, IdentityProvider, providing
from dq_pipelines_tests.workshop import Workshop

pytestmark = pytest.mark.slow

SETTINGS = """
name: demo
oidc:
  issuer: {issuer}
  client_id: {client}
  client_secret: ${{OIDC_SECRET}}
  groups:
    ops: [operator@domain:retail, viewer]
    boss: [admin]
  title: Log in at the office
"""


@pytest.fixture
def provider() -> Iterator[IdentityProvider]:
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    with providing() as made:
        yield made


@pytest.fixture
def shop(tmp_path: Path, provider: IdentityProvider, monkeypatch: pytest.MonkeyPatch) -> Workshop:
    monkeypatch.setenv("OIDC_SECRET", SECRET)
    made = Workshop(tmp_path)
    made.table("sales", "source: {type: csv, path: x.csv}\nsilver: {}\n")
    settings(made, SETTINGS.format(issuer=provider.address, client=CLIENT))
    return made


def settings(shop: Workshop, text: str) -> None:
    (shop.root / "assets_config" / "project.yaml").write_text(text, encoding="utf-8")


@pytest.fixture
def client(shop: Workshop) -> Iterator[TestClient]:
    with browser(shop) as made:
        yield made


def browser(shop: Workshop) -> TestClient:
    return TestClient(application(site_of(shop)), base_url="http://dq.example:3001", follow_redirects=False)


def sent(client: TestClient, target: str = "/metrics") -> str:
    """Where the provider sends the browser back to, once it was sent there."""
    to = client.get("/login/oidc", params={"next": target})
    assert to.status_code == 303, to.text
    back = httpx.get(to.headers["location"])
    assert back.status_code == 302, back.text
    return str(back.headers["location"])


def logged_in(client: TestClient) -> int:
    return int(client.get(sent(client)).status_code)


def me(client: TestClient) -> str | None:
    answer = client.get("/apikey")
    return str(answer.json()["user"]) if answer.status_code == 200 else None


def why(shop: Workshop) -> str:
    """Why the last login was refused, as the audit log has it."""
    *_, (_, event) = AuditLog(shop.state).events()
    assert (event.what, event.result) == ("login", "refused")
    return str(event.more["why"])


def test_a_login_by_the_provider_creates_a_user(client: TestClient, shop: Workshop, provider: IdentityProvider) -> None:
    assert client.get("/metrics").status_code == 401, "a provider alone turns the login on"
    assert '<a href="/login/oidc?next=%2Fmetrics">Log in at the office</a>' in client.get("/login?next=/metrics").text
    answer = client.get(sent(client))
    assert answer.status_code == 303, why(shop)
    assert (answer.status_code, answer.headers["location"]) == (303, "/metrics")
    assert me(client) == "ann"
    user = Users(shop.state.url).named("ann")
    assert user.grants == {Grant(Role.OPERATOR, "domain:retail"), Grant(Role.VIEWER)}
    assert user.subject == f"{provider.address} u-1"
    (asked,) = provider.exchanged
    assert len(asked["code_verifier"]) >= 43
    assert "client_secret" not in asked, "the secret goes where the provider says that it takes it"
    events = [(event.who, event.what, event.result) for _, event in AuditLog(shop.state).events()]
    assert events == [("ann", "login", "done")]


def test_grants_follow_the_groups_and_the_name_stays(
    client: TestClient, shop: Workshop, provider: IdentityProvider
) -> None:
    assert logged_in(client) == 303
    provider.person |= {"groups": ["boss", "others"], "preferred_username": "anna"}
    assert logged_in(client) == 303
    assert me(client) == "ann", "the same person, whatever the provider calls them now"
    users = Users(shop.state.url)
    assert users.named("ann").grants == {Grant(Role.ADMIN)}
    provider.person["groups"] = ["others"]
    assert logged_in(client) == 401
    assert why(shop) == "wanted a user who is granted something, got 'ann'"
    assert users.named("ann").grants == frozenset()
    assert [user.name for user in users.all()] == ["ann"]


def test_a_login_without_grants_creates_no_user(client: TestClient, shop: Workshop, provider: IdentityProvider) -> None:
    for groups in ([], "others", None, {"ops": 1}, [["ops"], 7]):
        provider.person["groups"] = groups
        assert logged_in(client) == 401
    assert Users(shop.state.url).is_empty()


def test_a_provider_cannot_take_over_a_local_user_of_the_same_name(
    client: TestClient, shop: Workshop, provider: IdentityProvider
) -> None:
    users = Users(shop.state.url)
    users.add("ann", PASSWORD, [Grant(Role.ADMIN)])
    assert logged_in(client) == 401
    assert why(shop) == "wanted of the identity provider a name that nobody has here, got 'ann'"
    assert users.named("ann").grants == {Grant(Role.ADMIN)}
    provider.person["preferred_username"] = "<b>"
    assert logged_in(client) == 401
    provider.person |= {"preferred_username": "bob", "sub": "u-2"}
    assert logged_in(client) == 303
    provider.person["sub"] = "u-3"
    assert logged_in(client) == 401, "another person of that name"


def test_a_user_of_a_provider_has_no_password_and_can_be_disabled(client: TestClient, shop: Workshop) -> None:
    assert logged_in(client) == 303
    users = Users(shop.state.url)
    form = {"name": "ann", "password": ""}
    assert client.post("/login", data=form, headers=OWN).status_code == 401
    with pytest.raises(ConfigError, match=r"wanted a user with a password, got 'ann', who logs in by http://127.0.0.1"):
        users.set_password("ann", PASSWORD)
    users.disable("ann")
    assert me(client) is None
    assert logged_in(client) == 401
    assert why(shop) == "wanted a user who is not disabled, got 'ann'"


def test_a_session_that_a_provider_vouched_for_lasts_half_a_day(client: TestClient, shop: Workshop) -> None:
    logged_in(client)
    with Users(shop.state.url).engine.begin() as connection:
        (began,) = connection.execute(sa.select(SESSIONS.c.created_at)).one()
        connection.execute(SESSIONS.update().values(created_at=began - timedelta(hours=13)))
    assert me(client) is None


def test_claims_may_be_nested_and_come_from_userinfo(
    client: TestClient, shop: Workshop, provider: IdentityProvider
) -> None:
    settings(shop, SETTINGS.format(issuer=provider.address, client=CLIENT) + "  groups_claim: realm_access.roles\n")
    provider.person |= {"groups": [], "realm_access": {"roles": ["ops"]}}
    provider.kept_back = ("realm_access",)
    assert logged_in(client) == 303
    provider.told_later = {"sub": "u-9"}
    assert logged_in(client) == 401
    assert "wanted claims of the same user, got those of another" in why(shop)


def test_a_provider_may_change_its_key(client: TestClient, provider: IdentityProvider) -> None:
    assert logged_in(client) == 303
    provider.key = RSAKey.generate_key(2048, {"kid": "second", "use": "sig"})
    assert logged_in(client) == 303


@pytest.mark.parametrize(
    ("lies", "said"),
    [
        ({"nonce": "another"}, "nonce"), ({"nonce": None}, "nonce"), ({"iss": "https://evil.example"}, "iss"),
        ({"iss": None}, "iss"), ({"aud": "another"}, "aud"), ({"aud": ["another"]}, "aud"), ({"aud": None}, "aud"),
        ({"aud": [CLIENT, "another"], "azp": "another"}, "azp"), ({"exp": 1}, "exp"), ({"exp": None}, "exp"),
        ({"iat": 32_503_680_000}, "iat"), ({"sub": None}, "sub"), ({"sub": ""}, "sub"), ({"at_hash": "another"}, "at_hash"),
    ],
    ids=str,
)  # fmt: skip
def test_an_id_token_that_is_not_for_this_login_is_refused(
    client: TestClient, shop: Workshop, provider: IdentityProvider, lies: dict[str, Any], said: str
) -> None:
    provider.lies = lies
    assert logged_in(client) == 401
    assert me(client) is None
    assert Users(shop.state.url).is_empty()
    assert said in why(shop) or "expired" in why(shop)


@pytest.mark.parametrize(
    ("alg", "forger"),
    [("none", None), ("HS256", OctKey.import_key(SECRET)), ("RS256", RSAKey.generate_key(2048, {"kid": "first"}))],
    ids=["none", "by our secret", "by another key"],
)
def test_an_id_token_that_the_provider_has_not_signed_is_refused(
    client: TestClient, shop: Workshop, provider: IdentityProvider, alg: str, forger: Any
) -> None:
    provider.alg, provider.forger = alg, forger
    assert logged_in(client) == 401
    assert me(client) is None
    assert "wanted an id_token for this login" in why(shop)


def test_a_callback_works_once_and_only_in_its_browser(client: TestClient, shop: Workshop) -> None:
    back = sent(client)
    other = TestClient(client.app, base_url="http://dq.example:3001", follow_redirects=False)
    assert other.get(back).status_code == 401, "a browser that has begun nothing"
    sent(other)
    assert other.get(back).status_code == 401, "one that has begun another login"
    assert me(other) is None
    tampered = back.replace("state=", "state=x")
    assert client.get(tampered).status_code == 401
    assert client.get(back.partition("&state")[0]).status_code == 401
    kept = {"cookie": f"dq_login={client.cookies['dq_login']}"}
    assert client.get(back).status_code == 303
    assert me(client) == "ann"
    assert "dq_login" not in client.cookies
    client.cookies.clear()
    assert client.get(back, headers=kept).status_code == 401, "a second time"
    assert why(shop) == "wanted the callback of a login that this browser began, got another"


def test_a_code_of_somebody_elses_login_is_of_no_use(
    client: TestClient, shop: Workshop, provider: IdentityProvider
) -> None:
    victim = TestClient(client.app, base_url="http://dq.example:3001", follow_redirects=False)
    stolen = parse_qs(urlsplit(sent(victim)).query)["code"][0]
    own = sent(client)
    code = parse_qs(urlsplit(own).query)["code"][0]
    assert client.get(own.replace(code, stolen)).status_code == 401, "PKCE: another login's verifier does not fit"
    assert "wanted tokens for its code, got invalid_grant" in why(shop)
    exchange = {
        "grant_type": "authorization_code", "code": code, "redirect_uri": "http://dq.example:3001/login/oidc/callback",
    }  # fmt: skip
    answer = httpx.post(f"{provider.address}/token", data=exchange, auth=(quote(CLIENT), quote(SECRET, safe="")))
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request"), "no verifier at all"


def test_the_answer_of_another_provider_is_refused(
    client: TestClient, shop: Workshop, provider: IdentityProvider
) -> None:
    provider.answers_as = "https://evil.example"
    assert logged_in(client) == 401
    assert f"wanted that of {provider.address}, got another's" in why(shop)
    provider.answers_as = provider.address
    assert logged_in(client) == 303


def test_a_login_denied_by_the_provider_is_refused(client: TestClient, shop: Workshop) -> None:
    state = parse_qs(urlsplit(sent(client)).query)["state"][0]
    assert client.get("/login/oidc/callback", params={"state": state, "error": "access_denied"}).status_code == 401
    assert "wanted a code, got access_denied" in why(shop)


@pytest.mark.parametrize(
    "metadata",
    [{"issuer": "https://evil.example"}, {"token_endpoint": "ftp://evil.example"}, {"authorization_endpoint": None}],
    ids=str,
)
def test_a_provider_with_invalid_metadata_is_refused(
    client: TestClient, shop: Workshop, provider: IdentityProvider, metadata: dict[str, Any]
) -> None:
    provider.metadata = metadata
    assert client.get("/login/oidc").status_code == 502
    assert provider.exchanged == []
    assert "wanted" in why(shop)


def test_an_unreachable_provider_is_reported(client: TestClient, shop: Workshop) -> None:
    settings(shop, SETTINGS.format(issuer="http://127.0.0.1:9", client=CLIENT))
    answer = client.get("/login/oidc")
    assert (answer.status_code, "does not answer. Try again later" in answer.text) == (502, True)
    assert why(shop).endswith("wanted an answer, got ConnectError")


def test_the_client_secret_is_never_shown(client: TestClient, shop: Workshop) -> None:
    assert logged_in(client) == 303
    project = load_project(shop.root / "assets_config")
    assert SECRET not in repr(project.settings)
    assert SECRET not in str(list(AuditLog(shop.state).events()))


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("issuer: http://login.example.org", "wanted"),
        ("issuer: https://u@x y", "wanted"),
        (
            "groups: {ops: [operater]}",
            "wanted a role of viewer, steward, operator, admin, got 'operater' (nearest: operator)",
        ),
        ("everyone: [viewer@retail]", "wanted a scope such as domain:retail or team:sales, got 'retail'"),
    ],
)
def test_invalid_settings_are_reported_with_their_line(shop: Workshop, line: str, said: str) -> None:
    key = line.partition(":")[0]
    text = "oidc:\n  issuer: https://x.example\n  client_id: a\n"
    settings(
        shop,
        text.replace("  issuer: https://x.example\n", "") + f"  {line}\n" if key == "issuer" else text + f"  {line}\n",
    )
    with pytest.raises(ConfigError) as wrong:
        load_project(shop.root / "assets_config")
    assert said in str(wrong.value)
    assert "project.yaml:" in str(wrong.value)
