"""Stores of users on SQLite and on PostgreSQL."""

from __future__ import annotations

import uuid
from pathlib import Path

import pytest
import sqlalchemy as sa

from dq_pipelines.security.users import Users


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/users.db"
    from dq_pipelines_tests.contracts.postgresql import server

    there, name = sa.make_url(server().replace("postgresql://", "postgresql+psycopg2://")), f"dq_{uuid.uuid4().hex}"
    engine = sa.create_engine(there, poolclass=sa.NullPool, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
    return there.set(database=name).render_as_string(hide_password=False)


@pytest.fixture
def users(url: str) -> Users:
    return Users(url)
