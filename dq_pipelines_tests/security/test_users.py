"""Users, sessions and keys: who is let in, and who no longer."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from dq_pipelines.errors import ConfigError, Refused
from dq_pipelines.security.devices import Devices
from dq_pipelines.security.keys import Keys, lasts_by_default
from dq_pipelines.security.roles import PERMISSIONS, Grant, Permission, Role, may, why_not
from dq_pipelines.security.session_limits import SessionLimits
from dq_pipelines.security.sessions import Sessions
from dq_pipelines.security.store import KEYS, SESSIONS, USERS, WRONG_TRIES
from dq_pipelines.security.throttling import FREE_TRIES, LONGEST_DELAY, Origin
from dq_pipelines.security.users import Users

pytestmark = pytest.mark.slow

PASSWORD = "correct horse battery"


@pytest.fixture
def ann(users: Users) -> Users:
    users.add("ann", PASSWORD, [Grant(Role.OPERATOR, "domain:retail")])
    return users


def test_the_right_password_lets_in(ann: Users) -> None:
    user = ann.authenticate("ann", PASSWORD)
    assert user.name == "ann"
    assert user.grants == {Grant(Role.OPERATOR, "domain:retail")}
    assert not ann.is_empty()


@pytest.mark.parametrize(("name", "password"), [("ann", "wrong"), ("bob", PASSWORD), ("", ""), ("ann", "x" * 10_000)])
def test_anything_else_does_not_and_says_no_more(ann: Users, name: str, password: str) -> None:
    with pytest.raises(Refused, match="The name or the password is wrong"):
        ann.authenticate(name, password)


def test_no_password_is_kept(tmp_path: Path) -> None:
    Users(f"sqlite:///{tmp_path}/u.db").add("ann", PASSWORD, [])
    with sqlite3.connect(tmp_path / "u.db") as database:
        (kept,) = database.execute("SELECT password FROM dq_users").fetchone()
    database.close()
    assert kept.startswith("$argon2id$")
    assert PASSWORD not in kept


HERE, ELSEWHERE = Origin("192.0.2.1"), Origin("198.51.100.7")


def guess(users: Users, times: int, origin: Origin, name: str = "ann") -> None:
    for _ in range(times):
        with pytest.raises(Refused):
            users.authenticate(name, "wrong", origin)


def test_after_five_wrong_ones_the_right_one_has_to_wait(ann: Users) -> None:
    guess(ann, FREE_TRIES, HERE)
    with pytest.raises(Refused):
        ann.authenticate("ann", PASSWORD, HERE)
    with ann.engine.begin() as connection:
        connection.execute(WRONG_TRIES.update().values(last_at=datetime.now(UTC) - timedelta(seconds=31)))
    assert ann.authenticate("ann", PASSWORD, HERE).name == "ann"
    guess(ann, 1, HERE)
    assert ann.authenticate("ann", PASSWORD, HERE).name == "ann", "a right one begins the count anew"


def test_each_further_wrong_one_doubles_the_wait(ann: Users) -> None:
    guess(ann, FREE_TRIES, HERE)
    for failures, wait in ((5, 30), (6, 60), (7, 120), (30, 900)):
        for seconds, waits in ((wait - 5, True), (wait + 1, False)):
            with ann.engine.begin() as connection:
                last = datetime.now(UTC) - timedelta(seconds=seconds)
                connection.execute(WRONG_TRIES.update().values(failures=failures, last_at=last))
            assert ann.throttle.must_wait("ann", HERE) is waits, (failures, seconds)


def test_a_strangers_wrong_ones_keep_nobody_out_elsewhere(ann: Users) -> None:
    guess(ann, FREE_TRIES + 3, HERE)
    assert ann.authenticate("ann", PASSWORD, ELSEWHERE).name == "ann"
    assert ann.authenticate("ann", PASSWORD, Origin("192.0.2.1", "a known browser")).name == "ann"
    guess(ann, FREE_TRIES, Origin("192.0.2.1", "a known browser"))
    with pytest.raises(Refused):
        ann.authenticate("ann", PASSWORD, Origin("192.0.2.1", "a known browser"))
    ann.disable("ann", disabled=False)
    assert ann.authenticate("ann", PASSWORD, HERE).name == "ann", "an admin of this machine forgets all of it"


def test_many_strangers_make_each_others_tries_slow_and_not_the_owners(ann: Users) -> None:
    for number in range(25):
        ann.throttle.wrong("ann", Origin(f"192.0.2.{number}"))
        ann.throttle.wrong("nobody", Origin(f"192.0.2.{number}"))
    assert ann.throttle.delay("ann", ELSEWHERE) == LONGEST_DELAY
    assert ann.throttle.delay("nobody", ELSEWHERE) == LONGEST_DELAY, "a name that there is not is not told by that"
    assert ann.throttle.delay("ann", Origin("192.0.2.1", "a known browser")) == 0
    assert ann.throttle.delay("bob", ELSEWHERE) == 0
    with ann.engine.begin() as connection:
        connection.execute(WRONG_TRIES.update().values(last_at=datetime.now(UTC) - timedelta(hours=13)))
    assert ann.throttle.delay("ann", ELSEWHERE) == 0


def test_a_browser_is_known_by_who_has_logged_in_there_until_the_password_changes(ann: Users) -> None:
    devices = Devices(ann)
    ann.add("bob", PASSWORD, [])
    secret = devices.remember(ann.named("ann"))
    known = devices.of(secret, "ann")
    assert known is not None
    assert secret not in known
    assert devices.of(secret, "bob") is None, "another's browser is a stranger's"
    assert devices.of("guess", "ann") is None
    assert devices.of(None, "ann") is None
    again = devices.remember(ann.named("ann"), secret)
    assert devices.of(secret, "ann") is None
    ann.set_password("ann", "another good password")
    assert devices.of(again, "ann") is None


def test_sessions_end_with_a_new_password_and_with_the_user(ann: Users) -> None:
    sessions = Sessions(ann)
    secret = sessions.begin(ann.named("ann"))
    found = sessions.of(secret)
    assert found is not None
    assert found.says(found.csrf)
    assert not found.says("other")
    assert not found.says(None)
    assert sessions.of("guess") is None
    ann.set_password("ann", "another good password")
    assert sessions.of(secret) is None
    secret = sessions.begin(ann.named("ann"))
    ann.disable("ann")
    assert sessions.of(secret) is None
    ann.disable("ann", disabled=False)
    assert sessions.of(secret) is None
    secret = sessions.begin(ann.named("ann"))
    sessions.end(secret)
    assert sessions.of(secret) is None


@pytest.mark.parametrize(
    ("column", "ago", "role", "lasts"),
    [
        ("seen_at", timedelta(hours=11, minutes=59), Role.OPERATOR, True),
        ("seen_at", timedelta(hours=12, minutes=1), Role.OPERATOR, False),
        ("created_at", timedelta(hours=11, minutes=59), Role.OPERATOR, True),
        ("created_at", timedelta(hours=12, minutes=1), Role.OPERATOR, False),
        ("seen_at", timedelta(minutes=29), Role.ADMIN, True),
        ("seen_at", timedelta(minutes=31), Role.ADMIN, False),
    ],
)
def test_sessions_end_by_themselves(ann: Users, column: str, ago: timedelta, role: Role, lasts: bool) -> None:
    ann.grant("ann", [Grant(role, "team:sales")])
    sessions = Sessions(ann)
    secret = sessions.begin(ann.named("ann"))
    with ann.engine.begin() as connection:
        (moment,) = connection.execute(sa.select(SESSIONS.c[column])).one()
        connection.execute(SESSIONS.update().values({column: moment - ago}))
    assert (sessions.of(secret) is not None) is lasts
    assert len(sessions.of_user(ann.named("ann"))) == lasts


def test_a_page_that_looks_for_news_by_itself_keeps_no_session_going(ann: Users) -> None:
    ann.grant("ann", [Grant(Role.ADMIN)])
    sessions = Sessions(ann)
    secret, earlier = sessions.begin(ann.named("ann")), datetime.now(UTC) - timedelta(minutes=20)
    with ann.engine.begin() as connection:
        connection.execute(SESSIONS.update().values(seen_at=earlier))
    assert sessions.of(secret, by_hand=False) is not None
    assert sessions.of_user(ann.named("ann"))[0].seen_at == earlier
    assert sessions.of(secret) is not None
    assert sessions.of_user(ann.named("ann"))[0].seen_at > earlier


@pytest.mark.parametrize(
    ("name", "value", "limits"),
    [
        ("DQ_SESSION_HOURS", "2", (2 * 60, 2 * 60, 30)),
        ("DQ_SESSION_IDLE_MINUTES", "20", (12 * 60, 20, 20)),
        ("DQ_ADMIN_IDLE_MINUTES", "5", (12 * 60, 12 * 60, 5)),
        ("DQ_SESSION_HOURS", "", (12 * 60, 12 * 60, 30)),
    ],
)
def test_the_limits_of_sessions_are_told(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, limits: tuple[int, int, int]
) -> None:
    monkeypatch.setenv(name, value)
    found = SessionLimits.from_environment()
    assert [one // timedelta(minutes=1) for one in (found.longest, found.idle, found.admin_idle)] == list(limits)


@pytest.mark.parametrize("value", ["0", "-1", "x", "1.5", "169", "\u0661"])
def test_a_limit_that_is_none_is_told(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("DQ_SESSION_HOURS", value)
    with pytest.raises(ConfigError, match=f"DQ_SESSION_HOURS: wanted a whole number of 1 to 168, got '{value}'"):
        SessionLimits.from_environment()


def test_somebody_ends_their_own_sessions_and_nobody_elses(ann: Users) -> None:
    ann.add("bob", PASSWORD, [])
    sessions = Sessions(ann)
    mine = [sessions.begin(ann.named("ann"), f"192.0.2.{n}", f"Browser {n}\n") for n in range(3)]
    bobs = sessions.begin(ann.named("bob"))
    told = sessions.of_user(ann.named("ann"))
    assert sorted((one.address, one.agent) for one in told) == [(f"192.0.2.{n}", f"Browser {n} ") for n in range(3)]
    assert not any(one.id in mine for one in told)
    (other,) = sessions.of_user(ann.named("bob"))
    assert not sessions.end_named("ann", other.id)
    first = sessions.of(mine[0])
    assert first is not None
    assert sessions.end_named("ann", first.id)
    assert [sessions.of(secret) is not None for secret in mine] == [False, True, True]
    second = sessions.of(mine[1])
    assert second is not None
    assert sessions.end_others("ann", second.id) == 1
    assert [sessions.of(secret) is not None for secret in mine] == [False, True, False]
    assert sessions.of(bobs) is not None


def test_a_key_lets_in_until_it_is_revoked(ann: Users) -> None:
    keys = Keys(ann)
    text = keys.add("ann", "nightly")
    assert keys.authenticate(text).grants == {Grant(Role.OPERATOR, "domain:retail")}
    (known,) = keys.all()
    assert known.note == "nightly"
    with ann.engine.connect() as connection:
        assert text.split("_", 2)[2] not in str(connection.execute(KEYS.select()).all())
    keys.revoke(known.id)
    with pytest.raises(Refused):
        keys.authenticate(text)


@pytest.mark.parametrize("text", ["", "dq", "dq__", "dq_x_y", "Bearer", "dq_" + "a" * 300])
def test_what_is_no_key_lets_nobody_in(ann: Users, text: str) -> None:
    Keys(ann).add("ann")
    with pytest.raises(Refused):
        Keys(ann).authenticate(text)


def test_a_key_ends_with_its_time_and_its_user(ann: Users) -> None:
    keys = Keys(ann)
    with pytest.raises(Refused):
        keys.authenticate(keys.add("ann", lasts=timedelta(seconds=-1)))
    text = keys.add("ann", lasts=timedelta(days=1))
    assert keys.authenticate(text).name == "ann"
    ann.disable("ann")
    with pytest.raises(Refused):
        keys.authenticate(text)
    ann.disable("ann", disabled=False)
    assert keys.authenticate(text).name == "ann"
    with ann.engine.begin() as connection:
        connection.execute(USERS.delete().where(USERS.c.name == "ann"))
    with pytest.raises(Refused):
        keys.authenticate(text)
    ann.add("ann", PASSWORD, [])
    with pytest.raises(Refused):
        keys.authenticate(text)
    with pytest.raises(ConfigError, match="unknown user 'an' \\(nearest: ann\\)"):
        keys.add("an")
    with pytest.raises(ConfigError, match="unknown key"):
        keys.revoke("nobody")


def test_a_key_that_somebody_made_in_ones_name_ends_with_a_new_password(ann: Users) -> None:
    keys = Keys(ann)
    text = keys.add("ann", lasts=None)
    ann.set_password("ann", "another good password")
    with pytest.raises(Refused):
        keys.authenticate(text)
    assert keys.authenticate(keys.add("ann")).name == "ann"


def test_a_key_lasts_ninety_days_unless_it_is_told_otherwise(ann: Users) -> None:
    keys = Keys(ann)
    keys.add("ann")
    keys.add("ann", lasts=None)
    kept, endless = keys.all()
    assert kept.expires_at is not None
    assert kept.expires_at - kept.created_at == pytest.approx(timedelta(days=90), abs=timedelta(seconds=5))
    assert endless.expires_at is None
    assert lasts_by_default({"DQ_KEY_DAYS": "7"}) == timedelta(days=7)
    for wrong in ("0", "-1", "week", "1e3", "99999"):
        with pytest.raises(ConfigError, match=f"DQ_KEY_DAYS: wanted a number of days, 1 to 3650, got '{wrong}'"):
            lasts_by_default({"DQ_KEY_DAYS": wrong})


@pytest.mark.parametrize(
    ("users_own", "most", "left"),
    [
        (Grant(Role.ADMIN), Grant(Role.VIEWER), {Grant(Role.VIEWER)}),
        (Grant(Role.STEWARD), Grant(Role.OPERATOR), {Grant(Role.VIEWER)}),
        (Grant(Role.VIEWER), Grant(Role.ADMIN), {Grant(Role.VIEWER)}),
        (Grant(Role.ADMIN), Grant(Role.OPERATOR, "team:a"), {Grant(Role.OPERATOR, "team:a")}),
        (Grant(Role.ADMIN, "team:a"), Grant(Role.OPERATOR), {Grant(Role.OPERATOR, "team:a")}),
        (Grant(Role.ADMIN, "team:a"), Grant(Role.OPERATOR, "team:b"), set()),
    ],
)
def test_a_key_gives_no_more_than_both_do(users: Users, users_own: Grant, most: Grant, left: set[Grant]) -> None:
    users.add("bob", PASSWORD, [users_own])
    assert Keys(users).authenticate(Keys(users).add("bob", grant=most)).grants == left


@pytest.mark.parametrize(
    ("name", "password", "said"),
    [
        ("ann", PASSWORD, "wanted a new name, got 'ann'"),
        ("a b", PASSWORD, "wanted a name of letters"),
        ("\uff41\uff4e\uff4e", PASSWORD, "wanted a name of letters of one script"),  # ann in fullwidth letters
        ("\u0430nn", PASSWORD, "wanted a name of letters of one script"),  # ann with a Cyrillic a
        ("bob", "short", "wanted a password of 12 to 256 characters, got one of 5"),
    ],
)
def test_a_user_that_cannot_be_is_told(ann: Users, name: str, password: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        ann.add(name, password, [])


@pytest.mark.parametrize("name", ["zoë", "иван", "太郎さん", "ann-2", "ann@example.com", "αλέξης"])
def test_names_of_many_languages(users: Users, name: str) -> None:
    users.add(name, PASSWORD, [])
    assert users.named(name).name == name


def test_rights_are_what_the_table_says() -> None:
    retail, sales = Grant(Role.OPERATOR, "domain:retail"), Grant(Role.OPERATOR, "team:sales")
    assert may([retail], Permission.RUN, "retail")
    assert not may([retail], Permission.RUN, "flights")
    assert not may([retail], Permission.RUN), "who may for one domain may not for everything"
    assert may([sales], Permission.RUN, "flights", ["team:sales"])
    assert not may([Grant(Role.ADMIN, "domain:None")], Permission.ADMIN), "that is a domain of this name, not none"
    assert not may([retail], Permission.HEAL, "retail")
    assert all(may([Grant(Role.ADMIN)], permission) for permission in Permission)
    assert all(Permission.LOOK in given for given in PERMISSIONS.values())
    assert "be operator or admin; you are viewer" in why_not([Grant(Role.VIEWER)], Permission.RUN)
