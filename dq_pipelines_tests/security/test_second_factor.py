"""Second factors: enrolled by a code, each code taken once, recovery codes once each."""

from __future__ import annotations

import threading
import time
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from unittest import mock
from urllib.parse import parse_qs, urlsplit

import pyotp
import pytest
import sqlalchemy as sa

from dq_pipelines.errors import ConfigError, Refused
from dq_pipelines.security.roles import Grant, Role
from dq_pipelines.security.second_factor import RECOVERY_CODES, Requirement, SecondFactor
from dq_pipelines.security.store import RECOVERY, TOTP, WRONG_TRIES
from dq_pipelines.security.throttling import FREE_TRIES, Origin
from dq_pipelines.security.users import User, Users

PASSWORD = "correct horse battery"
HERE = Origin("192.0.2.1")
#: A moment in the middle of a step.
NOW = 1_800_000_015.0


@pytest.fixture
def ann(users: Users) -> SecondFactor:
    users.add("ann", PASSWORD, [Grant(Role.ADMIN)])
    return SecondFactor(users)


def at(moment: float) -> AbstractContextManager[object]:
    """The server's clock, as far as codes go."""
    return mock.patch("dq_pipelines.security.second_factor.time.time", return_value=moment)


def enrolled(factor: SecondFactor, moment: float = NOW - 3600) -> tuple[pyotp.TOTP, list[str]]:
    """An app that has the secret, and the recovery codes."""
    app = pyotp.TOTP(factor.begin("ann").secret)
    with at(moment):
        return app, factor.confirm("ann", app.at(int(moment)))


def test_it_is_on_once_a_code_has_shown_that_the_app_has_the_secret(ann: SecondFactor) -> None:
    enrolment = ann.begin("ann")
    asked = parse_qs(urlsplit(enrolment.uri).query)
    assert (asked["secret"], asked["issuer"]) == ([enrolment.secret], ["dq_pipelines"])
    assert not ann.is_on("ann")
    with pytest.raises(Refused):
        ann.confirm("ann", "000000")
    with pytest.raises(Refused):
        ann.check("ann", pyotp.TOTP(enrolment.secret).now(), HERE)
    again = pyotp.TOTP(ann.begin("ann").secret)
    assert again.secret != enrolment.secret
    assert len(set(ann.confirm("ann", again.now()))) == RECOVERY_CODES
    assert ann.is_on("ann")
    assert ann.names() == {"ann"}
    with pytest.raises(Refused, match="got one that is on"):
        ann.begin("ann")


def test_a_code_is_taken_once_and_none_from_before_it(ann: SecondFactor) -> None:
    app, _ = enrolled(ann)
    before, this, after = (app.at(int(NOW + seconds)) for seconds in (-30, 0, 30))
    with at(NOW):
        assert ann.check("ann", f" {this[:3]} {this[3:]} ", HERE) == "totp"
        for code in (this, before):
            with pytest.raises(Refused):
                ann.check("ann", code, HERE)
        assert ann.check("ann", after, HERE) == "totp", "an app whose clock is ahead"


def test_the_code_that_confirmed_lets_nobody_in(ann: SecondFactor) -> None:
    app, _ = enrolled(ann, NOW)
    with at(NOW), pytest.raises(Refused):
        ann.check("ann", app.at(int(NOW)), HERE)


@pytest.mark.parametrize(("seconds", "taken"), [(-61, False), (-30, True), (0, True), (30, True), (61, False)])
def test_a_code_is_good_for_about_now(ann: SecondFactor, seconds: int, taken: bool) -> None:
    app, _ = enrolled(ann)
    with at(NOW):
        if taken:
            assert ann.check("ann", app.at(int(NOW + seconds)), HERE) == "totp"
        else:
            with pytest.raises(Refused):
                ann.check("ann", app.at(int(NOW + seconds)), HERE)


@pytest.mark.parametrize(
    "code", ["", " ", "12345", "1234567", "abcdef", "\u0661\u0662\u0663\u0664\u0665\u0666", "x" * 5000]
)
def test_what_is_no_code_is_refused(ann: SecondFactor, code: str) -> None:
    enrolled(ann)
    with pytest.raises(Refused, match="This code is wrong: enter the app's current code, or an unused recovery code"):
        ann.check("ann", code, HERE)


def test_of_two_who_send_the_same_code_at_once_one_is_let_in(ann: SecondFactor) -> None:
    app, recovery = enrolled(ann)
    for code in (app.at(int(NOW)), recovery[0]):
        came: list[str] = []

        def one(code: str = code, came: list[str] = came) -> None:
            try:
                came.append(ann.check("ann", code, HERE))
            except Refused:
                came.append("refused")

        with at(NOW):
            threads = [threading.Thread(target=one) for _ in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        assert came.count("refused") == 3, came


def test_a_recovery_code_is_good_once_and_kept_as_a_hash(ann: SecondFactor) -> None:
    _, codes = enrolled(ann)
    ann.users.add("bob", PASSWORD, [])
    with ann.users.engine.connect() as connection:
        kept = str(connection.execute(RECOVERY.select()).all())
    assert not any(code in kept or code.replace("-", "") in kept for code in codes)
    assert ann.check("ann", codes[0].upper().replace("-", " "), HERE) == "recovery"
    with pytest.raises(Refused):
        ann.check("ann", codes[0], HERE)
    with pytest.raises(Refused):
        ann.check("bob", codes[1], HERE)
    assert ann.recovery_left("ann") == RECOVERY_CODES - 1
    ann.renew_recovery("ann")
    with pytest.raises(Refused):
        ann.check("ann", codes[1], HERE)


def test_who_guesses_codes_has_to_wait(ann: SecondFactor) -> None:
    app, codes = enrolled(ann)
    for _ in range(FREE_TRIES):
        with pytest.raises(Refused):
            ann.check("ann", "000000", HERE)
    with at(NOW), pytest.raises(Refused):
        ann.check("ann", app.at(int(NOW)), HERE)
    with pytest.raises(Refused):
        ann.check("ann", codes[0], HERE)
    with at(NOW):
        assert ann.check("ann", app.at(int(NOW)), Origin("198.51.100.7")) == "totp", "others' guesses keep nobody out"
    with ann.users.engine.begin() as connection:
        connection.execute(WRONG_TRIES.update().values(last_at=datetime.now(UTC) - timedelta(seconds=31)))
    assert ann.check("ann", codes[0], HERE) == "recovery"


def test_a_reset_takes_all_of_it_away(ann: SecondFactor) -> None:
    _, codes = enrolled(ann)
    assert ann.reset("ann")
    assert not ann.is_on("ann")
    assert not ann.reset("ann")
    with pytest.raises(Refused):
        ann.check("ann", codes[0], HERE)
    with ann.users.engine.connect() as connection:
        left = [
            connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one() for table in (TOTP, RECOVERY)
        ]
    assert left == [0, 0]
    with pytest.raises(ConfigError, match="unknown user 'an'"):
        ann.reset("an")


def test_codes_go_by_the_clock_of_this_machine(ann: SecondFactor) -> None:
    app, _ = enrolled(ann, time.time() - 3600)
    assert ann.check("ann", app.now(), HERE) == "totp"


@pytest.mark.parametrize(("who", "admin", "viewer", "vouched"), [("", 0, 0, 0), ("admins", 1, 0, 0), ("all", 1, 1, 0)])
def test_who_needs_one_is_told_by_the_environment(
    monkeypatch: pytest.MonkeyPatch, who: str, admin: bool, viewer: bool, vouched: bool
) -> None:
    monkeypatch.setenv("DQ_REQUIRE_TOTP", who)
    needed = Requirement.from_environment()
    admins = frozenset({Grant(Role.ADMIN, "team:sales")})
    assert needed.covers(User("ann", admins)) == admin
    assert needed.covers(User("vera", frozenset({Grant(Role.VIEWER)}))) == viewer
    assert needed.covers(User("oidc", admins, subject="https://login.example 1")) == vouched


def test_another_word_for_who_needs_one_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DQ_REQUIRE_TOTP", "admin")
    with pytest.raises(ConfigError, match="DQ_REQUIRE_TOTP: wanted admins or all, got 'admin'"):
        Requirement.from_environment()
