"""Tables of users of earlier releases are brought up to date once, keep their rows, and their copy is as closed as they are."""

from __future__ import annotations

import hashlib
import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.schema import CreateIndex, CreateTable

from dq_pipelines.config.private import private_file
from dq_pipelines.security.database import SCHEMA
from dq_pipelines.security.keys import Keys
from dq_pipelines.security.moving import open_state
from dq_pipelines.security.roles import Grant, Role
from dq_pipelines.security.state import State
from dq_pipelines.security.store import METADATA
from dq_pipelines.security.users import Users
from dq_pipelines_tests.security.test_state import DUMP, KEY, PASSWORD

LOCKS = {"failures", "locked_until"}


def columns(engine: sa.Engine) -> set[str]:
    return {column["name"] for column in sa.inspect(engine).get_columns("dq_users")}


@pytest.fixture
def earlier(tmp_path: Path) -> State:
    """The state of an earlier release, with a user and a key in it."""
    state = open_state(State.at(tmp_path / "state"))
    private_file(path := state.folder / "state.db")
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(DUMP)
    return state


def test_who_was_there_is_let_in_and_the_locks_are_gone(earlier: State) -> None:
    users = Users(earlier.url)
    assert users.authenticate("ann", PASSWORD).name == "ann"
    assert Keys(users).authenticate(KEY).name == "ann"
    assert columns(users.engine) & LOCKS == set()
    users.add("bob", PASSWORD, [Grant(Role.VIEWER)])
    assert [user.name for user in Users(earlier.url).all()] == ["ann", "bob"]


def test_every_table_is_there_whoever_opens_it_first(earlier: State) -> None:
    with Users(earlier.url).engine.connect() as connection:
        assert set(METADATA.tables) <= set(sa.inspect(connection).get_table_names())


def test_the_copy_from_before_is_closed_and_the_next_start_takes_it(earlier: State) -> None:
    with Users(earlier.url).engine.connect():
        copy = earlier.folder / f"state.db.before-version-{SCHEMA.version}"
        assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    assert columns(sa.create_engine(f"sqlite:///{copy}")) >= LOCKS
    assert open_state(earlier).problems() == []


def test_it_is_done_once_on_each_database(users: Users) -> None:
    users.add("ann", PASSWORD, [])
    with users.engine.begin() as connection:  # as a release before versions left it
        connection.exec_driver_sql("ALTER TABLE dq_users ADD COLUMN failures INTEGER DEFAULT 0 NOT NULL")
        connection.exec_driver_sql("ALTER TABLE dq_users ADD COLUMN locked_until TIMESTAMP")
        connection.exec_driver_sql("DELETE FROM dq_schema_versions WHERE store = 'users'")
    again = Users(users.url)
    assert (again.named("ann").name, columns(again.engine) & LOCKS) == ("ann", set())
    with again.engine.connect() as connection:
        assert SCHEMA.found(connection) == SCHEMA.version
    users.engine.dispose()
    again.engine.dispose()


def test_who_changes_the_tables_adds_a_migration() -> None:
    """The tables of today's version, column by column: a database that has this version is taken as it is."""
    dialect = sa.create_engine("sqlite://").dialect
    told = [str(CreateTable(table).compile(dialect=dialect)) for table in METADATA.sorted_tables]
    told += sorted(
        str(CreateIndex(index).compile(dialect=dialect)) for table in METADATA.sorted_tables for index in table.indexes
    )
    digest = hashlib.sha256("\n".join(told).encode()).hexdigest()[:16]
    assert (SCHEMA.version, digest) == (2, "bb053d717372aa24"), (
        "add a migration to security/database.py, and then this digest"
    )
