"""The keys that sign bearer tokens, and how one follows another. What a token says belongs in `tokens`.

A key is made from a seed in the users' database and from a secret beside it: DQ_TOKEN_KEY, or the file `token.key` of the state,
which is made at the first use. So nobody makes a token who can read the database alone.
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

#: How long a retired key is still good to read by: as long as a token that it signed lasts, and clocks differ.
OUTLASTS = timedelta(minutes=15)

#: The file of the state with the secret beside the seeds, where the environment gives none.
FILE = "token.key"

#: RFC 7518 wants of HS256 as many bits as the hash has.
_SHORTEST = 32


@dataclass(frozen=True)
class SigningKey:
    """One key."""

    id: str
    #: 32 bytes
    secret: bytes


class SigningKeys:
    """The store of keys; `pepper` is what they need beside the store."""

    def __init__(self, users: Users, pepper: str) -> None:
        self._users = users
        self._pepper = pepper.encode()

    @classmethod
    def of(cls, users: Users, state: State) -> SigningKeys:
        """By `DQ_TOKEN_KEY`, else by the state's own file; raises ConfigError for one that is too short to be a secret."""
        given = withheld.environment().get("DQ_TOKEN_KEY", "")
        if given and len(given) < _SHORTEST:
            said = f"DQ_TOKEN_KEY: wanted at least {_SHORTEST} random characters, got {len(given)}"
            raise ConfigError([Problem("", 0, said)])
        return cls(users, given or state.secret(FILE))

    def newest(self) -> SigningKey:
        """The key to sign by; made where there is none yet."""
        wanted = SIGNING_KEYS.select().where(SIGNING_KEYS.c.retired_at.is_(None))
        with self._users.engine.connect() as connection:
            row = connection.execute(wanted.order_by(SIGNING_KEYS.c.created_at.desc()).limit(1)).mappings().first()
        return self._key(row["id"], row["seed"]) if row else self.rotate()

    def named(self, number: str) -> SigningKey | None:
        """The key of this id, if it signs or was retired only just now."""
        with self._users.engine.connect() as connection:
            row = connection.execute(SIGNING_KEYS.select().where(SIGNING_KEYS.c.id == number)).mappings().first()
        if row is None or (row["retired_at"] is not None and row["retired_at"] < datetime.now(UTC) - OUTLASTS):
            return None
        return self._key(row["id"], row["seed"])

    def rotate(self, *, at_once: bool = False) -> SigningKey:
        """Sign by a new key from now on. What was signed before stays good until it runs out, unless `at_once`."""
        number, seed, now = secrets.token_hex(6), secrets.token_hex(32), datetime.now(UTC)
        gone = SIGNING_KEYS.c.retired_at < now - OUTLASTS
        with self._users.engine.begin() as connection:
            connection.execute(SIGNING_KEYS.delete() if at_once else SIGNING_KEYS.delete().where(gone))
            those = SIGNING_KEYS.update().where(SIGNING_KEYS.c.retired_at.is_(None))
            connection.execute(those.values(retired_at=now))
            connection.execute(SIGNING_KEYS.insert().values(id=number, seed=seed, created_at=now))
        return self._key(number, seed)

    def _key(self, number: str, seed: str) -> SigningKey:
        return SigningKey(
            number, hmac.new(self._pepper, f"dq_pipelines token {number} {seed}".encode(), hashlib.sha256).digest()
        )
