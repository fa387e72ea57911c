"""The one shape in which the REST API says that something did not go: RFC 9457's problem details."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.exc import SQLAlchemyError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from starlette.routing import Match

from dq_pipelines.errors import ConfigError, DqError, PublishError, Refused

MEDIA_TYPE = "application/problem+json"
#: Mistakes of a request that are told in one answer.
_MOST = 100

_LOG = logging.getLogger(__name__)


class ProblemDetails(BaseModel):
    """What went wrong, as RFC 9457 has it."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "type": "about:blank",
                    "title": "Not Found",
                    "status": 404,
                    "detail": "unknown table 'silver/sale' (nearest: silver/sales)",
                }
            ]
        }
    )

    type: str = Field("about:blank", description="`about:blank`: the status says what kind of problem it is.")
    title: str = Field(description="The status in words.")
    status: int = Field(description="The HTTP status.", ge=400, le=599)
    detail: str = Field(
        description="One sentence: place, what was wanted, what was found, the nearest. Of several mistakes a line each."
    )


class ApiError(Exception):
    """An answer that is no success; raised by whoever answers."""

    def __init__(self, status: int, detail: str, headers: Mapping[str, str] | None = None, **more: str) -> None:
        self.status = status
        self.detail = detail
        self.headers = headers
        #: what a client of another standard reads, such as OAuth's `error`
        self.more = more
        super().__init__(detail)


def mistakes(found: Iterable[Mapping[str, Any]]) -> str:
    """What is wrong with a request, as pydantic has found it: a line for each mistake, which says where it is."""
    lines = [f"{'.'.join(str(step) for step in one['loc'])}: {_said(one['msg'])}" for one in found]
    return in_lines(lines)


def in_lines(lines: Sequence[str]) -> str:
    """Each once, and so many at most: a body may have a mistake in each of thousands of items."""
    once = list(dict.fromkeys(lines))
    more = [f"and {len(once) - _MOST:,} more"] if len(once) > _MOST else []
    return "\n".join(once[:_MOST] + more)


def _said(message: str) -> str:
    message = message.removeprefix("Value error, ")
    return f"{message[:1].lower()}{message[1:]}"


def problem(status: int, detail: str, headers: Mapping[str, str] | None = None, **more: str) -> JSONResponse:
    """An answer in the one shape."""
    body = ProblemDetails(title=HTTPStatus(status).phrase, status=status, detail=detail)
    return JSONResponse(body.model_dump() | more, status, dict(headers or {}), media_type=MEDIA_TYPE)


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """For a route's `responses`: the statuses of this shape that it answers with beside its own."""
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemDetails"}}}
    return {status: {"description": HTTPStatus(status).phrase, "content": content} for status in statuses}


def say_problems(app: FastAPI) -> None:
    """Have every error of this app said in the one shape; what dq_pipelines says on purpose is said as it is."""

    @app.exception_handler(ApiError)
    async def _raised(_: Request, error: ApiError) -> JSONResponse:
        return problem(error.status, error.detail, error.headers, **error.more)

    @app.exception_handler(HTTPException)
    async def _http(request: Request, error: HTTPException) -> JSONResponse:
        headers = dict(error.headers or {})
        if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
            headers["Allow"] = ", ".join(_methods_at(app, request))  # else those of the first route of this path alone
        return problem(error.status_code, str(error.detail), headers)

    @app.exception_handler(RequestValidationError)
    async def _invalid(_: Request, error: RequestValidationError) -> JSONResponse:
        return problem(422, mistakes(error.errors()))

    @app.exception_handler(SQLAlchemyError)
    async def _database(_: Request, error: SQLAlchemyError) -> JSONResponse:
        # Whose database, and where it is, is in the server's log; what the database said may quote what was asked of it.
        _LOG.error("a database did not answer: %s", str(error).splitlines()[0])
        return problem(503, "the gateway's database did not answer: try again")

    @app.exception_handler(DqError)
    async def _ours(_: Request, error: DqError) -> JSONResponse:
        return problem(_status_of(error), str(error))


def _methods_at(app: FastAPI, request: Request) -> list[str]:
    """Those that some route answers there."""
    scopes = {method: {**request.scope, "method": method} for method in ("DELETE", "GET", "PATCH", "POST", "PUT")}
    return [m for m, scope in scopes.items() if any(one.matches(scope)[0] is Match.FULL for one in app.routes)]


def _status_of(error: DqError) -> int:
    if isinstance(error, Refused):
        return 403
    if isinstance(error, ConfigError):
        return 422
    return 503 if isinstance(error, PublishError) else 502
