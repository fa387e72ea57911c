"""Manages browser sessions. A cookie holds a secret and the store its hash, so reading the store gives no access."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import sqlalchemy as sa

from dq_pipelines.security.digest import digest
from dq_pipelines.security.session_limits import SessionLimits
from dq_pipelines.security.store import SESSIONS
from dq_pipelines.security.users import User, Users, fetch_user

#: The longest session of a user of an identity provider: the server does not learn what the provider revokes later.
VOUCHED = timedelta(hours=12)

#: The shortest time between two updates of a session's last use.
_NOTED = timedelta(minutes=1)
#: The session's id in its user's list: so many characters of the stored hash; they give no access.
SHOWN = 16
_LONGEST_AGENT, _LONGEST_ADDRESS = 255, 64


@dataclass(frozen=True)
class Session:
    """The session of a user who has logged in."""

    user: User
    #: the CSRF token that a form or a changing request must contain, since requests from other sites carry the cookie too
    csrf: str
    #: its id in the list of the user's sessions; "" for one that exists only in memory
    id: str = ""

    def says(self, token: str | None) -> bool:
        """Whether a request's CSRF token is the session's."""
        return token is not None and hmac.compare_digest(token.encode(), self.csrf.encode())


@dataclass(frozen=True)
class OpenSession:
    """One of a user's current logins, as shown to them."""

    id: str
    kind: Literal["browser", "token"]
    #: the browser's User-Agent, "" without one
    agent: str
    #: the address at login
    address: str
    created_at: datetime
    seen_at: datetime
    #: when it ends without further requests
    ends_at: datetime


@dataclass(frozen=True)
class Sessions:
    """The store of sessions."""

    users: Users
    limits: SessionLimits = field(default_factory=SessionLimits.from_environment)

    def begin(self, user: User, address: str = "", agent: str = "") -> str:
        """A new session of a browser with this address and User-Agent; returns the secret for the cookie."""
        secret, now = secrets.token_urlsafe(32), datetime.now(UTC)
        row = {"id": digest(secret), "user": user.name, "epoch": user.epoch, "csrf": secrets.token_urlsafe(32)}
        row |= {"address": address[:_LONGEST_ADDRESS], "agent": _one_line(agent)}
        with self.users.engine.begin() as connection:
            connection.execute(SESSIONS.delete().where(SESSIONS.c.created_at < now - self.limits.longest))
            connection.execute(SESSIONS.insert().values(**row, created_at=now, seen_at=now))
        return secret

    def of(self, secret: str | None, *, by_hand: bool = True) -> Session | None:
        """The session of this cookie; None if it has ended, or its user was disabled or has changed the password since.

        A request that no person made, such as a page's polling (`by_hand=False`), does not extend the idle time.
        """
        if not secret:
            return None
        this = SESSIONS.c.id == digest(secret)
        with self.users.engine.connect() as connection:
            row = connection.execute(SESSIONS.select().where(this)).mappings().first()
            user = fetch_user(connection, row["user"]) if row else None
        if row is None or user is None or not self._lasts(row, user):
            return None
        if by_hand and row["seen_at"] < datetime.now(UTC) - _NOTED:
            with self.users.engine.begin() as connection:
                connection.execute(SESSIONS.update().where(this).values(seen_at=datetime.now(UTC)))
        return Session(user, row["csrf"], row["id"][:SHOWN])

    def of_user(self, user: User) -> list[OpenSession]:
        """The current sessions of this user, the last used first."""
        wanted = SESSIONS.select().where(SESSIONS.c.user == user.name).order_by(SESSIONS.c.seen_at.desc())
        with self.users.engine.connect() as connection:
            rows = connection.execute(wanted).mappings().all()
        return [
            OpenSession(
                row["id"][:SHOWN],
                "browser",
                row["agent"] or "",
                row["address"] or "",
                row["created_at"],
                row["seen_at"],
                self._ends_at(row, user),
            )
            for row in rows
            if self._lasts(row, user)
        ]

    def end(self, secret: str | None) -> None:
        """End the session of this cookie: log out."""
        if secret:
            with self.users.engine.begin() as connection:
                connection.execute(SESSIONS.delete().where(SESSIONS.c.id == digest(secret)))

    def end_named(self, user: str, name: str) -> bool:
        """End this user's session with the id `name`; returns whether there was one."""
        sessions = SESSIONS.delete().where(SESSIONS.c.user == user, sa.func.substr(SESSIONS.c.id, 1, SHOWN) == name)
        with self.users.engine.begin() as connection:
            return connection.execute(sessions).rowcount > 0

    def end_others(self, user: str, but: str = "") -> int:
        """End every session of this user except the one with the id `but`; returns their number."""
        sessions = SESSIONS.delete().where(SESSIONS.c.user == user, sa.func.substr(SESSIONS.c.id, 1, SHOWN) != but)
        with self.users.engine.begin() as connection:
            return connection.execute(sessions).rowcount

    def _lasts(self, row: Mapping[Any, Any], user: User) -> bool:
        return not user.disabled and user.epoch == row["epoch"] and self._ends_at(row, user) > datetime.now(UTC)

    def _ends_at(self, row: Mapping[Any, Any], user: User) -> datetime:
        longest = self.limits.longest if user.subject is None else min(self.limits.longest, VOUCHED)
        created_at, seen_at = row["created_at"], row["seen_at"]
        ends_at: datetime = min(created_at + longest, seen_at + self.limits.idle_of(user))
        return ends_at


def _one_line(agent: str) -> str:
    return "".join(character if character.isprintable() else " " for character in agent)[:_LONGEST_AGENT]
