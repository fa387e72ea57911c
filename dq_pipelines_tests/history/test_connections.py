"""A server keeps its connections to PostgreSQL; a run, which may last for hours, keeps none."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from dq_pipelines.config import database


def opened(url: str) -> int:
    """How many connections three questions take, one after the other."""
    engine = database.database(url, sa.MetaData(), "test")
    engine.dispose()
    found: list[object] = []
    sa.event.listen(engine, "connect", lambda connection, _: found.append(connection))
    for _ in range(3):
        with engine.connect() as connection:
            connection.execute(sa.text("select 1"))
    engine.dispose()
    return len(found)


def test_only_who_serves_keeps_connections(postgres: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "_pooled", [])
    assert opened(postgres) == 3
    database.keep_connections()
    assert opened(postgres) == 1
