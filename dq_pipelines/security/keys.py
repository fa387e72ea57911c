"""API keys: for programs, in a user's name, with no more rights than that user has."""

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
from dq_pipelines.security.users import User, Users, found

_PREFIX = "dq"

#: How long a key lasts where nothing else is said, by DQ_KEY_DAYS neither.
LASTS = timedelta(days=90)
#: The longest that DQ_KEY_DAYS may say: ten years.
_MOST_DAYS = 3_650

_REFUSED = "wanted an API key that is in use, got another"


@dataclass(frozen=True)
class Key:
    """What is known of a key; its secret is not."""

    id: str
    user: str
    note: str
    #: no more than this role, within this scope; the user's own rights where None
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
        """A new key in a user's name, for ever where `lasts` is None: said once, for nobody can read it again.

        It ends sooner with a new password of the user's, and with the user. Raises ConfigError for an unknown user.
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

    def let_in(self, text: str) -> User:
        """The user in whose name the key is, with the rights that both have; raises Refused, always the same."""
        prefix, _, rest = text.partition("_")
        number, _, secret = rest.partition("_")
        with self.users.engine.connect() as connection:
            row = connection.execute(KEYS.select().where(KEYS.c.id == number)).mappings().first()
            user = found(connection, row["user"]) if row else None
        right = hmac.compare_digest(digest(secret), row["secret"] if row else digest(""))
        if row is None or user is None or not right or prefix != _PREFIX or user.disabled or not _key(row).is_in_use:
            raise Refused(_REFUSED)
        return within(user, _key(row).grant)

    def revoke(self, number: str) -> None:
        """Let nobody in by this key any more; raises ConfigError where there is none."""
        with self.users.engine.begin() as connection:
            done = connection.execute(KEYS.update().where(KEYS.c.id == number).values(revoked_at=datetime.now(UTC)))
        if not done.rowcount:
            raise ConfigError([Problem("", 0, f"unknown key '{number}': `dq key list` says which there are")])

    def all(self) -> list[Key]:
        """Every key, oldest first."""
        with self.users.engine.connect() as connection:
            rows = connection.execute(KEYS.select().order_by(KEYS.c.created_at)).mappings().all()
        return [_key(row) for row in rows]


def lasts_by_default(environment: Mapping[str, str] | None = None) -> timedelta:
    """How long a key lasts of which nothing is said: `DQ_KEY_DAYS`, else 90 days. Raises ConfigError for no number of days."""
    given = (os.environ if environment is None else environment).get("DQ_KEY_DAYS", "")
    if not given:
        return LASTS
    if not (given.isascii() and given.isdigit() and 1 <= int(given) <= _MOST_DAYS):
        raise ConfigError([Problem("", 0, f"DQ_KEY_DAYS: wanted a number of days, 1 to {_MOST_DAYS}, got '{given}'")])
    return timedelta(days=int(given))


def is_key(text: str) -> bool:
    """Whether it looks like a key, be it good or not; a token does not."""
    return text.startswith(f"{_PREFIX}_")


def within(user: User, most: Grant | None) -> User:
    """The user with no more rights than `most`: of each grant the part that both give."""
    if most is None:
        return user
    kept = set()
    for grant in user.grants:
        # Any two roles have a role in common that gives what both give.
        both = PERMISSIONS[grant.role] & PERMISSIONS[most.role]
        scopes = {grant.scope, most.scope} - {""}
        if len(scopes) <= 1:
            kept.add(Grant(next(role for role in Role if PERMISSIONS[role] == both), next(iter(scopes), "")))
    return replace(user, grants=frozenset(kept))


def _key(row: Any) -> Key:
    grant = Grant(Role(row["role"]), row["scope"]) if row["role"] else None
    moments = (row[name] for name in ("created_at", "expires_at", "revoked_at"))
    return Key(row["id"], row["user"], row["note"], grant, *moments)
