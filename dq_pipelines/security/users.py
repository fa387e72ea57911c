"""Manages users: their passwords, their grants, and authentication by password."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

import sqlalchemy as sa

from dq_pipelines.errors import ConfigError, Problem, Refused, nearest
from dq_pipelines.security.database import opened
from dq_pipelines.security.passwords import matches_hash, password_hash
from dq_pipelines.security.roles import Grant, Role
from dq_pipelines.security.store import GRANTS, KEYS, USERS
from dq_pipelines.security.throttling import Origin, Throttle

_ANYWHERE = Origin()
_REFUSED = "The name or the password is wrong."


@dataclass(frozen=True)
class User:
    """A user and their grants."""

    name: str
    grants: frozenset[Grant] = field(default_factory=frozenset)
    disabled: bool = False
    created_at: datetime | None = None
    #: sessions and tokens of an earlier epoch are invalid
    epoch: int = 0
    #: the identity provider and the user's id there; None for a user with a password
    subject: str | None = None


class Users:
    """The store of users, in the database at this URL."""

    def __init__(self, url: str) -> None:
        self.url = url

    @cached_property
    def engine(self) -> sa.Engine:
        """The database; raises PublishError if it cannot be opened."""
        return opened(self.url, "users")

    @cached_property
    def throttle(self) -> Throttle:
        """The throttle after wrong passwords."""
        return Throttle(self.engine, "password")

    def add(self, name: str, password: str, grants: Iterable[Grant]) -> None:
        """Add a user; raises ConfigError for a name that is taken or invalid, or a weak password."""
        if not _is_new_name(name):
            raise _wrong(f"wanted a name of letters of one script, digits and ._@+-, got '{name}'")
        row = {"name": name, "password": password_hash(password, [name]), "disabled": False, "epoch": 0}
        try:
            with self.engine.begin() as connection:
                connection.execute(USERS.insert().values(**row, created_at=datetime.now(UTC)))
                for grant in set(grants):
                    connection.execute(GRANTS.insert().values(user=name, role=grant.role.value, scope=grant.scope))
        except sa.exc.IntegrityError:
            raise _wrong(f"wanted a new name, got '{name}', which exists") from None

    def all(self) -> list[User]:
        """All users, by name."""
        with self.engine.connect() as connection:
            rows = connection.execute(USERS.select().order_by(USERS.c.name)).mappings().all()
            grants: dict[str, set[Grant]] = {}
            for user, role, scope in connection.execute(sa.select(GRANTS.c.user, GRANTS.c.role, GRANTS.c.scope)):
                grants.setdefault(user, set()).add(Grant(Role(role), scope))
        return [_user(row, grants.get(row["name"], set())) for row in rows]

    def named(self, name: str) -> User:
        """The user of this name; raises ConfigError, with the nearest name, if there is none."""
        user = self.find(name)
        if user is None:
            raise _wrong(f"unknown user '{name}'{nearest(name, [user.name for user in self.all()])}")
        return user

    def find(self, name: str) -> User | None:
        """The user of this name, or None."""
        with self.engine.connect() as connection:
            return fetch_user(connection, name)

    def is_empty(self) -> bool:
        """Whether there is no user yet."""
        with self.engine.connect() as connection:
            return connection.execute(sa.select(USERS.c.name).limit(1)).first() is None

    def authenticate(self, name: str, password: str, origin: Origin = _ANYWHERE) -> User:
        """The user with this password; raises Refused, with the same text and delay, for a wrong name or a wrong password.

        After five wrong passwords in a row from one origin, this name is refused from there for 30 seconds. Each further one
        doubles the time, up to 15 minutes.
        """
        # An invalid name may not even be a valid text for the database.
        wanted = USERS.select().where(USERS.c.name == (name if _is_name(name) else ""))
        with self.engine.connect() as connection:
            row = connection.execute(wanted).mappings().first()
        matches = matches_hash(password, row["password"] if row else None)
        if self.throttle.must_wait(name, origin):
            raise Refused(_REFUSED)
        if row is None or row["disabled"] or not matches:
            # Unknown names are counted too: the time of a refusal must not reveal which names exist.
            self.throttle.wrong(name, origin)
            raise Refused(_REFUSED)
        self.throttle.right(name, origin)
        return self.named(name)

    def vouched(self, subject: str, name: str, grants: Iterable[Grant]) -> User:
        """The user with the id `subject` at an identity provider, with these grants in place of the earlier ones.

        The first login creates the user with this name. Raises Refused for a disabled user, for one without grants, and for
        an invalid or taken name: a name at the provider gives no access to an existing user.
        """
        with self.engine.connect() as connection:
            row = connection.execute(USERS.select().where(USERS.c.subject == subject)).mappings().first()
        if row is not None and row["disabled"]:
            raise Refused(f"wanted a user who is not disabled, got '{row['name']}'")
        new_grants, user_name = list(grants), row["name"] if row else name
        if row is None and new_grants:
            self._add_vouched(subject, name)
        if row is not None or new_grants:
            self.grant(user_name, new_grants)
        if not new_grants:
            raise Refused(f"wanted a user who is granted something, got '{user_name}'")
        return self.named(user_name)

    def _add_vouched(self, subject: str, name: str) -> None:
        if not _is_new_name(name):
            raise Refused("wanted of the identity provider a name of letters, digits and ._@+-, got another text")
        row = {"name": name, "subject": subject, "disabled": False, "epoch": 0}
        try:
            with self.engine.begin() as connection:
                connection.execute(USERS.insert().values(**row, created_at=datetime.now(UTC)))
        except sa.exc.IntegrityError:
            raise Refused(f"wanted of the identity provider a name that nobody has here, got '{name}'") from None

    def set_password(self, name: str, password: str) -> None:
        """Set a new password; revokes all sessions, tokens and API keys."""
        if (by := self.named(name).subject) is not None:
            raise _wrong(f"wanted a user with a password, got '{name}', who logs in by {by.partition(' ')[0]}")
        kept = password_hash(password, [name])
        with self.engine.begin() as connection:
            connection.execute(
                USERS.update().where(USERS.c.name == name).values(password=kept, epoch=USERS.c.epoch + 1)
            )
            keys = KEYS.update().where(KEYS.c.user == name, KEYS.c.revoked_at.is_(None))
            connection.execute(keys.values(revoked_at=datetime.now(UTC)))

    def disable(self, name: str, *, disabled: bool = True) -> None:
        """Disable the user, with their keys and sessions; or enable them again."""
        self.throttle.forget(name)
        self._change(name, disabled=disabled, epoch=USERS.c.epoch + 1)

    def end_logins(self, name: str) -> None:
        """Revoke every session and token of this user, and forget their known browsers."""
        self._change(name, epoch=USERS.c.epoch + 1)

    def grant(self, name: str, grants: Iterable[Grant]) -> None:
        """Replace the user's grants by these."""
        self.named(name)
        with self.engine.begin() as connection:
            connection.execute(GRANTS.delete().where(GRANTS.c.user == name))
            for grant in set(grants):
                connection.execute(GRANTS.insert().values(user=name, role=grant.role.value, scope=grant.scope))

    def _change(self, name: str, **values: Any) -> None:
        self.named(name)
        with self.engine.begin() as connection:
            connection.execute(USERS.update().where(USERS.c.name == name).values(**values))


def fetch_user(connection: sa.Connection, name: str) -> User | None:
    """The user of this name, or None; takes an open connection, since opening one takes longer than the query."""
    row = connection.execute(USERS.select().where(USERS.c.name == name)).mappings().first()
    if row is None:
        return None
    wanted = sa.select(GRANTS.c.role, GRANTS.c.scope).where(GRANTS.c.user == name)
    return _user(row, {Grant(Role(role), scope) for role, scope in connection.execute(wanted)})


def _is_name(text: str) -> bool:
    # `.` and `..` would be folders in an address.
    return (
        0 < len(text) <= 255
        and not set(text) <= {"."}
        and all(character.isalnum() or character in "._@+-" for character in text)
    )


def _is_new_name(text: str) -> bool:
    """Whether a user may get this name: one that looks like no other, so in one form (NFKC) and of one script."""
    return _is_name(text) and unicodedata.normalize("NFKC", text) == text and len(_scripts(text)) <= 1


def _scripts(text: str) -> set[str]:
    """The scripts of the text's letters, as the Unicode names of letters begin; those of Japanese count as one."""
    names = {unicodedata.name(letter, "?").partition(" ")[0] for letter in text if letter.isalpha()}
    return {"CJK" if name in ("HIRAGANA", "KATAKANA") else name for name in names}


def _user(row: Any, grants: Iterable[Grant]) -> User:
    return User(
        row["name"],
        frozenset(grants),
        row["disabled"],
        row["created_at"],
        row["epoch"],
        row["subject"],
    )


def _wrong(message: str) -> ConfigError:
    return ConfigError([Problem("", 0, message)])
