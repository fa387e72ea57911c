"""Known devices: browsers in which a user has logged in before. A cookie holds a secret, and the store its hash.

A known device lets nobody in by itself: it only keeps strangers' wrong passwords from slowing its owner down (see `throttling`).
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from dq_pipelines.security.digest import digest
from dq_pipelines.security.store import DEVICES
from dq_pipelines.security.users import User, Users, found

#: After so long without a login it is known no more.
KNOWN_FOR = timedelta(days=90)


@dataclass(frozen=True)
class Devices:
    """The store of known devices."""

    users: Users

    def remember(self, user: User, before: str | None = None) -> str:
        """The secret for the cookie of a browser in which this user has logged in, in place of the one that it had."""
        secret, now, those = secrets.token_urlsafe(32), datetime.now(UTC), DEVICES.c
        row = {"id": digest(secret), "user": user.name, "epoch": user.epoch, "created_at": now}
        with self.users.engine.begin() as connection:
            connection.execute(DEVICES.delete().where(those.created_at < now - KNOWN_FOR))
            if before:
                connection.execute(DEVICES.delete().where(those.id == digest(before), those.user == user.name))
            connection.execute(DEVICES.insert().values(**row))
        return secret

    def of(self, secret: str | None, name: str) -> str | None:
        """The device's id, if this name has logged in there and has the same password since; else None."""
        if not secret:
            return None
        wanted = DEVICES.select().where(DEVICES.c.id == digest(secret), DEVICES.c.user == name)
        with self.users.engine.connect() as connection:
            row = connection.execute(wanted).mappings().first()
            user = found(connection, name) if row else None
        if row is None or user is None or row["epoch"] != user.epoch:
            return None
        return str(row["id"]) if row["created_at"] > datetime.now(UTC) - KNOWN_FOR else None
