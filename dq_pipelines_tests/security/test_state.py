"""The folder of users and keys: closed to others by code, checked, and moved out of the lake with nothing left behind."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from dq_pipelines.errors import ConfigError, Refused
from dq_pipelines.history.store.verdicts import History
from dq_pipelines.security import moving
from dq_pipelines.security.audit import AuditLog, Event
from dq_pipelines.security.audit_verify import verify
from dq_pipelines.security.database import SCHEMA
from dq_pipelines.security.keys import Keys
from dq_pipelines.security.moving import open_state
from dq_pipelines.security.roles import Grant, Role
from dq_pipelines.security.sessions import Sessions
from dq_pipelines.security.signing import SigningKeys
from dq_pipelines.security.state import State
from dq_pipelines.security.store import METADATA, SIGNING_KEYS
from dq_pipelines.security.tokens import Tokens
from dq_pipelines.security.users import Users

PASSWORD = "correct horse battery"
#: What an earlier release kept in its history: a user with that password, a key, a login, a session, two lines of audit.
DUMP = Path(__file__).with_name("users_in_history.sql").read_text("utf-8")
KEY = "dq_69c157ad8854_2F5HLfmn8j2TMihisnPjan1-7GvdDG3TsXHst68oRps"


@pytest.fixture
def open_umask() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


def modes(folder: Path) -> dict[str, str]:
    found = {"": folder} | {path.name: path for path in folder.iterdir()}
    return {name: f"{stat.S_IMODE(path.stat().st_mode):o}" for name, path in found.items()}


@pytest.mark.usefixtures("open_umask")
def test_nobody_else_reads_what_is_made_whatever_the_umask(tmp_path: Path) -> None:
    state = open_state(State.at(tmp_path / "deep" / "state"))
    users = Users(state.url)
    users.add("ann", PASSWORD, [Grant(Role.ADMIN)])
    Tokens.of(users, state).begin(users.named("ann"))
    AuditLog(state).add(Event("ann", "login"))
    with users.engine.connect() as held:
        held.exec_driver_sql("SELECT 1 FROM dq_users").all()
        Sessions(users).begin(users.named("ann"))
        found = modes(state.folder)
    assert found.pop("") == "700"
    assert {"state.db", "state.db-wal", "state.db-shm", "token.key"} <= set(found)
    assert set(found.values()) == {"600"}
    assert open_state(state).problems() == []


@pytest.mark.usefixtures("open_umask")
def test_an_empty_folder_that_was_laid_ready_is_closed(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    open_state(State.at(tmp_path / "state"))
    assert modes(tmp_path / "state")[""] == "700"


@pytest.mark.parametrize("name", ["", "state.db", "token.key"])
@pytest.mark.parametrize("others", [0o040, 0o004, 0o020])
def test_what_others_can_read_is_refused_with_the_remedy(tmp_path: Path, name: str, others: int) -> None:
    state = open_state(State.at(tmp_path / "state"))
    users = Users(state.url)
    Tokens.of(users, state)
    assert users.is_empty()
    path = state.folder / name
    mode = stat.S_IMODE(path.stat().st_mode)
    path.chmod(mode | others)
    said = f"{path}: wanted it closed to others (mode {mode:o}), got {mode | others:o}: `chmod {mode:o} {path}`"
    with pytest.raises(ConfigError) as error:
        open_state(state)
    assert str(error.value) == said
    path.chmod(mode)
    open_state(state)


def test_a_folder_of_another_user_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    state = open_state(State.at(tmp_path / "state"))
    owner = state.folder.stat().st_uid
    monkeypatch.setattr(os, "geteuid", lambda: owner + 1)
    with pytest.raises(ConfigError, match=rf"belong to the user who runs this \(uid {owner + 1}\), got uid {owner}"):
        open_state(state)


def test_the_state_lies_apart_from_the_lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DQ_LAKE", str(tmp_path / "lake"))
    monkeypatch.setenv("DQ_STATE", str(tmp_path / "lake" / "state"))
    with pytest.raises(ConfigError, match="DQ_STATE: wanted a folder apart from the lake"):
        State.from_environment()


def test_records_in_postgresql_have_their_users_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DQ_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("DQ_HISTORY_URL", "postgresql+psycopg2://db/history")
    assert State.from_environment().url == "postgresql+psycopg2://db/history"
    monkeypatch.setenv("DQ_DATABASE_URL", "postgresql+psycopg2://db/state")
    assert State.from_environment().url == "postgresql+psycopg2://db/state"
    monkeypatch.setenv("DQ_HISTORY_URL", f"sqlite:///{tmp_path}/h.db")
    monkeypatch.delenv("DQ_DATABASE_URL")
    assert State.from_environment().url == f"sqlite:///{tmp_path}/state/state.db"
    monkeypatch.setenv("DQ_DATABASE_URL", "sqlite:////secret/place.db")
    with pytest.raises(ConfigError, match=r"DQ_DATABASE_URL: wanted postgresql\+psycopg2://…, got sqlite:…$"):
        State.from_environment()


# --- moved out of the lake ------------------------------------------------------------------------------


class Earlier:
    """A lake of an earlier release, whose history has users, keys and an audit log."""

    def __init__(self, root: Path) -> None:
        self.path = root / "lake" / "history.db"
        self.path.parent.mkdir()
        with closing(sqlite3.connect(self.path)) as connection:
            connection.executescript(DUMP)
        url = f"sqlite:///{self.path}"
        assert History(url).latest("silver/sales") is None
        self.path.chmod(0o644)
        users = Users(url)
        self.key = KEY
        self.session = Sessions(users).begin(users.named("ann"))
        self.token = Tokens(users, SigningKeys(users, "")).begin(users.named("ann"))
        with users.engine.connect() as connection:
            seeds = connection.execute(SIGNING_KEYS.select()).mappings().all()
            hashes = connection.exec_driver_sql("SELECT password FROM dq_users UNION SELECT secret FROM dq_api_keys")
            self.secrets = [str(row[0]) for row in hashes] + [str(row["seed"]) for row in seeds]
        with users.engine.begin() as connection:  # today's release has brought the tables up to date
            connection.exec_driver_sql("ALTER TABLE dq_users ADD COLUMN failures INTEGER DEFAULT 0 NOT NULL")
            connection.exec_driver_sql("ALTER TABLE dq_users ADD COLUMN locked_until DATETIME")
            connection.exec_driver_sql("DELETE FROM dq_schema_versions WHERE store = 'users'")
        self.path.with_name(f"history.db.before-version-{SCHEMA.version}").unlink()
        self.state = State(root / "state", State.at(root / "state").url, (self.path,))

    def leaks(self) -> list[str]:
        """The secrets that are still somewhere in the old file or its journals."""
        bytes_of = b"".join(path.read_bytes() for path in self.path.parent.glob("history.db*"))
        return [secret for secret in self.secrets if secret.encode() in bytes_of]


@pytest.fixture
def earlier(tmp_path: Path) -> Earlier:
    return Earlier(tmp_path)


def tables(path: Path) -> set[str]:
    with closing(sqlite3.connect(path)) as connection:
        return {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}


def test_users_in_the_lake_are_moved_and_nothing_of_them_stays(
    earlier: Earlier, capsys: pytest.CaptureFixture[str]
) -> None:
    assert len(earlier.leaks()) == 3
    state = open_state(earlier.state)
    said = capsys.readouterr().err
    assert said.startswith(f"dq: moved 1 users, 1 API keys, 2 audit lines from {earlier.path} to {state.url}")
    assert "others could read the old file: set new passwords" in said
    assert said.count("\n") == 1
    assert earlier.leaks() == []
    assert not tables(earlier.path) & set(METADATA.tables)
    assert "dq_verdicts" in tables(earlier.path)
    users = Users(state.url)
    assert users.authenticate("ann", PASSWORD).grants == {Grant(Role.ADMIN)}
    assert Keys(users).authenticate(earlier.key).name == "ann"
    assert Sessions(users).of(earlier.session) is not None
    log = AuditLog(state)
    assert [event.what for _, event in log.events()] == ["user.add", "key.add", "state.move"]
    assert verify(log) == []
    open_state(state)
    assert capsys.readouterr().err == ""


def test_a_token_signed_by_a_key_that_lay_in_the_lake_is_refused(earlier: Earlier) -> None:
    state = open_state(earlier.state)
    tokens = Tokens.of(Users(state.url), state)
    with pytest.raises(Refused):
        tokens.authenticate(earlier.token.access)
    assert tokens.authenticate(tokens.renew(earlier.token.refresh).access).name == "ann"


def test_a_move_that_was_killed_before_the_old_place_was_emptied_is_done_again(
    earlier: Earlier, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def killed(*_: object) -> str:
        copied(*_)  # type: ignore[arg-type]
        raise KeyboardInterrupt

    copied = moving._copy
    with monkeypatch.context() as patched:
        patched.setattr(moving, "_copy", killed)
        with pytest.raises(KeyboardInterrupt):
            open_state(earlier.state)
    assert len(earlier.leaks()) == 3
    open_state(earlier.state)
    assert earlier.leaks() == []
    assert [user.name for user in Users(earlier.state.url).all()] == ["ann"]
    assert list(earlier.state.folder.glob("earlier-*")) == []
    assert "these are not used" not in capsys.readouterr().err


def test_users_of_both_places_are_not_mixed_and_none_are_lost(
    earlier: Earlier, capsys: pytest.CaptureFixture[str]
) -> None:
    Users(earlier.state.url).add("bob", PASSWORD, [Grant(Role.VIEWER)])
    state = open_state(earlier.state)
    assert "those stay valid, these are not used" in capsys.readouterr().err
    assert [user.name for user in Users(state.url).all()] == ["bob"]
    assert earlier.leaks() == []
    (aside,) = state.folder.glob("earlier-*.db")
    assert [user.name for user in Users(f"sqlite:///{aside}").all()] == ["ann"]
    assert stat.S_IMODE(aside.stat().st_mode) == 0o600


@pytest.mark.skipif(os.geteuid() != 0, reason="only root starts a process as another user")
def test_another_account_of_the_machine_reads_the_lake_and_no_key() -> None:
    with tempfile.TemporaryDirectory() as root:
        Path(root).chmod(0o755)
        earlier = Earlier(Path(root))
        state = open_state(earlier.state)
        Tokens.of(Users(state.url), state)

        def as_nobody(path: Path) -> subprocess.CompletedProcess[bytes]:
            return subprocess.run(["cat", str(path)], user=65534, group=65534, extra_groups=[], capture_output=True)  # noqa: PLW1510

        lake = as_nobody(earlier.path)
        assert lake.returncode == 0
        assert [secret for secret in earlier.secrets if secret.encode() in lake.stdout] == []
        assert {path.name for path in state.files()} >= {"state.db", "token.key", "audit.keys", "audit.anchor"}
        for path in state.files():
            refused = as_nobody(path)
            assert (refused.returncode, b"Permission denied" in refused.stderr) == (1, True), path


def test_the_file_of_an_earlier_release_is_moved_with_its_log(tmp_path: Path) -> None:
    path = tmp_path / "history.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(DUMP)
    state = open_state(State(tmp_path / "state", State.at(tmp_path / "state").url, (path,)))
    users = Users(state.url)
    assert users.authenticate("ann", PASSWORD).grants == {Grant(Role.ADMIN)}
    assert Keys(users).authenticate(KEY).name == "ann"
    log = AuditLog(state)
    assert [event.what for _, event in log.events()] == ["user.add", "key.add", "state.move"]
    assert verify(log) == []
    with log.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE dq_audit SET line = replace(line, 'ann', 'bob') WHERE number = 1")
    assert [breach.message for breach in verify(log)] == ["line 1 was changed or inserted"]
    secrets = [word for word in DUMP.replace("'", " ").replace(",", " ").split() if len(word) >= 43]
    assert len(secrets) >= 7
    left = b"".join(one.read_bytes() for one in tmp_path.glob("history.db*"))
    assert [secret for secret in secrets if secret.encode() in left] == []
