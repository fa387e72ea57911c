"""Users: who there is, by which password they are let in, and what they are granted."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

import sqlalchemy as sa

from dq_pipelines.errors import ConfigError, Problem, Refused, nearest
from dq_pipelines.security.database import opened
from dq_pipelines.security.passwords import hashed, is_right
from dq_pipelines.security.roles import Grant, Role
from dq_pipelines.security.store import GRANTS, KEYS, USERS
from dq_pipelines.security.throttling import Origin, Throttle

_ANYWHERE = Origin()
_NOT_LET_IN = "wanted a name and its password, got another"


@dataclass(frozen=True)
class User:
    """Somebody who may be let in."""

    name: str
    grants: frozenset[Grant] = field(default_factory=frozenset)
    disabled: bool = False
    created_at: datetime | None = None
    #: what was given out before this number (sessions, tokens) is worth nothing
    epoch: int = 0
    #: the identity provider that vouches for the user, and what it calls them; None for a user with a password
    subject: str | None = None


class Users:
    """The store of users, in the database at this URL."""

    def __init__(self, url: str) -> None:
        self.url = url

    @cached_property
    def engine(self) -> sa.Engine:
        """The database; raises PublishError where that cannot be opened."""
        return opened(self.url, "users")

    @cached_property
    def throttle(self) -> Throttle:
        """Who has to wait after wrong passwords."""
        return Throttle(self.engine, "password")

    def add(self, name: str, password: str, grants: Iterable[Grant]) -> None:
        """A new user; raises ConfigError for a name that is taken or none, or a password that is none."""
        if not _is_name(name):
            raise _wrong(f"wanted a name of letters, digits and ._@+-, got '{name}'")
        row = {"name": name, "password": hashed(password, [name]), "disabled": False, "epoch": 0}
        try:
            with self.engine.begin() as connection:
                connection.execute(USERS.insert().values(**row, created_at=datetime.now(UTC)))
                for grant in grants:
                    connection.execute(GRANTS.insert().values(user=name, role=grant.role.value, scope=grant.scope))
        except sa.exc.IntegrityError:
            raise _wrong(f"wanted a new name, got '{name}', which there is") from None

    def all(self) -> list[User]:
        """Everybody, by name."""
        with self.engine.connect() as connection:
            rows = connection.execute(USERS.select().order_by(USERS.c.name)).mappings().all()
            given: dict[str, set[Grant]] = {}
            for user, role, scope in connection.execute(sa.select(GRANTS.c.user, GRANTS.c.role, GRANTS.c.scope)):
                given.setdefault(user, set()).add(Grant(Role(role), scope))
        return [_user(row, given.get(row["name"], set())) for row in rows]

    def named(self, name: str) -> User:
        """The user; raises ConfigError, with the nearest name, where there is none."""
        found = self.find(name)
        if found is None:
            raise _wrong(f"unknown user '{name}'{nearest(name, [user.name for user in self.all()])}")
        return found

    def find(self, name: str) -> User | None:
        """The user of this name, or None."""
        with self.engine.connect() as connection:
            return found(connection, name)

    def is_empty(self) -> bool:
        """Whether there is nobody yet."""
        with self.engine.connect() as connection:
            return connection.execute(sa.select(USERS.c.name).limit(1)).first() is None

    def let_in(self, name: str, password: str, origin: Origin = _ANYWHERE) -> User:
        """Whoever that is; raises Refused, always the same and as slowly, for a wrong name or password.

        After five wrong passwords in a row from one place nobody is let in by that name from there for 30 seconds, which doubles
        with each further one, to 15 minutes.
        """
        # What can be no name may be no text for a database either.
        wanted = USERS.select().where(USERS.c.name == (name if _is_name(name) else ""))
        with self.engine.connect() as connection:
            row = connection.execute(wanted).mappings().first()
        right = is_right(password, row["password"] if row else None)
        if self.throttle.must_wait(name, origin):
            raise Refused(_NOT_LET_IN)
        if row is None or row["disabled"] or not right:
            # Counted for names that there are not, too: how long a refusal takes must not tell which there are.
            self.throttle.wrong(name, origin)
            raise Refused(_NOT_LET_IN)
        self.throttle.right(name, origin)
        return self.named(name)

    def vouched(self, subject: str, name: str, grants: Iterable[Grant]) -> User:
        """The user whom an identity provider calls `subject`, with these grants in place of those before.

        At the first time it is a new one, of this name. Raises Refused for one that is disabled or granted nothing, and for a
        name that is none or another user's: nobody gets a user's rights by being called so elsewhere.
        """
        with self.engine.connect() as connection:
            row = connection.execute(USERS.select().where(USERS.c.subject == subject)).mappings().first()
        if row is not None and row["disabled"]:
            raise Refused(f"wanted a user who is not disabled, got '{row['name']}'")
        given, known = list(grants), row["name"] if row else name
        if row is None and given:
            self._add_vouched(subject, name)
        if row is not None or given:
            self.grant(known, given)
        if not given:
            raise Refused(f"wanted a user who is granted something, got '{known}'")
        return self.named(known)

    def _add_vouched(self, subject: str, name: str) -> None:
        if not _is_name(name):
            raise Refused("wanted of the identity provider a name of letters, digits and ._@+-, got another text")
        row = {"name": name, "subject": subject, "disabled": False, "epoch": 0}
        try:
            with self.engine.begin() as connection:
                connection.execute(USERS.insert().values(**row, created_at=datetime.now(UTC)))
        except sa.exc.IntegrityError:
            raise Refused(f"wanted of the identity provider a name that nobody has here, got '{name}'") from None

    def set_password(self, name: str, password: str) -> None:
        """A new password: sessions, tokens and API keys that were given before are worth nothing."""
        if (by := self.named(name).subject) is not None:
            raise _wrong(f"wanted a user with a password, got '{name}', who logs in by {by.partition(' ')[0]}")
        kept = hashed(password, [name])
        with self.engine.begin() as connection:
            connection.execute(
                USERS.update().where(USERS.c.name == name).values(password=kept, epoch=USERS.c.epoch + 1)
            )
            keys = KEYS.update().where(KEYS.c.user == name, KEYS.c.revoked_at.is_(None))
            connection.execute(keys.values(revoked_at=datetime.now(UTC)))

    def disable(self, name: str, *, disabled: bool = True) -> None:
        """Let nobody in by this name, nor by its keys and sessions; or let them in again."""
        self.throttle.forget(name)
        self._change(name, disabled=disabled, epoch=USERS.c.epoch + 1)

    def end_logins(self, name: str) -> None:
        """Every session and token of this user is worth nothing any more, and no browser is known."""
        self._change(name, epoch=USERS.c.epoch + 1)

    def grant(self, name: str, grants: Iterable[Grant]) -> None:
        """These grants, in place of those before."""
        self.named(name)
        with self.engine.begin() as connection:
            connection.execute(GRANTS.delete().where(GRANTS.c.user == name))
            for grant in set(grants):
                connection.execute(GRANTS.insert().values(user=name, role=grant.role.value, scope=grant.scope))

    def _change(self, name: str, **values: Any) -> None:
        self.named(name)
        with self.engine.begin() as connection:
            connection.execute(USERS.update().where(USERS.c.name == name).values(**values))


def found(connection: sa.Connection, name: str) -> User | None:
    """The user of this name, or None; for who has a connection already: to open one takes longer than to ask."""
    row = connection.execute(USERS.select().where(USERS.c.name == name)).mappings().first()
    if row is None:
        return None
    wanted = sa.select(GRANTS.c.role, GRANTS.c.scope).where(GRANTS.c.user == name)
    return _user(row, {Grant(Role(role), scope) for role, scope in connection.execute(wanted)})


def _is_name(text: str) -> bool:
    return 0 < len(text) <= 255 and all(mark.isalnum() or mark in "._@+-" for mark in text)


def _user(row: Any, grants: Iterable[Grant]) -> User:
    return User(
        row["name"],
        frozenset(grants),
        row["disabled"],
        row["created_at"],
        row["epoch"],
        row["subject"],
    )


def _wrong(said: str) -> ConfigError:
    return ConfigError([Problem("", 0, said)])
