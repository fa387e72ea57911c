"""Tables and queries of PostgreSQL as inputs."""

from __future__ import annotations

from typing import ClassVar, Literal

from dq_pipelines.databases.session import Session
from dq_pipelines.databases.tunnel import Tunnel
from dq_pipelines.sources.database import DatabaseSource


class PostgresSource(DatabaseSource):
    """Rows of PostgreSQL, typed as they are there. A type that no other engine has is its text, an array JSON."""

    type: Literal["postgres"]

    dialect: ClassVar[str] = "postgres"
    scheme: ClassVar[str] = "postgresql"

    def open(self, url: str) -> Session:
        from dq_pipelines.databases.postgresql import PostgresSession

        return PostgresSession(url)

    def open_through(self, tunnel: Tunnel, url: str) -> Session:
        from dq_pipelines.databases.postgresql import PostgresSession

        return PostgresSession(url, tunnel)
