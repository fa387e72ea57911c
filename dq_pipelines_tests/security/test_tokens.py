"""Bearer tokens: whom they let in, what is refused, and how a stolen one ends."""

from __future__ import annotations

import base64
import json
import threading
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey

from dq_pipelines.errors import ConfigError, Refused
from dq_pipelines.security.roles import Grant, Role
from dq_pipelines.security.signing import OUTLASTS, SigningKeys
from dq_pipelines.security.state import State
from dq_pipelines.security.store import REFRESH_TOKENS, SIGNING_KEYS
from dq_pipelines.security.tokens import ACCESS, Tokens, UsedTwice
from dq_pipelines.security.users import Users

PASSWORD = "correct horse battery"


def filled(users: Users) -> Tokens:
    users.add("ann", PASSWORD, [Grant(Role.OPERATOR, "domain:retail")])
    users.add("bob", PASSWORD, [Grant(Role.VIEWER)])
    return Tokens(users, SigningKeys(users, "p" * 64))


@pytest.fixture
def tokens(users: Users) -> Tokens:
    return filled(users)


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Tokens:
    """One store, for tests that only have tokens read."""
    return filled(Users(f"sqlite:///{tmp_path_factory.mktemp('tokens')}/users.db"))


def parts(token: str) -> tuple[dict[str, Any], dict[str, Any], str]:
    """Header, claims and signature."""
    head, claims, signature = token.split(".")
    return json.loads(unpacked(head)), json.loads(unpacked(claims)), signature


def unpacked(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def packed(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def signed(tokens: Tokens, changed: dict[str, Any], header: dict[str, Any] | None = None) -> str:
    """A token as ours are, by our own key, but for these claims; None leaves one out."""
    head, claims, _ = parts(tokens.begin(tokens.users.named("ann")).access)
    claims = {name: value for name, value in (claims | changed).items() if value is not None}
    return jwt.encode(head | (header or {}), claims, OctKey.import_key(tokens.keys.newest().secret), ["HS256"])


def test_a_token_lets_its_user_in_with_the_rights_of_now(tokens: Tokens) -> None:
    pair = tokens.begin(tokens.users.authenticate("ann", PASSWORD))
    assert tokens.authenticate(pair.access).grants == {Grant(Role.OPERATOR, "domain:retail")}
    tokens.users.grant("ann", [Grant(Role.VIEWER)])
    assert tokens.authenticate(pair.access).grants == {Grant(Role.VIEWER)}
    head, claims, _ = parts(pair.access)
    assert head == {"alg": "HS256", "typ": "at+jwt", "kid": tokens.keys.newest().id}
    assert claims["exp"] - claims["iat"] == ACCESS.total_seconds() == pair.lasts
    assert (claims["sub"], claims["iss"], claims["aud"]) == ("ann", "dq_pipelines", "dq_pipelines/api")


def test_a_signed_token_of_our_own_making_is_read(reader: Tokens) -> None:
    assert reader.authenticate(signed(reader, {})).name == "ann"  # else the refusals below would show nothing


@pytest.mark.parametrize(
    "changed",
    [
        {"exp": 1}, {"exp": None}, {"exp": "never"}, {"exp": True}, {"iat": 32_503_680_000}, {"iat": None}, {"jti": None},
        {"iss": "elsewhere"}, {"iss": None}, {"aud": "other"}, {"aud": ["other"]}, {"aud": None}, {"sub": "bob", "epoch": 9},
        {"sub": "nobody"}, {"sub": None}, {"sub": ["ann"]}, {"epoch": 1}, {"epoch": None}, {"epoch": False}, {"sid": "0" * 32},
        {"sid": None}, {"sid": ["x"]},
    ],
    ids=str,
)  # fmt: skip
def test_what_a_token_says_is_read_closely(reader: Tokens, changed: dict[str, Any]) -> None:
    with pytest.raises(Refused, match=r"^This token is unknown or expired\.$"):
        reader.authenticate(signed(reader, changed))


def test_a_token_with_the_login_of_another_user_is_refused(tokens: Tokens) -> None:
    bobs = tokens.begin(tokens.users.named("bob"))
    stolen = signed(tokens, {"sid": parts(bobs.access)[1]["sid"]})
    with pytest.raises(Refused):
        tokens.authenticate(stolen)
    assert tokens.revoke(stolen) == ""
    assert tokens.authenticate(bobs.access).name == "bob"


@pytest.mark.parametrize("typ", ["", "JWT", "id_token", "AT+JWT"])
def test_a_token_of_another_kind_is_refused(reader: Tokens, typ: Any) -> None:
    with pytest.raises(Refused):
        reader.authenticate(signed(reader, {}, {"typ": typ}))


@pytest.mark.parametrize(
    "alg", ["none", "None", "NONE", "HS384", "HS512", "RS256", "ES256", "EdDSA", "", None, ["HS256"]]
)
def test_another_algorithm_is_refused(reader: Tokens, alg: Any) -> None:
    head, claims, signature = parts(reader.begin(reader.users.named("ann")).access)
    for sign in (signature, ""):
        with pytest.raises(Refused):
            reader.authenticate(f"{packed(head | {'alg': alg})}.{packed(claims)}.{sign}")


def test_a_token_signed_by_another_algorithm_with_our_key_is_refused(reader: Tokens) -> None:
    head, claims, _ = parts(reader.begin(reader.users.named("ann")).access)
    key = OctKey.import_key(reader.keys.newest().secret * 2)
    with pytest.raises(Refused):
        reader.authenticate(jwt.encode(head | {"alg": "HS512"}, claims, key, ["HS512"]))
    own = RSAKey.generate_key(2048)
    with pytest.raises(Refused):
        reader.authenticate(
            jwt.encode(head | {"alg": "RS256", "jwk": own.as_dict(private=False)}, claims, own, ["RS256"])
        )


@pytest.mark.parametrize(
    "kid", ["", "0" * 12, "../../etc/passwd", "' or 1=1 --", "x" * 500, "\x00", "\ud800", None, 7, ["a"]]
)
def test_an_unknown_kid_is_refused(reader: Tokens, kid: Any) -> None:
    head, claims, signature = parts(reader.begin(reader.users.named("ann")).access)
    with pytest.raises(Refused):
        reader.authenticate(f"{packed(head | {'kid': kid})}.{packed(claims)}.{signature}")


def test_a_swapped_kid_is_refused(tokens: Tokens) -> None:
    access = tokens.begin(tokens.users.named("ann")).access
    after = tokens.keys.rotate()
    head, claims, signature = parts(access)
    assert tokens.authenticate(access).name == "ann"
    with pytest.raises(Refused):
        tokens.authenticate(f"{packed(head | {'kid': after.id})}.{packed(claims)}.{signature}")


def test_a_changed_token_is_refused(reader: Tokens) -> None:
    access = reader.begin(reader.users.named("bob")).access
    head, claims, signature = access.split(".")
    forged = packed(parts(access)[1] | {"sub": "ann"})
    flipped = signature[:-2] + ("A" if signature[-2] != "A" else "B") + signature[-1]
    for text in (
        f"{head}.{forged}.{signature}",
        f"{head}.{claims}.{flipped}",
        f"{head}.{claims}",
        f"{access}.{claims}",
    ):
        with pytest.raises(Refused):
            reader.authenticate(text)


@pytest.mark.parametrize(
    "text",
    ["", ".", "..", "...", "a.b.c", "\x00", "é.é.é", "x" * 10_000, packed("[" * 1400) + "..", packed('{"a":' * 280) + "..",
     packed([]) + "..", packed("null") + ".e30.", packed({"alg": "HS256", "crit": ["x"], "kid": "a"}) + ".e30.e30"],
)  # fmt: skip
def test_what_is_no_token_lets_nobody_in(reader: Tokens, text: str) -> None:
    reader.begin(reader.users.named("ann"))
    with pytest.raises(Refused):
        reader.authenticate(text)
    with pytest.raises(Refused):
        reader.renew(text)
    assert reader.revoke(text) == ""


def test_tokens_end_with_a_new_password_and_with_the_user(tokens: Tokens) -> None:
    for end in ("password", "disabled"):
        pair = tokens.begin(tokens.users.named("ann"))
        assert tokens.authenticate(pair.access).name == "ann"
        if end == "password":
            tokens.users.set_password("ann", "another good password")
        else:
            tokens.users.disable("ann")
        with pytest.raises(Refused):
            tokens.authenticate(pair.access)
        with pytest.raises(Refused):
            tokens.renew(pair.refresh)
    tokens.users.disable("ann", disabled=False)
    with pytest.raises(Refused):
        tokens.authenticate(pair.access)


def test_a_refresh_token_is_good_once_and_a_second_use_ends_the_login(tokens: Tokens) -> None:
    first = tokens.begin(tokens.users.named("ann"))
    other = tokens.begin(tokens.users.named("ann"))
    second = tokens.renew(first.refresh)
    assert tokens.authenticate(second.access).name == "ann"
    assert second.refresh != first.refresh
    with pytest.raises(UsedTwice) as used:
        tokens.renew(first.refresh)
    assert used.value.user == "ann"
    for access in (first.access, second.access):
        with pytest.raises(Refused):
            tokens.authenticate(access)
    with pytest.raises(Refused):
        tokens.renew(second.refresh)
    assert tokens.authenticate(tokens.renew(other.refresh).access).name == "ann", "another login goes on"


def test_of_two_who_renew_at_once_not_both_go_on(tokens: Tokens) -> None:
    pair = tokens.begin(tokens.users.named("ann"))
    got: list[str] = []
    barrier = threading.Barrier(4)

    def renew() -> None:
        mine = Tokens(Users(tokens.users.url), tokens.keys)
        barrier.wait(20)
        with suppress(Refused):
            got.append(mine.renew(pair.refresh).refresh)

    threads = [threading.Thread(target=renew) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(got) == 1
    with pytest.raises(Refused):
        tokens.renew(got[0])


def test_revoking_either_token_ends_the_login(tokens: Tokens) -> None:
    for kind in ("access", "refresh"):
        pair = tokens.begin(tokens.users.named("ann"))
        assert tokens.revoke(getattr(pair, kind)) == "ann"
        with pytest.raises(Refused):
            tokens.authenticate(pair.access)
        with pytest.raises(Refused):
            tokens.renew(pair.refresh)


@pytest.mark.parametrize("column", ["expires_at", "ends_at"])
def test_a_refresh_token_runs_out_and_so_does_its_login(tokens: Tokens, column: str) -> None:
    pair = tokens.begin(tokens.users.named("ann"))
    with tokens.users.engine.begin() as connection:
        row = connection.execute(sa.select(REFRESH_TOKENS.c.expires_at, REFRESH_TOKENS.c.ends_at)).mappings().one()
        assert abs(row["ends_at"] - datetime.now(UTC) - timedelta(hours=12)) < timedelta(minutes=1)
        assert row["expires_at"] == row["ends_at"]
        connection.execute(REFRESH_TOKENS.update().values({column: row[column] - timedelta(hours=12)}))
    if column == "expires_at":
        with pytest.raises(Refused):
            tokens.renew(pair.refresh)
        return
    with pytest.raises(Refused):
        tokens.authenticate(pair.access)
    pair = tokens.renew(pair.refresh)  # good for no longer than the login
    with pytest.raises(Refused):
        tokens.renew(pair.refresh)


def test_an_admin_who_asks_for_nothing_for_half_an_hour_logs_in_anew(tokens: Tokens) -> None:
    tokens.users.grant("ann", [Grant(Role.ADMIN)])
    pair = tokens.begin(tokens.users.named("ann"))
    with tokens.users.engine.begin() as connection:
        row = connection.execute(sa.select(REFRESH_TOKENS.c.expires_at, REFRESH_TOKENS.c.ends_at)).mappings().one()
        assert abs(row["expires_at"] - datetime.now(UTC) - timedelta(minutes=30)) < timedelta(minutes=1)
        assert abs(row["ends_at"] - datetime.now(UTC) - timedelta(hours=12)) < timedelta(minutes=1)
    assert tokens.renew(pair.refresh).user == "ann"


def test_no_token_is_kept(tokens: Tokens) -> None:
    pair = tokens.begin(tokens.users.named("ann"))
    with tokens.users.engine.connect() as connection:
        kept = str(connection.execute(REFRESH_TOKENS.select()).all()) + str(
            connection.execute(SIGNING_KEYS.select()).all()
        )
    assert pair.refresh not in kept
    assert pair.access not in kept
    assert tokens.keys.newest().secret.hex() not in kept


def test_a_retired_key_reads_until_its_tokens_have_run_out(tokens: Tokens) -> None:
    pair = tokens.begin(tokens.users.named("ann"))
    before = tokens.keys.newest()
    assert tokens.keys.newest() == before
    after = tokens.keys.rotate()
    assert tokens.keys.newest() == after != before
    assert tokens.authenticate(pair.access).name == "ann"
    assert OUTLASTS > ACCESS
    with tokens.users.engine.begin() as connection:
        this = SIGNING_KEYS.c.id == before.id
        (moment,) = connection.execute(sa.select(SIGNING_KEYS.c.retired_at).where(this)).one()
        connection.execute(SIGNING_KEYS.update().where(this).values(retired_at=moment - OUTLASTS))
    time.sleep(0.01)
    with pytest.raises(Refused):
        tokens.authenticate(pair.access)
    pair = tokens.renew(pair.refresh)
    assert tokens.authenticate(pair.access).name == "ann"
    tokens.keys.rotate(at_once=True)
    with pytest.raises(Refused):
        tokens.authenticate(pair.access)


def test_with_a_key_of_the_environment_the_store_alone_makes_no_token(
    tokens: Tokens, state: State, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DQ_TOKEN_KEY", "a" * 32)
    ours = Tokens.of(tokens.users, state)
    pair = ours.begin(ours.users.named("ann"))
    assert ours.authenticate(pair.access).name == "ann"
    with pytest.raises(Refused):
        tokens.authenticate(pair.access)
    with pytest.raises(Refused):
        ours.authenticate(tokens.begin(tokens.users.named("ann")).access)
    monkeypatch.setenv("DQ_TOKEN_KEY", "short")
    with pytest.raises(ConfigError, match="DQ_TOKEN_KEY: wanted at least 32 random characters, got 5"):
        Tokens.of(tokens.users, state)
