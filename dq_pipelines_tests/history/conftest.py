"""A history on SQLite and one on PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from dq_pipelines.history.store.verdicts import History
from dq_pipelines_tests.contracts.postgresql import new_database


@pytest.fixture(scope="module")
def postgres() -> str:
    return new_database()


@pytest.fixture(params=["sqlite", "postgresql"])
def history(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[History]:
    if request.param == "sqlite":
        yield History(f"sqlite:///{tmp_path}/deep/er/history.db")
        return
    history = History(request.getfixturevalue("postgres"))
    for table in ("dq_results", "dq_column_metrics", "dq_batch_metrics", "dq_verdicts", "dq_attempts", "dq_changes"):
        with history.engine.begin() as connection:
            connection.exec_driver_sql(f"DELETE FROM {table}")  # noqa: S608 - one of the names above
    yield history
    history.engine.dispose()  # the server is everybody's, and has only so many places
