"""Tables and queries of SQLite as inputs."""

from __future__ import annotations

from typing import ClassVar, Literal

from dq_pipelines.databases.session import Session
from dq_pipelines.sources.database_file import DatabaseFileSource
from dq_pipelines.sources.scratch import scratch_folder


class SqliteSource(DatabaseFileSource):
    """Rows of a file of SQLite. A column whose values are all of the kind that it declares is typed, any other is exact text."""

    type: Literal["sqlite"]

    dialect: ClassVar[str] = "sqlite"
    scheme: ClassVar[str] = "sqlite"

    def open(self, url: str) -> Session:
        from dq_pipelines.databases.sqlite import SqliteSession

        return SqliteSession(url, scratch_folder)
