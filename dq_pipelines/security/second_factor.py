"""Manages the second factor of users with a password: time-based codes (TOTP, RFC 6238) and recovery codes.

TOTP secrets are stored in clear, as the algorithm needs; only the server can read the store. Recovery codes are stored as hashes.
"""

from __future__ import annotations

import base64
import hmac
import os
import secrets
import time
from dataclasses import dataclass
from datetime import UTC, datetime

import sqlalchemy as sa

from dq_pipelines.errors import ConfigError, Problem, Refused
from dq_pipelines.security.digest import digest
from dq_pipelines.security.roles import Role
from dq_pipelines.security.store import RECOVERY, TOTP
from dq_pipelines.security.throttling import Origin, Throttle
from dq_pipelines.security.users import User, Users

#: Seconds that a code lasts, and steps before and after that are accepted too, since clocks differ (RFC 6238, 5.2).
STEP, _DRIFT = 30, 1
#: The number of recovery codes, and their bytes: with 120 random bits a fast hash is enough.
RECOVERY_CODES, _BYTES = 10, 15

ISSUER = "dq_pipelines"
WRONG_CODE = "This code is wrong: enter the app's current code, or an unused recovery code."


@dataclass(frozen=True)
class Requirement:
    """Who needs a second factor, by `DQ_REQUIRE_TOTP`: nobody ("", the default), `admins` or `all`."""

    who: str = ""

    @classmethod
    def from_environment(cls) -> Requirement:
        """Raises ConfigError for another value."""
        who = os.environ.get("DQ_REQUIRE_TOTP", "")
        if who not in ("", "admins", "all"):
            raise ConfigError([Problem("", 0, f"DQ_REQUIRE_TOTP: wanted admins or all, got '{who}'")])
        return cls(who)

    def covers(self, user: User) -> bool:
        """Whether this user needs one. Users of an identity provider have the provider's."""
        if not self.who or user.subject is not None:
            return False
        return self.who == "all" or any(grant.role is Role.ADMIN for grant in user.grants)


@dataclass(frozen=True)
class Enrolment:
    """The data for an authenticator app, shown once."""

    secret: str
    #: `otpauth://…`, for the QR code
    uri: str


@dataclass(frozen=True)
class SecondFactor:
    """The store of second factors."""

    users: Users

    def is_on(self, name: str) -> bool:
        """Whether this user has a confirmed second factor."""
        wanted = sa.select(TOTP.c.user).where(TOTP.c.user == name, TOTP.c.confirmed_at.is_not(None))
        with self.users.engine.connect() as connection:
            return connection.execute(wanted).first() is not None

    def names(self) -> set[str]:
        """The users with a confirmed second factor."""
        with self.users.engine.connect() as connection:
            return set(connection.execute(sa.select(TOTP.c.user).where(TOTP.c.confirmed_at.is_not(None))).scalars())

    def begin(self, name: str) -> Enrolment:
        """A new secret, which must be confirmed before it counts; raises Refused if one is on already."""
        import pyotp

        secret = pyotp.random_base32()
        with self.users.engine.begin() as connection:
            connection.execute(TOTP.delete().where(TOTP.c.user == name, TOTP.c.confirmed_at.is_(None)))
            try:
                connection.execute(TOTP.insert().values(user=name, secret=secret, last_step=0))
            except sa.exc.IntegrityError:
                raise Refused("wanted no second factor yet, got one that is on") from None
        return _enrolment(name, secret)

    def begun(self, name: str, secret: str) -> Enrolment | None:
        """The enrolment that waits for its first code, if `secret` is its secret; else None."""
        wanted = sa.select(TOTP.c.secret).where(TOTP.c.user == name, TOTP.c.confirmed_at.is_(None))
        with self.users.engine.connect() as connection:
            waiting = connection.execute(wanted).scalar()
        knows = waiting is not None and hmac.compare_digest(waiting.encode(), secret.encode())
        return _enrolment(name, secret) if knows else None

    def confirm(self, name: str, code: str) -> list[str]:
        """Turn it on by its first code; returns the recovery codes, once. Raises Refused for a wrong code."""
        if self.is_on(name) or not self._take_step(name, code):
            raise Refused(WRONG_CODE)
        with self.users.engine.begin() as connection:
            connection.execute(TOTP.update().where(TOTP.c.user == name).values(confirmed_at=datetime.now(UTC)))
            return _recovery_codes(connection, name)

    @property
    def throttle(self) -> Throttle:
        """The throttle after wrong codes."""
        return Throttle(self.users.engine, "code")

    def check(self, name: str, code: str, origin: Origin) -> str:
        """Accept a code, which cannot be used again; returns `totp` or `recovery`.

        Raises Refused for a wrong code, and, as with passwords, for any code after too many wrong ones from that origin.
        """
        if not self.is_on(name) or self.throttle.must_wait(name, origin):
            raise Refused(WRONG_CODE)
        how = "totp" if self._take_step(name, code) else "recovery" if self._take_recovery(name, code) else ""
        if not how:
            self.throttle.wrong(name, origin)
            raise Refused(WRONG_CODE)
        self.throttle.right(name, origin)
        return how

    def renew_recovery(self, name: str) -> list[str]:
        """Replace the recovery codes by new ones."""
        with self.users.engine.begin() as connection:
            return _recovery_codes(connection, name)

    def recovery_left(self, name: str) -> int:
        """How many recovery codes are unused."""
        wanted = sa.select(sa.func.count()).where(RECOVERY.c.user == name, RECOVERY.c.used_at.is_(None))
        with self.users.engine.connect() as connection:
            return int(connection.execute(wanted).scalar_one())

    def reset(self, name: str) -> bool:
        """Turn it off, with its recovery codes; returns whether there was one. Raises ConfigError for an unknown user."""
        self.users.named(name)
        with self.users.engine.begin() as connection:
            connection.execute(RECOVERY.delete().where(RECOVERY.c.user == name))
            return connection.execute(TOTP.delete().where(TOTP.c.user == name)).rowcount == 1

    def _take_step(self, name: str, code: str) -> bool:
        """Whether this is a current code of an unused step; marks the step as used."""
        import pyotp
        from pyotp.utils import strings_equal

        text = "".join(code.split())
        with self.users.engine.begin() as connection:
            row = connection.execute(TOTP.select().where(TOTP.c.user == name)).mappings().first()
            if row is None or not (text.isascii() and text.isdigit()):
                return False
            now, app = int(time.time()) // STEP, pyotp.TOTP(row["secret"])
            around = range(now - _DRIFT, now + _DRIFT + 1)
            steps = [step for step in around if strings_equal(app.generate_otp(step), text)]
            if not steps:
                return False
            # One statement, so that of two concurrent requests with the same code only one succeeds.
            this = TOTP.update().where(TOTP.c.user == name, TOTP.c.last_step < steps[-1])
            return connection.execute(this.values(last_step=steps[-1])).rowcount == 1

    def _take_recovery(self, name: str, code: str) -> bool:
        this = RECOVERY.update().where(RECOVERY.c.id == _recovery_id(name, code), RECOVERY.c.used_at.is_(None))
        with self.users.engine.begin() as connection:
            return connection.execute(this.values(used_at=datetime.now(UTC))).rowcount == 1


def _enrolment(name: str, secret: str) -> Enrolment:
    import pyotp

    return Enrolment(secret, pyotp.TOTP(secret).provisioning_uri(name=name, issuer_name=ISSUER))


def _recovery_codes(connection: sa.Connection, name: str) -> list[str]:
    connection.execute(RECOVERY.delete().where(RECOVERY.c.user == name))
    codes = []
    for _ in range(RECOVERY_CODES):
        text = base64.b32encode(secrets.token_bytes(_BYTES)).decode().lower()
        codes.append("-".join(text[at : at + 4] for at in range(0, len(text), 4)))
        connection.execute(RECOVERY.insert().values(id=_recovery_id(name, codes[-1]), user=name))
    return codes


def _recovery_id(name: str, code: str) -> str:
    plain = "".join(character for character in code.lower() if character.isalnum())
    return digest(f"recovery {name} {plain}")
