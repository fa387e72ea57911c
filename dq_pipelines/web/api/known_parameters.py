"""Refuses query parameters that a route does not have: a mistyped filter would otherwise show everything."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastapi.routing import APIRoute
from starlette.requests import HTTPConnection

from dq_pipelines.errors import nearest
from dq_pipelines.web.problem_details import ApiError, in_lines


def only_known_parameters(connection: HTTPConnection) -> None:
    """Raise ApiError (422), with the nearest name, for each unknown parameter."""
    route, given = connection.scope.get("route"), list(dict.fromkeys(connection.query_params))
    if not given or not isinstance(route, APIRoute):
        return
    known = _parameters(connection, route)
    if unknown := [name for name in given if name not in known]:
        raise ApiError(422, in_lines([f"query.{name}: unknown parameter{nearest(name, known)}" for name in unknown]))


def _parameters(connection: HTTPConnection, route: APIRoute) -> Sequence[str]:
    """The query parameters of a route, as the OpenAPI document has them: a path may have a prefix that its route lacks."""
    operations = (one for path in connection.app.openapi()["paths"].values() for one in path.values())
    found: dict[str, Any] = next((one for one in operations if one.get("operationId") == route.operation_id), {})
    return [one["name"] for one in found.get("parameters", ()) if one["in"] == "query"]
