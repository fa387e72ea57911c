"""Sessions of browsers: a cookie holds a secret, and the store its hash, so that nobody who reads the store is let in."""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from dq_pipelines.security.digest import digest
from dq_pipelines.security.store import SESSIONS
from dq_pipelines.security.users import User, Users, found

#: After so long without a request, and after so long in all, somebody has to log in again.
IDLE, LONGEST = timedelta(hours=12), timedelta(days=7)
#: ... in all where an identity provider vouches for somebody: what it has taken away since is not known here.
VOUCHED = timedelta(hours=12)

#: How often it is noted that a session is still used.
_NOTED = timedelta(minutes=1)


@dataclass(frozen=True)
class Session:
    """Somebody who has logged in."""

    user: User
    #: what a form or a request that changes something must say, since a cookie comes with requests from other sites too
    csrf: str

    def says(self, token: str | None) -> bool:
        """Whether a request's token is the session's."""
        return token is not None and hmac.compare_digest(token.encode(), self.csrf.encode())


@dataclass(frozen=True)
class Sessions:
    """The store of sessions."""

    users: Users

    def begin(self, user: User) -> str:
        """A new session; gives the secret for the cookie."""
        secret = secrets.token_urlsafe(32)
        row = {"id": digest(secret), "user": user.name, "epoch": user.epoch, "csrf": secrets.token_urlsafe(32)}
        with self.users.engine.begin() as connection:
            connection.execute(SESSIONS.delete().where(SESSIONS.c.created_at < datetime.now(UTC) - LONGEST))
            connection.execute(SESSIONS.insert().values(**row, created_at=datetime.now(UTC), seen_at=datetime.now(UTC)))
        return secret

    def of(self, secret: str | None) -> Session | None:
        """Whose session it is; None where it has ended, or its user is disabled or has another password since."""
        if not secret:
            return None
        this = SESSIONS.c.id == digest(secret)
        with self.users.engine.connect() as connection:
            row = connection.execute(SESSIONS.select().where(this)).mappings().first()
            user = found(connection, row["user"]) if row else None
        if row is None or row["seen_at"] < datetime.now(UTC) - IDLE or row["created_at"] < datetime.now(UTC) - LONGEST:
            return None
        if user is None or user.disabled or user.epoch != row["epoch"]:
            return None
        if user.subject is not None and row["created_at"] < datetime.now(UTC) - VOUCHED:
            return None
        if row["seen_at"] < datetime.now(UTC) - _NOTED:
            with self.users.engine.begin() as connection:
                connection.execute(SESSIONS.update().where(this).values(seen_at=datetime.now(UTC)))
        return Session(user, row["csrf"])

    def end(self, secret: str | None) -> None:
        """Log out."""
        if secret:
            with self.users.engine.begin() as connection:
                connection.execute(SESSIONS.delete().where(SESSIONS.c.id == digest(secret)))
