"""Issues, renews and revokes bearer tokens for programs (RFC 6749, RFC 7009)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal
from urllib.parse import parse_qsl

from anyio.to_thread import run_sync
from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from dq_pipelines.errors import Refused
from dq_pipelines.security.audit import Event
from dq_pipelines.security.throttling import Origin
from dq_pipelines.security.tokens import IssuedTokens, UsedTwice
from dq_pipelines.security.users import User
from dq_pipelines.web.api.dependencies import Behind
from dq_pipelines.web.auth.access import source_of
from dq_pipelines.web.auth.origins import network_of
from dq_pipelines.web.auth.rate_limit import WINDOW
from dq_pipelines.web.backend import Backend
from dq_pipelines.web.problem_details import ApiError, mistakes, problems

#: These routes need no login: see `web.middleware.authentication`.
router = APIRouter(prefix="/auth", tags=["auth"])

_LONGEST_BODY = 8192
_NO_STORE = {"Cache-Control": "no-store", "Pragma": "no-cache"}


class ByPassword(BaseModel):
    """A login by name and password."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"name": "ann", "password": "correct horse battery"}]})

    grant_type: Literal["password"] = "password"
    name: str = Field(max_length=255, description="OAuth's `username` is accepted too.")
    password: str = Field(max_length=256)
    otp: str = Field(
        "",
        max_length=64,
        description="The code of the second factor or a recovery code, if the user has a second factor.",
    )


class ByRefreshToken(BaseModel):
    """A renewal by refresh token, which works once."""

    grant_type: Literal["refresh_token"]
    refresh_token: str = Field(max_length=200, examples=["dqr_Yk3…"])


class Revocation(BaseModel):
    """A token of either kind; other parameters of RFC 7009 are accepted and ignored."""

    token: str = Field(max_length=4096)


class TokenPair(BaseModel):
    """The tokens of a login, with the names of RFC 6749."""

    access_token: str = Field(description="Send it as `Authorization: Bearer`.")
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105 - the name of a kind
    expires_in: int = Field(description="Seconds until the access token expires.", examples=[600])
    refresh_token: str = Field(description="Works for one renewal.")


_ASKED: TypeAdapter[ByPassword | ByRefreshToken] = TypeAdapter(
    Annotated[ByPassword | ByRefreshToken, Field(union_mode="smart")]
)
_REVOKED: TypeAdapter[Revocation] = TypeAdapter(Revocation)


def _body(adapter: TypeAdapter[Any]) -> dict[str, Any]:
    """The request body for the OpenAPI document, as JSON or as a form."""
    schema = adapter.json_schema(by_alias=False)
    for one in schema.pop("$defs", {}).values():
        one.pop("description", None)
        schema.setdefault("anyOf", [])
        schema["anyOf"] = [part for part in schema["anyOf"] if "$ref" not in part] + [one]
    kinds = ("application/json", "application/x-www-form-urlencoded")
    return {"requestBody": {"required": True, "content": {kind: {"schema": schema} for kind in kinds}}}


@router.post(
    "/token",
    summary="Log in, or renew a token",
    operation_id="token",
    responses=problems(400, 413, 415, 422, 429),
    openapi_extra=_body(_ASKED),
)
async def token(request: Request, behind: Behind, response: Response) -> TokenPair:
    """Tokens for a name and a password, or for a refresh token.

    A refresh token that is used twice revokes all tokens of its login.
    """
    asked = await _read(request, _ASKED)
    source = source_of(request.scope)
    if too_many := behind.access.tries.too_many(source):
        name = asked.name if isinstance(asked, ByPassword) else ""
        if too_many == 1:
            await _note(behind, Event(name, "token", source=source, result="refused", more={"why": "too many tries"}))
        raise ApiError(429, "too many attempts from this address: wait a minute", {"Retry-After": str(int(WINDOW))})
    by_password = isinstance(asked, ByPassword)
    pair = await (_begun(behind, asked, source) if by_password else _renewed(behind, asked, source))
    await _note(behind, Event(pair.user, "token", source=source, more={"by": asked.grant_type}))
    response.headers.update(_NO_STORE)
    return TokenPair(access_token=pair.access, expires_in=pair.lasts, refresh_token=pair.refresh)


@router.post(
    "/revoke",
    summary="End a login",
    operation_id="revoke",
    responses=problems(413, 415, 422),
    openapi_extra=_body(_REVOKED),
)
async def revoke(request: Request, behind: Behind, response: Response) -> None:
    """End the login of a token, with all its tokens. The answer is the same for an unknown token."""
    asked = await _read(request, _REVOKED)
    user = await run_sync(behind.access.tokens.revoke, asked.token)
    if user:
        await _note(behind, Event(user, "token.revoke", source=source_of(request.scope)))
    response.headers.update(_NO_STORE)


async def _begun(behind: Backend, asked: ByPassword, source: str) -> IssuedTokens:
    try:
        user = await behind.access.authenticate(asked.name, asked.password, Origin(network_of(source)))
    except Refused as error:
        await _note(behind, Event(asked.name, "token", source=source, result="refused", more={"by": "password"}))
        raise ApiError(400, str(error), _NO_STORE, error="invalid_grant") from None
    await _by_second_factor(behind, asked, user, source)
    return await run_sync(behind.access.tokens.begin, user)


async def _by_second_factor(behind: Backend, asked: ByPassword, user: User, source: str) -> None:
    """Raise ApiError if the user has a second factor and sends no valid code, or needs one and has none."""
    access = behind.access
    if not await run_sync(access.second_factor.is_on, user.name):
        if not access.requirement.covers(user):
            return
        why = "a second factor is required: set it up at /account/second-factor"
    elif not asked.otp:
        why = "wanted the code of the second factor as `otp`, got none"
    else:
        try:
            await access.check_code(user.name, asked.otp, Origin(network_of(source)))
        except Refused as error:
            why = str(error)
        else:
            return
    await _note(behind, Event(user.name, "token", source=source, result="refused", more={"by": "code"}))
    raise ApiError(400, why, _NO_STORE, error="invalid_grant")


async def _renewed(behind: Backend, asked: ByRefreshToken, source: str) -> IssuedTokens:
    try:
        return await run_sync(behind.access.tokens.renew, asked.refresh_token)
    except Refused as error:
        who, why = (error.user, "used twice") if isinstance(error, UsedTwice) else ("", "not in use")
        await _note(behind, Event(who, "token", source=source, result="refused", more={"by": "refresh", "why": why}))
        raise ApiError(400, str(error), _NO_STORE, error="invalid_grant") from None


async def _note(behind: Backend, event: Event) -> None:
    await run_sync(behind.access.log.add, event)


async def _read(request: Request, adapter: TypeAdapter[Any]) -> Any:
    """The body as one of these models. A form's names and values are texts, and each name comes once."""
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > _LONGEST_BODY:
            raise ApiError(413, f"body: wanted at most {_LONGEST_BODY:,} bytes, got more")
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    values = _values(kind, body)
    try:
        return adapter.validate_python(values)
    except ValidationError as error:
        raise ApiError(422, mistakes(_of_one_kind(error, values)), error="invalid_request") from None


def _of_one_kind(error: ValidationError, values: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The mistakes of a body as the grant type it names, without those of the other type."""
    other = ByPassword if values.get("grant_type") == "refresh_token" else ByRefreshToken
    # The input may be a secret: errors do not repeat it.
    for one in error.errors(include_input=False, include_url=False):
        if other.__name__ not in one["loc"]:
            steps = [step for step in one["loc"] if step not in (ByPassword.__name__, ByRefreshToken.__name__)]
            yield {"loc": ["body", *steps], "msg": one["msg"]}


def _values(kind: str, body: bytes) -> Mapping[str, Any]:
    try:
        if kind == "application/json":
            found = json.loads(body)
            json.dumps(found, ensure_ascii=False).encode()  # lone surrogates cannot be stored or looked up
        elif kind == "application/x-www-form-urlencoded":
            pairs = parse_qsl(body.decode("utf-8"), keep_blank_values=True, max_num_fields=20)
            found = dict(pairs)
            if len(found) < len(pairs):
                raise ApiError(422, "body: wanted each name once, got one twice", error="invalid_request")
        else:
            wanted = "application/json or application/x-www-form-urlencoded"
            raise ApiError(415, f"content-type: wanted {wanted}, got {kind[:80] or 'none'}")
    except (ValueError, RecursionError):
        raise ApiError(422, "body: wanted JSON or a form, got neither", error="invalid_request") from None
    if not isinstance(found, dict):
        raise ApiError(422, "body: wanted an object, got another value", error="invalid_request")
    return {"name": found["username"]} | found if "username" in found else found
