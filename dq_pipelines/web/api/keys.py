"""Manages API keys: lists, adds and revokes them. For admins."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from dq_pipelines.errors import ConfigError
from dq_pipelines.security.keys import Key, lasts_by_default, within
from dq_pipelines.security.roles import Permission, grant_named
from dq_pipelines.security.signing import SigningKeys
from dq_pipelines.web.api.dependencies import Behind, everywhere, note
from dq_pipelines.web.api.texts import Text
from dq_pipelines.web.api.users import UserName
from dq_pipelines.web.problem_details import ApiError, problems

router = APIRouter(prefix="/keys", tags=["users"], dependencies=[Depends(everywhere(Permission.ADMIN))])

KeyId = Annotated[str, Path(max_length=64, pattern="^[0-9a-f]+$", examples=["5f2b6c1d9e0a"])]


class KeyLine(BaseModel):
    """An API key without its secret."""

    id: str = Field(examples=["5f2b6c1d9e0a"])
    user: str = Field(description="The user for whom it acts.", examples=["program"])
    note: str
    grant: str | None = Field(description="At most this role; null for all that the user may do.", examples=["viewer"])
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    in_use: bool = Field(description="Whether it is neither revoked nor expired.")


class KeyLines(BaseModel):
    """All keys, oldest first."""

    items: Sequence[KeyLine]


class NewKey(BaseModel):
    """A key to add."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"user": "program", "note": "nightly"}]})

    user: UserName
    note: Annotated[str, StringConstraints(max_length=255, pattern=r"^[^\x00]*$")] = Field(
        "", description="What it is for."
    )
    grant: Text | None = Field(None, description="At most this role, or role within a scope.", examples=["viewer"])
    days: int | None = Field(None, ge=1, le=36_500, description="Days until it expires; 90 by default, or DQ_KEY_DAYS.")


class AddedKey(KeyLine):
    """A new key."""

    key: str = Field(description="The key itself, told only now: send it as `X-API-Key`.")


@router.get("", summary="All API keys, without their secrets", operation_id="keys", responses=problems(503))
def keys(behind: Behind) -> KeyLines:
    return KeyLines(items=[_line(key) for key in behind.access.keys.all()])


@router.post("", summary="Add an API key", operation_id="add_key", status_code=201, responses=problems(422, 503))
def add(wanted: NewKey, request: Request, behind: Behind) -> AddedKey:
    try:
        grant = None if wanted.grant is None else grant_named(wanted.grant)
        user = behind.access.users.named(wanted.user)
    except ConfigError as error:
        raise ApiError(422, f"body: {error}") from None
    if not within(user, grant).grants:
        raise ApiError(422, f"body.grant: wanted a role that {user.name} has at least in part, got {grant}")
    lasts = lasts_by_default() if wanted.days is None else timedelta(days=wanted.days)
    text = behind.access.keys.add(user.name, wanted.note, grant, lasts)
    [made] = [key for key in behind.access.keys.all() if key.id == text.split("_")[1]]
    note(request, "key.add", made.id, user=user.name, note=wanted.note, days=str(lasts.days))
    return AddedKey(**_line(made).model_dump(), key=text)


@router.delete(
    "/{id}", summary="Revoke an API key", operation_id="revoke_key", status_code=204, responses=problems(404, 503)
)
def revoke(id: KeyId, request: Request, behind: Behind) -> None:
    try:
        behind.access.keys.revoke(id)
    except ConfigError as error:
        raise ApiError(404, str(error)) from None
    note(request, "key.revoke", id)


class Rotation(BaseModel):
    """How to rotate the key that signs bearer tokens."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"at_once": False}]})

    at_once: bool = Field(False, description="Refuse earlier tokens at once, and not only when they expire.")


@router.post(
    "/rotate",
    summary="Sign bearer tokens by a new key",
    operation_id="rotate_signing_key",
    status_code=204,
    responses=problems(422, 503),
)
def rotate(request: Request, behind: Behind, wanted: Rotation | None = None) -> None:
    at_once = wanted is not None and wanted.at_once
    SigningKeys.of(behind.access.users, behind.site.state).rotate(at_once=at_once)
    note(request, "key.rotate", at_once=at_once)


def _line(key: Key) -> KeyLine:
    return KeyLine(
        id=key.id,
        user=key.user,
        note=key.note,
        grant=None if key.grant is None else key.grant.typed,
        created_at=key.created_at,
        expires_at=key.expires_at,
        revoked_at=key.revoked_at,
        in_use=key.is_in_use,
    )
