"""Error answers of the REST API as problem details (RFC 9457)."""

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
#: Mistakes of a request that one answer lists at most.
_MOST = 100

_LOG = logging.getLogger(__name__)


class ProblemDetails(BaseModel):
    """An error, as RFC 9457 defines it."""

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

    type: str = Field("about:blank", description="`about:blank`: the status is the type of the problem.")
    title: str = Field(description="The reason phrase of the status.")
    status: int = Field(description="The HTTP status.", ge=400, le=599)
    detail: str = Field(
        description="A sentence: place, what was wanted, what was found, the nearest valid name. Several mistakes have a line each."
    )


class ApiError(Exception):
    """An error answer; a route raises it."""

    def __init__(self, status: int, detail: str, headers: Mapping[str, str] | None = None, **more: str) -> None:
        self.status = status
        self.detail = detail
        self.headers = headers
        #: more members of the answer, such as OAuth's `error`
        self.more = more
        super().__init__(detail)


def mistakes(errors: Iterable[Mapping[str, Any]]) -> str:
    """The mistakes that pydantic found in a request: a line with place and message for each."""
    lines = [f"{'.'.join(str(step) for step in error['loc'])}: {_sentence(error['msg'])}" for error in errors]
    return in_lines(lines)


def in_lines(lines: Sequence[str]) -> str:
    """Each line once, `_MOST` at most: a body may have a mistake in each of thousands of items."""
    once = list(dict.fromkeys(lines))
    more = [f"and {len(once) - _MOST:,} more"] if len(once) > _MOST else []
    return "\n".join(once[:_MOST] + more)


def _sentence(message: str) -> str:
    message = message.removeprefix("Value error, ")
    return f"{message[:1].lower()}{message[1:]}"


def problem(status: int, detail: str, headers: Mapping[str, str] | None = None, **more: str) -> JSONResponse:
    """An error answer as problem details."""
    body = ProblemDetails(title=HTTPStatus(status).phrase, status=status, detail=detail)
    return JSONResponse(body.model_dump() | more, status, dict(headers or {}), media_type=MEDIA_TYPE)


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """For a route's `responses`: these statuses, with problem details as their body."""
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemDetails"}}}
    return {status: {"description": HTTPStatus(status).phrase, "content": content} for status in statuses}


def add_error_handlers(app: FastAPI) -> None:
    """Answer every error of this app as problem details, with the sentence of a DqError as its detail."""

    @app.exception_handler(ApiError)
    async def _raised(_: Request, error: ApiError) -> JSONResponse:
        return problem(error.status, error.detail, error.headers, **error.more)

    @app.exception_handler(HTTPException)
    async def _http(request: Request, error: HTTPException) -> JSONResponse:
        headers = dict(error.headers or {})
        if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
            headers["Allow"] = ", ".join(
                _methods_at(app, request)
            )  # Starlette names only those of the path's first route
        return problem(error.status_code, str(error.detail), headers)

    @app.exception_handler(RequestValidationError)
    async def _invalid(_: Request, error: RequestValidationError) -> JSONResponse:
        return problem(422, mistakes(error.errors()))

    @app.exception_handler(SQLAlchemyError)
    async def _database(_: Request, error: SQLAlchemyError) -> JSONResponse:
        # The server's log has the details: the database's message may name its host, or quote the statement.
        _LOG.error("a database did not answer: %s", str(error).splitlines()[0])
        return problem(503, "the gateway's database did not answer: try again")

    @app.exception_handler(DqError)
    async def _ours(_: Request, error: DqError) -> JSONResponse:
        return problem(_status_of(error), str(error))


def _methods_at(app: FastAPI, request: Request) -> list[str]:
    """The methods that routes of this path answer."""
    scopes = {method: {**request.scope, "method": method} for method in ("DELETE", "GET", "PATCH", "POST", "PUT")}
    return [m for m, scope in scopes.items() if any(one.matches(scope)[0] is Match.FULL for one in app.routes)]


def _status_of(error: DqError) -> int:
    if isinstance(error, Refused):
        return 403
    if isinstance(error, ConfigError):
        return 422
    return 503 if isinstance(error, PublishError) else 502
