"""Remembers known devices: browsers in which a user has logged in. A cookie holds a secret, the store its hash.

A known device does not authenticate. It only exempts its owner from the delays that strangers' wrong passwords cause (see `throttling`).
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from dq_pipelines.security.digest import digest
from dq_pipelines.security.store import DEVICES
from dq_pipelines.security.users import User, Users, fetch_user

#: A device is forgotten after this time without a login.
KNOWN_FOR = timedelta(days=90)


@dataclass(frozen=True)
class Devices:
    """The store of known devices."""

    users: Users

    def remember(self, user: User, before: str | None = None) -> str:
        """Remember the browser of this user; returns the secret for its cookie, which replaces the secret `before`."""
        secret, now, column = secrets.token_urlsafe(32), datetime.now(UTC), DEVICES.c
        row = {"id": digest(secret), "user": user.name, "epoch": user.epoch, "created_at": now}
        with self.users.engine.begin() as connection:
            connection.execute(DEVICES.delete().where(column.created_at < now - KNOWN_FOR))
            if before:
                connection.execute(DEVICES.delete().where(column.id == digest(before), column.user == user.name))
            connection.execute(DEVICES.insert().values(**row))
        return secret

    def of(self, secret: str | None, name: str) -> str | None:
        """The device's id if this user has logged in there, and their logins were not revoked since; else None."""
        if not secret:
            return None
        wanted = DEVICES.select().where(DEVICES.c.id == digest(secret), DEVICES.c.user == name)
        with self.users.engine.connect() as connection:
            row = connection.execute(wanted).mappings().first()
            user = fetch_user(connection, name) if row else None
        if row is None or user is None or row["epoch"] != user.epoch:
            return None
        return str(row["id"]) if row["created_at"] > datetime.now(UTC) - KNOWN_FOR else None
