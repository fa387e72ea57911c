"""Sessions of browsers: a cookie holds a secret, and the store its hash, so that nobody who reads the store is let in."""

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
from dq_pipelines.security.users import User, Users, found

#: Where an identity provider vouches for somebody, a session lasts no longer: what it has taken away since is not known here.
VOUCHED = timedelta(hours=12)

#: How often it is noted that a session is still used.
_NOTED = timedelta(minutes=1)
#: Characters of the stored hash by which a session is named to its user; they let nobody in.
SHOWN = 16
_LONGEST_AGENT, _LONGEST_ADDRESS = 255, 64


@dataclass(frozen=True)
class Session:
    """Somebody who has logged in."""

    user: User
    #: what a form or a request that changes something must say, since a cookie comes with requests from other sites too
    csrf: str
    #: what it is called in the list of its user's; "" for one that is kept in memory alone
    id: str = ""

    def says(self, token: str | None) -> bool:
        """Whether a request's token is the session's."""
        return token is not None and hmac.compare_digest(token.encode(), self.csrf.encode())


@dataclass(frozen=True)
class OpenSession:
    """One of somebody's logins that go on, as it is told to them."""

    id: str
    kind: Literal["browser", "token"]
    #: the browser's User-Agent, "" where it said none
    agent: str
    #: where it began
    address: str
    created_at: datetime
    seen_at: datetime
    #: when it ends, if nothing more is asked
    ends_at: datetime


@dataclass(frozen=True)
class Sessions:
    """The store of sessions."""

    users: Users
    limits: SessionLimits = field(default_factory=SessionLimits.from_environment)

    def begin(self, user: User, address: str = "", agent: str = "") -> str:
        """A new session, of a browser at this address that calls itself so; gives the secret for the cookie."""
        secret, now = secrets.token_urlsafe(32), datetime.now(UTC)
        row = {"id": digest(secret), "user": user.name, "epoch": user.epoch, "csrf": secrets.token_urlsafe(32)}
        row |= {"address": address[:_LONGEST_ADDRESS], "agent": _one_line(agent)}
        with self.users.engine.begin() as connection:
            connection.execute(SESSIONS.delete().where(SESSIONS.c.created_at < now - self.limits.longest))
            connection.execute(SESSIONS.insert().values(**row, created_at=now, seen_at=now))
        return secret

    def of(self, secret: str | None, *, by_hand: bool = True) -> Session | None:
        """Whose session it is; None where it has ended, or its user is disabled or has another password since.

        A request that no person made, such as a page's own that looks for news, does not keep the session from idling.
        """
        if not secret:
            return None
        this = SESSIONS.c.id == digest(secret)
        with self.users.engine.connect() as connection:
            row = connection.execute(SESSIONS.select().where(this)).mappings().first()
            user = found(connection, row["user"]) if row else None
        if row is None or user is None or not self._lasts(row, user):
            return None
        if by_hand and row["seen_at"] < datetime.now(UTC) - _NOTED:
            with self.users.engine.begin() as connection:
                connection.execute(SESSIONS.update().where(this).values(seen_at=datetime.now(UTC)))
        return Session(user, row["csrf"], row["id"][:SHOWN])

    def of_user(self, user: User) -> list[OpenSession]:
        """The sessions of this user that go on, the last used first."""
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
        """Log out."""
        if secret:
            with self.users.engine.begin() as connection:
                connection.execute(SESSIONS.delete().where(SESSIONS.c.id == digest(secret)))

    def end_named(self, user: str, name: str) -> bool:
        """End the session of this user that is called so; gives whether there was one."""
        those = SESSIONS.delete().where(SESSIONS.c.user == user, sa.func.substr(SESSIONS.c.id, 1, SHOWN) == name)
        with self.users.engine.begin() as connection:
            return connection.execute(those).rowcount > 0

    def end_others(self, user: str, but: str = "") -> int:
        """End every session of this user but the one that is called so; gives how many there were."""
        those = SESSIONS.delete().where(SESSIONS.c.user == user, sa.func.substr(SESSIONS.c.id, 1, SHOWN) != but)
        with self.users.engine.begin() as connection:
            return connection.execute(those).rowcount

    def _lasts(self, row: Mapping[Any, Any], user: User) -> bool:
        return not user.disabled and user.epoch == row["epoch"] and self._ends_at(row, user) > datetime.now(UTC)

    def _ends_at(self, row: Mapping[Any, Any], user: User) -> datetime:
        longest = self.limits.longest if user.subject is None else min(self.limits.longest, VOUCHED)
        created_at, seen_at = row["created_at"], row["seen_at"]
        ends_at: datetime = min(created_at + longest, seen_at + self.limits.idle_of(user))
        return ends_at


def _one_line(agent: str) -> str:
    return "".join(mark if mark.isprintable() else " " for mark in agent)[:_LONGEST_AGENT]
