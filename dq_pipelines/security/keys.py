"""Issues, checks and revokes API keys: for programs, on behalf of a user, with at most that user's permissions."""

from __future__ import annotations

import hmac
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from dq_pipelines.errors import ConfigError, Problem, Refused
from dq_pipelines.security.digest import digest
from dq_pipelines.security.roles import PERMISSIONS, Grant, Role
from dq_pipelines.security.store import KEYS
from dq_pipelines.security.users import User, Users, fetch_user

_PREFIX = "dq"

#: The default lifetime of a key, without DQ_KEY_DAYS.
LASTS = timedelta(days=90)
#: The largest DQ_KEY_DAYS: ten years.
_MOST_DAYS = 3_650

_REFUSED = "This API key is unknown, expired or revoked."


@dataclass(frozen=True)
class Key:
    """A key without its secret."""

    id: str
    user: str
    note: str
    #: limits the key to this role within this scope; None: the user's own permissions
    grant: Grant | None
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None

    @property
    def is_in_use(self) -> bool:
        return self.revoked_at is None and (self.expires_at is None or self.expires_at > datetime.now(UTC))


@dataclass(frozen=True)
class Keys:
    """The store of keys."""

    users: Users

    def add(self, user: str, note: str = "", grant: Grant | None = None, lasts: timedelta | None = LASTS) -> str:
        """A new key for a user, returned in clear only here; without expiry if `lasts` is None.

        A new password, and disabling the user, end it sooner. Raises ConfigError for an unknown user.
        """
        self.users.named(user)
        number, secret = secrets.token_hex(6), secrets.token_urlsafe(32)
        row: dict[str, Any] = {
            "id": number,
            "user": user,
            "note": note,
            "secret": digest(secret),
            "role": grant.role.value if grant else None,
            "scope": grant.scope if grant else "",
            "created_at": datetime.now(UTC),
            "expires_at": datetime.now(UTC) + lasts if lasts else None,
        }
        with self.users.engine.begin() as connection:
            connection.execute(KEYS.insert().values(**row))
        return f"{_PREFIX}_{number}_{secret}"

    def authenticate(self, text: str) -> User:
        """The user of the key, with the permissions that both have; raises Refused with the same text for every reason."""
        prefix, _, rest = text.partition("_")
        number, _, secret = rest.partition("_")
        with self.users.engine.connect() as connection:
            row = connection.execute(KEYS.select().where(KEYS.c.id == number)).mappings().first()
            user = fetch_user(connection, row["user"]) if row else None
        matches = hmac.compare_digest(digest(secret), row["secret"] if row else digest(""))
        if row is None or user is None or not matches or prefix != _PREFIX or user.disabled or not _key(row).is_in_use:
            raise Refused(_REFUSED)
        return within(user, _key(row).grant)

    def revoke(self, number: str) -> None:
        """Revoke this key; raises ConfigError for an unknown one."""
        with self.users.engine.begin() as connection:
            done = connection.execute(KEYS.update().where(KEYS.c.id == number).values(revoked_at=datetime.now(UTC)))
        if not done.rowcount:
            raise ConfigError([Problem("", 0, f"unknown key '{number}': `dq key list` lists the keys")])

    def all(self) -> list[Key]:
        """Every key, oldest first."""
        with self.users.engine.connect() as connection:
            rows = connection.execute(KEYS.select().order_by(KEYS.c.created_at)).mappings().all()
        return [_key(row) for row in rows]


def lasts_by_default(environment: Mapping[str, str] | None = None) -> timedelta:
    """The default lifetime of a key: `DQ_KEY_DAYS`, else 90 days. Raises ConfigError if it is no number of days."""
    days = (os.environ if environment is None else environment).get("DQ_KEY_DAYS", "")
    if not days:
        return LASTS
    if not (days.isascii() and days.isdigit() and 1 <= int(days) <= _MOST_DAYS):
        raise ConfigError([Problem("", 0, f"DQ_KEY_DAYS: wanted a number of days, 1 to {_MOST_DAYS}, got '{days}'")])
    return timedelta(days=int(days))


def is_key(text: str) -> bool:
    """Whether the text has the form of an API key, valid or not; tokens do not."""
    return text.startswith(f"{_PREFIX}_")


def within(user: User, most: Grant | None) -> User:
    """The user with permissions limited to `most`: of each grant the part that both give."""
    if most is None:
        return user
    grants = set()
    for grant in user.grants:
        # For any two roles, some role gives exactly the permissions that both give.
        both = PERMISSIONS[grant.role] & PERMISSIONS[most.role]
        scopes = {grant.scope, most.scope} - {""}
        if len(scopes) <= 1:
            grants.add(Grant(next(role for role in Role if PERMISSIONS[role] == both), next(iter(scopes), "")))
    return replace(user, grants=frozenset(grants))


def _key(row: Any) -> Key:
    grant = Grant(Role(row["role"]), row["scope"]) if row["role"] else None
    moments = (row[name] for name in ("created_at", "expires_at", "revoked_at"))
    return Key(row["id"], row["user"], row["note"], grant, *moments)
