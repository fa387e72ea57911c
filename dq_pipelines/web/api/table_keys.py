"""Resolves table keys in paths and bodies to tables that the caller may view."""

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

#: Such as `silver/sales`: bronze and quarantine are addressed by the table that publishes their rows.
Key = Annotated[str, StringConstraints(max_length=255, pattern=r"^(silver|gold)/[^/\x00]+$")]
_KeyPath = Annotated[
    Key, Path(description="The published table: `silver/<name>` or `gold/<name>`.", examples=["silver/sales"])
]


def known(rights: Rights, key: str) -> Table:
    """The table of this key. Raises ApiError (404), with the nearest key, if there is none that the caller may view."""
    table = rights.project.by_key(key)
    if table is None or not rights.sees(key):
        raise unknown(rights, key)
    return table


def unknown(rights: Rights, key: str) -> ApiError:
    """A 404 to raise, with the nearest key that the caller may view."""
    return ApiError(404, f"unknown table '{key}'{nearest(key, rights.those([table.key for table in rights.project]))}")


def _remembered(key: _KeyPath, behind: Behind, rights: Own) -> str:
    """A key of the project, or of a removed table that is in history."""
    if not rights.sees(key):
        raise unknown(rights, key)
    if rights.project.by_key(key) is None and behind.site.stores.history.latest(key) is None:
        raise unknown(rights, key)
    return key


def _of_project(key: _KeyPath, rights: Own) -> Table:
    return known(rights, key)


def _with_rows(key: _KeyPath, rights: Own, connection: HTTPConnection) -> Table:
    """As `_of_project`, for routes that show rows: a refused request is logged in the audit log."""
    if rights.project.by_key(key) is not None and not rights.sees(key):
        note(connection, "read.quarantine", key, "refused")
    return known(rights, key)


#: Dependencies of routes with `{key:path}`.
Remembered = Annotated[str, Depends(_remembered)]
OfProject = Annotated[Table, Depends(_of_project)]
Quarantined = Annotated[Table, Depends(_with_rows)]
