"""Stores of users on SQLite and on PostgreSQL."""

from __future__ import annotations

from pathlib import Path

import pytest

from dq_pipelines.security.state import State
from dq_pipelines.security.users import Users
from dq_pipelines_tests.contracts.postgresql import new_database


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/users.db"
    return new_database()


@pytest.fixture
def state(url: str, tmp_path: Path) -> State:
    return State(tmp_path / "state", url)


@pytest.fixture
def users(url: str) -> Users:
    return Users(url)
