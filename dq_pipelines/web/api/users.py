"""Manages the users of this service: adds them, replaces their roles, disables them, and ends their logins. For admins."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request
from pydantic import BaseModel, ConfigDict, Field, SecretStr, StringConstraints

from dq_pipelines.errors import ConfigError
from dq_pipelines.security.passwords import LONGEST, SHORTEST
from dq_pipelines.security.roles import Grant, Permission, grant_named
from dq_pipelines.security.users import User
from dq_pipelines.web.api.dependencies import Asker, Behind, everywhere, note
from dq_pipelines.web.api.texts import encoded
from dq_pipelines.web.auth.access import Caller
from dq_pipelines.web.backend import Backend
from dq_pipelines.web.problem_details import ApiError, problems

router = APIRouter(prefix="/users", tags=["users"], dependencies=[Depends(everywhere(Permission.ADMIN))])

UserName = Annotated[str, StringConstraints(min_length=1, max_length=255, pattern=r"^[^\x00]*$")]
Named = Annotated[UserName, Path(description="The user's name.", examples=["ann"])]
Grants = Annotated[
    Sequence[Annotated[str, StringConstraints(max_length=255)]],
    Field(
        max_length=100, description="A role, or a role within a scope.", examples=[["viewer", "operator@domain:retail"]]
    ),
]
#: Random bytes of a first password.
_FIRST = 15


class UserLine(BaseModel):
    """A user with roles and state."""

    name: str = Field(examples=["ann"])
    grants: Sequence[str] = Field(examples=[["viewer"]])
    disabled: bool
    created_at: datetime | None
    provider: str | None = Field(description="The identity provider; null for a user with a password.")
    second_factor: bool = Field(description="Whether a second factor is set up.")
    logins: int = Field(description="The number of active logins.")


class UserLines(BaseModel):
    """All users, by name."""

    items: Sequence[UserLine]


class NewUser(BaseModel):
    """A user to add."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"name": "ann", "grants": ["viewer"]}]})

    name: UserName
    grants: Grants = ("viewer",)
    password: SecretStr | None = Field(
        None,
        min_length=SHORTEST,
        max_length=LONGEST,
        description="By default a random one, which the answer tells once.",
    )


class AddedUser(UserLine):
    """A new user."""

    first_password: str | None = Field(description="The random password, told only now; null if one was given.")


class UserChange(BaseModel):
    """What to change of a user; members that are left out stay as they are."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"grants": ["operator"]}]})

    grants: Grants | None = Field(None, description="The roles, in place of the earlier ones.")
    disabled: bool | None = Field(None, description="A disabled user cannot log in; sessions and keys end.")
    second_factor: bool | None = Field(None, description="`false` removes the second factor, and ends all logins.")


@router.get("", summary="All users with their roles", operation_id="users", responses=problems(503))
def users(behind: Behind) -> UserLines:
    return UserLines(items=_lines(behind, behind.access.users.all()))


@router.post("", summary="Add a user", operation_id="add_user", status_code=201, responses=problems(422, 503))
def add(wanted: NewUser, request: Request, behind: Behind) -> AddedUser:
    grants = _grants(wanted.grants)
    first = secrets.token_urlsafe(_FIRST) if wanted.password is None else None
    password = first if wanted.password is None else _text_of(wanted.password)
    with _said("body"):
        behind.access.users.add(wanted.name, password or "", grants)
    note(request, "user.add", wanted.name, grants=", ".join(map(str, grants)))
    [line] = _lines(behind, [behind.access.users.named(wanted.name)])
    return AddedUser(**line.model_dump(), first_password=first)


@router.patch(
    "/{name}",
    summary="Change a user's roles, disable or enable a user, or remove a second factor",
    operation_id="change_user",
    responses=problems(404, 409, 422, 503),
)
def change(name: Named, wanted: UserChange, request: Request, caller: Asker, behind: Behind) -> UserLine:
    user, access = _known(behind, name), behind.access
    _must_be_another(caller, user)
    if wanted.second_factor:
        raise ApiError(422, "body.second_factor: wanted false: users set up a second factor themselves")
    grants = None if wanted.grants is None else _grants(wanted.grants)
    if grants is not None:
        access.users.grant(name, grants)
        note(request, "user.role", name, grants=", ".join(map(str, grants)))
    if wanted.disabled is not None:
        access.users.disable(name, disabled=wanted.disabled)
        note(request, "user.disable" if wanted.disabled else "user.enable", name)
    if wanted.second_factor is False:
        access.second_factor.reset(name)
        access.users.end_logins(name)
        note(request, "user.totp-reset", name)
    return _lines(behind, [access.users.named(name)])[0]


@router.delete(
    "/{name}/sessions",
    summary="End all logins of a user",
    operation_id="end_user_sessions",
    status_code=204,
    responses=problems(404, 503),
)
def end_logins(name: Named, request: Request, behind: Behind) -> None:
    _known(behind, name)
    behind.access.users.end_logins(name)
    note(request, "session.end", name)


def _text_of(password: SecretStr) -> str:
    """The password. Raises ApiError (422) for half of a surrogate pair, which is no text."""
    return encoded(password.get_secret_value(), "body.password").decode()


def _known(behind: Backend, name: str) -> User:
    """The user. Raises ApiError (404), with the nearest name, if there is none."""
    try:
        return behind.access.users.named(name)
    except ConfigError as error:
        raise ApiError(404, str(error)) from None


def _must_be_another(caller: Caller, user: User) -> None:
    """Refuse a change of the caller's own account.

    The last admin could be locked out, and a stolen session could remove the second factor, which wants password and code.
    """
    if caller.user.name == user.name:
        raise ApiError(
            409, f"users: wanted another user than yourself, got '{user.name}': see /account, or ask another admin"
        )


def _grants(texts: Sequence[str]) -> list[Grant]:
    with _said("body.grants"):
        return list(dict.fromkeys(grant_named(text) for text in texts))


@contextmanager
def _said(where: str) -> Iterator[None]:
    """Turns a ConfigError into a 422 that names the place in the request."""
    try:
        yield
    except ConfigError as error:
        raise ApiError(422, f"{where}: {error}") from None


def _lines(behind: Backend, users: Sequence[User]) -> list[UserLine]:
    access = behind.access
    with_factor = access.second_factor.names()
    return [
        UserLine(
            name=user.name,
            grants=[one.typed for one in sorted(user.grants, key=str)],
            disabled=user.disabled,
            created_at=user.created_at,
            provider=user.subject.partition(" ")[0] if user.subject else None,
            second_factor=user.name in with_factor,
            logins=len(access.open_sessions(user)),
        )
        for user in users
    ]
