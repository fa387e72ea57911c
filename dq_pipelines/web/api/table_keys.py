"""A table in a path or a body, by its key: whether there is one that the caller may look at."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Path
from pydantic import StringConstraints
from starlette.requests import HTTPConnection

from dq_pipelines.errors import nearest
from dq_pipelines.project import Table
from dq_pipelines.web.api.dependencies import Behind, Own, note
from dq_pipelines.web.auth.authorization import Rights
from dq_pipelines.web.problem_details import ApiError

#: As `silver/sales`: what publishes nothing by itself (bronze, quarantine) is asked for by what publishes it.
Key = Annotated[str, StringConstraints(max_length=255, pattern=r"^(silver|gold)/[^/\x00]+$")]
_KeyPath = Annotated[
    Key, Path(description="The published table: `silver/<name>` or `gold/<name>`.", examples=["silver/sales"])
]


def known(rights: Rights, key: str) -> Table:
    """The table of this key; raises ApiError (404), with the nearest, where there is none that the caller may look at."""
    table = rights.project.by_key(key)
    if table is None or not rights.sees(key):
        raise unknown(rights, key)
    return table


def unknown(rights: Rights, key: str) -> ApiError:
    """A 404 to raise, with the nearest of what the caller may look at."""
    return ApiError(404, f"unknown table '{key}'{nearest(key, rights.those([table.key for table in rights.project]))}")


def _remembered(key: _KeyPath, behind: Behind, rights: Own) -> str:
    """A key of the project, or of a table that history alone remembers."""
    if not rights.sees(key):
        raise unknown(rights, key)
    if rights.project.by_key(key) is None and behind.site.stores.history.latest(key) is None:
        raise unknown(rights, key)
    return key


def _of_project(key: _KeyPath, rights: Own) -> Table:
    return known(rights, key)


def _with_rows(key: _KeyPath, rights: Own, connection: HTTPConnection) -> Table:
    """As `_of_project`, for routes that show rows: who asks for a table that is not for them leaves a line in the audit log."""
    if rights.project.by_key(key) is not None and not rights.sees(key):
        note(connection, "read.quarantine", key, "refused")
    return known(rights, key)


#: Dependencies of routes with `{key:path}`.
Remembered = Annotated[str, Depends(_remembered)]
OfProject = Annotated[Table, Depends(_of_project)]
Quarantined = Annotated[Table, Depends(_with_rows)]
