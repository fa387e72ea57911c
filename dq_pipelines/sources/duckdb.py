"""Tables and queries of DuckDB as inputs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

from dq_pipelines.databases.session import Session
from dq_pipelines.sources.database_file import DatabaseFileSource
from dq_pipelines.sources.scratch import scratch_folder


class DuckdbSource(DatabaseFileSource):
    """Rows of a file of DuckDB, typed as they are there. A type that no other engine has is its text, a list or struct JSON."""

    type: Literal["duckdb"]

    example: ClassVar[Mapping[str, str]] = {"connection": "duckdb:///data/shop.duckdb", "table": "orders"}
    dialect: ClassVar[str] = "duckdb"
    scheme: ClassVar[str] = "duckdb"

    def open(self, url: str) -> Session:
        from dq_pipelines.databases.duckdb import DuckdbSession

        return DuckdbSession(url, scratch_folder)
