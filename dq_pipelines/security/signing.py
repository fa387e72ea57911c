"""Makes and rotates the keys that sign bearer tokens.

A key is derived from a seed in the users' database and a secret outside of it: DQ_TOKEN_KEY, or the file `token.key` of the state,
which the first use creates. So reading the database is not enough to make a token.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from dq_pipelines.config import withheld
from dq_pipelines.errors import ConfigError, Problem
from dq_pipelines.security.state import State
from dq_pipelines.security.store import SIGNING_KEYS
from dq_pipelines.security.users import Users

#: How long a retired key still verifies: the lifetime of a token that it signed, plus clock skew.
OUTLASTS = timedelta(minutes=15)

#: The file of the state with the secret, used without DQ_TOKEN_KEY.
FILE = "token.key"

#: Bytes. RFC 7518 requires a key for HS256 to have at least as many bits as the hash.
_SHORTEST = 32


@dataclass(frozen=True)
class SigningKey:
    """A key for signing tokens."""

    id: str
    #: 32 bytes
    secret: bytes


class SigningKeys:
    """The store of keys; `pepper` is the secret outside of the store."""

    def __init__(self, users: Users, pepper: str) -> None:
        self._users = users
        self._pepper = pepper.encode()

    @classmethod
    def of(cls, users: Users, state: State) -> SigningKeys:
        """With the secret in `DQ_TOKEN_KEY`, else the one in the state's file; raises ConfigError if it is too short."""
        secret = withheld.environment().get("DQ_TOKEN_KEY", "")
        if secret and len(secret) < _SHORTEST:
            message = f"DQ_TOKEN_KEY: wanted at least {_SHORTEST} random characters, got {len(secret)}"
            raise ConfigError([Problem("", 0, message)])
        return cls(users, secret or state.secret(FILE))

    def newest(self) -> SigningKey:
        """The key that signs; made if there is none yet."""
        wanted = SIGNING_KEYS.select().where(SIGNING_KEYS.c.retired_at.is_(None))
        with self._users.engine.connect() as connection:
            row = connection.execute(wanted.order_by(SIGNING_KEYS.c.created_at.desc()).limit(1)).mappings().first()
        return self._key(row["id"], row["seed"]) if row else self.rotate()

    def named(self, number: str) -> SigningKey | None:
        """The key of this id, if it is current or was retired within `OUTLASTS`; else None."""
        with self._users.engine.connect() as connection:
            row = connection.execute(SIGNING_KEYS.select().where(SIGNING_KEYS.c.id == number)).mappings().first()
        if row is None or (row["retired_at"] is not None and row["retired_at"] < datetime.now(UTC) - OUTLASTS):
            return None
        return self._key(row["id"], row["seed"])

    def rotate(self, *, at_once: bool = False) -> SigningKey:
        """Sign by a new key from now on. Earlier tokens stay valid until they expire, unless `at_once`."""
        number, seed, now = secrets.token_hex(6), secrets.token_hex(32), datetime.now(UTC)
        is_outdated = SIGNING_KEYS.c.retired_at < now - OUTLASTS
        with self._users.engine.begin() as connection:
            connection.execute(SIGNING_KEYS.delete() if at_once else SIGNING_KEYS.delete().where(is_outdated))
            current = SIGNING_KEYS.update().where(SIGNING_KEYS.c.retired_at.is_(None))
            connection.execute(current.values(retired_at=now))
            connection.execute(SIGNING_KEYS.insert().values(id=number, seed=seed, created_at=now))
        return self._key(number, seed)

    def _key(self, number: str, seed: str) -> SigningKey:
        return SigningKey(
            number, hmac.new(self._pepper, f"dq_pipelines token {number} {seed}".encode(), hashlib.sha256).digest()
        )
