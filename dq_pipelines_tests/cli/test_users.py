"""`dq user`, `dq key` and `dq audit`: what a person does on the command line is in force, and in the log."""

from __future__ import annotations

import io
import json
import socket
import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from dq_pipelines.security.keys import Keys
from dq_pipelines.security.signing import SigningKeys
from dq_pipelines.security.state import State
from dq_pipelines.security.users import Users

from .conftest import Dq

PASSWORD = "correct horse battery"


@pytest.fixture
def users(dq: Dq, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Users:
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{PASSWORD}\n"))
    ran = dq("user", "add", "ann", "--role", "operator", "--scope", "domain:retail", "--password-stdin")
    assert (ran.returncode, ran.stdout) == (0, "ann may log in as operator of domain:retail\n")
    return Users(State.at(tmp_path / ".dq").url)


def test_users_come_and_go(dq: Dq, users: Users, monkeypatch: pytest.MonkeyPatch) -> None:
    assert users.authenticate("ann", PASSWORD).name == "ann"
    assert dq("user", "role", "ann", "viewer", "steward@team:sales").stdout == "ann is viewer, steward of team:sales\n"
    assert dq("user", "list").stdout.split() == ["ann", "steward", "of", "team:sales,", "viewer"]
    dq("user", "disable", "ann")
    assert users.named("ann").disabled
    dq("user", "enable", "ann")
    monkeypatch.setattr("sys.stdin", io.StringIO("another good password\n"))
    dq("user", "password", "ann", "--password-stdin")
    assert users.authenticate("ann", "another good password").name == "ann"
    done = [json.loads(line)["what"] for line in dq("audit", "list", "--json").stdout.splitlines()]
    assert done == ["user.add", "user.role", "user.disable", "user.enable", "user.password"]


def test_a_key_that_asks_for_more_than_its_user_has_is_told(dq: Dq, users: Users) -> None:
    ran = dq("key", "add", "ann", "--role", "admin")
    assert Keys(users).authenticate(ran.stdout.strip()).name == "ann"
    own = "operator of domain:retail"
    assert ran.stderr == f"ann is {own}: the key asks for admin, but grants only {own}\n"
    assert dq("key", "add", "ann", "--role", "operator", "--scope", "domain:retail").stderr == ""
    count = len(Keys(users).all())
    ran = dq("key", "add", "ann", "--role", "viewer", "--scope", "domain:other")
    assert (ran.returncode, ran.stdout) == (2, "")
    assert "ann has at least in part, got viewer of domain:other: ann is operator of domain:retail" in ran.stderr
    assert len(Keys(users).all()) == count


@pytest.mark.usefixtures("users")
def test_a_scope_that_no_table_has_is_told(dq: Dq, tmp_path: Path) -> None:
    folder = tmp_path / "assets_config" / "retail"
    folder.mkdir(parents=True)
    (folder / "sales.yaml").write_text("owners: [team:sales]\nsource: {type: csv, path: a.csv}\n")
    ran = dq("user", "role", "ann", "viewer@domain:retail", "steward@team:sales", "operator@domain:retial")
    assert ran.returncode == 0
    assert ran.stderr == "no table of the project is in domain:retial (nearest: domain:retail)\n"


def test_keys_are_said_once(dq: Dq, users: Users) -> None:
    text = dq("key", "add", "ann", "--note", "nightly", "--role", "viewer", "--days", "30").stdout.strip()
    assert Keys(users).authenticate(text).name == "ann"
    listed = dq("key", "list").stdout
    assert "nightly" in listed
    assert text.split("_", 2)[2] not in listed + dq("audit", "list").stdout
    dq("key", "add", "ann", "--never")
    dq("key", "add", "ann", DQ_KEY_DAYS="5")
    in_five_days = datetime.now(UTC) + timedelta(days=5)
    assert [line.split()[5:7] for line in dq("key", "list").stdout.splitlines()[1:]] == [
        ["never", "ends"],
        ["until", f"{in_five_days:%Y-%m-%d}"],
    ]
    both = dq("key", "add", "ann", "--never", "--days", "3")
    assert (both.returncode, both.stderr) == (2, "dq key add: wanted --days or --never, got both\n")
    dq("key", "revoke", text.split("_")[1])
    assert "revoked" in dq("key", "list").stdout


def test_the_key_that_signs_tokens_is_changed(dq: Dq, users: Users, tmp_path: Path) -> None:
    keys = SigningKeys.of(users, State.at(tmp_path / ".dq"))
    before = keys.newest()
    said = dq("key", "rotate").stdout
    assert said == f"new tokens are signed with {keys.newest().id}\n"
    assert before.id not in said
    assert keys.named(before.id) == before
    dq("key", "rotate", "--at-once")
    assert keys.named(before.id) is None
    assert "key.rotate" in dq("audit", "list").stdout


@pytest.mark.usefixtures("users")
def test_a_log_that_was_changed_is_told(dq: Dq, tmp_path: Path) -> None:
    dq("user", "disable", "ann")
    assert dq("audit", "verify").stdout == "2 lines, as they were written\n"
    with sqlite3.connect(tmp_path / ".dq" / "state.db") as database:
        database.execute("UPDATE dq_audit SET line = replace(line, 'user.disable', 'user.enable')")
    database.close()
    ran = dq("audit", "verify")
    assert (ran.returncode, ran.stderr) == (1, "line 2 was changed or inserted\n")


@pytest.mark.usefixtures("users")
def test_the_logs_key_is_changed_and_lines_of_before_are_verified(dq: Dq) -> None:
    said = dq("audit", "rotate-key").stdout
    assert said.startswith("new lines are signed with ")
    assert dq("audit", "verify").stdout == "3 lines, as they were written\n"
    ran = dq("audit", "rotate-key", DQ_AUDIT_KEY="given by the environment")
    assert (ran.returncode, "found DQ_AUDIT_KEY set" in ran.stderr) == (2, True)


@pytest.mark.usefixtures("users")
def test_what_cannot_be_told_to_others_is_kept_and_told(dq: Dq, tmp_path: Path) -> None:
    ran = dq("audit", "export")
    assert (ran.returncode, ran.stderr) == (2, "dq audit export: wanted DQ_AUDIT_EXPORT to name a place, found none\n")
    place = f"syslog://{tmp_path}/log"
    ran = dq("user", "disable", "ann", DQ_AUDIT_EXPORT=place)
    assert (ran.returncode, ran.stdout) == (0, "ann is disabled\n")
    assert ran.stderr.startswith(f"audit log: line 1 could not be sent to {place}, and is kept: ")
    ran = dq("audit", "export", DQ_AUDIT_EXPORT=place)
    assert (ran.returncode, ran.stderr.count("\n")) == (1, 1)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(f"{tmp_path}/log")
        listening.settimeout(10)
        assert dq("audit", "export", DQ_AUDIT_EXPORT=place).stdout == f"exported all events to {place}\n"
        assert "user.disable" in [json.loads(listening.recv(9_999).partition(b": ")[2])["what"] for _ in range(2)]


@pytest.mark.usefixtures("users")
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["user", "disable", "an"], "unknown user 'an' (nearest: ann)"),
        (
            ["user", "role", "ann", "viewr"],
            "wanted a role of viewer, steward, operator, admin, got 'viewr' (nearest: viewer)",
        ),
        (["user", "role", "ann", "viewer@retail"], "wanted a scope such as domain:retail or team:sales, got 'retail'"),
        (["key", "add", "bob"], "unknown user 'bob'"),
        (["key", "revoke", "x"], "unknown key 'x': `dq key list` lists the keys"),
    ],
)
def test_what_cannot_be_is_one_sentence(dq: Dq, arguments: list[str], said: str) -> None:
    ran = dq(*arguments)
    assert (ran.returncode, ran.stderr) == (2, f"{said}\n")
