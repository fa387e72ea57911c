"""Issues bearer tokens to programs that log in by name and password: short-lived access tokens and refresh tokens.

An access token is a JWT (profile of RFC 9068), signed and not stored. A refresh token is valid for one use. A second use means
that it was stolen, so it revokes all tokens of that login (RFC 9700, 4.14).
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from dq_pipelines.config.database import Moment
from dq_pipelines.errors import Refused
from dq_pipelines.security.digest import digest
from dq_pipelines.security.session_limits import SessionLimits
from dq_pipelines.security.sessions import SHOWN, OpenSession
from dq_pipelines.security.signing import SigningKeys
from dq_pipelines.security.state import State
from dq_pipelines.security.store import REFRESH_TOKENS
from dq_pipelines.security.users import User, Users, fetch_user

if TYPE_CHECKING:
    from joserfc.jwt import JWTClaimsRegistry

#: The lifetime of an access token. Refresh tokens and logins have the limits of sessions.
ACCESS = timedelta(minutes=10)

ISSUER, AUDIENCE = "dq_pipelines", "dq_pipelines/api"
#: The only accepted algorithm, regardless of a token's header.
ALGORITHM = "HS256"
_TYPE = "at+jwt"
_PREFIX = "dqr_"

#: Seconds of allowed clock skew between servers.
_LEEWAY = 5
#: Characters; issued tokens have about 400.
_LONGEST_TOKEN = 2048

#: The exact types of our own claims; a bool is not accepted as an int.
_TYPES: Mapping[str, type] = {"sub": str, "sid": str, "epoch": int}

_REFUSED = "This token is unknown or expired."


class UsedTwice(Refused):
    """A refresh token was used a second time, so all tokens of its login are revoked."""

    def __init__(self, user: str) -> None:
        self.user = user
        super().__init__(_REFUSED)


@dataclass(frozen=True)
class IssuedTokens:
    """The access token and the refresh token of a login."""

    user: str
    access: str
    refresh: str
    #: seconds that `access` lasts
    lasts: int = int(ACCESS.total_seconds())


@dataclass(frozen=True)
class Tokens:
    """The store of logins by token."""

    users: Users
    keys: SigningKeys
    limits: SessionLimits = field(default_factory=SessionLimits.from_environment)

    @classmethod
    def of(cls, users: Users, state: State) -> Tokens:
        """The tokens signed by the keys of this state; raises ConfigError for an invalid `DQ_TOKEN_KEY`."""
        return cls(users, SigningKeys.of(users, state))

    def begin(self, user: User) -> IssuedTokens:
        """Begin a login for this user."""
        now, family = datetime.now(UTC), secrets.token_hex(16)
        with self.users.engine.begin() as connection:
            connection.execute(REFRESH_TOKENS.delete().where(REFRESH_TOKENS.c.ends_at < now))
            refresh = self._keep(connection, user, family, now + self.limits.longest)
        return IssuedTokens(user.name, self._signed(user, family), refresh)

    def renew(self, refresh: str) -> IssuedTokens:
        """Exchange a refresh token for a new pair.

        Raises Refused, always with the same text, for a token that is unknown, expired or revoked, or whose user was disabled or
        has changed the password since; UsedTwice, a subclass, for one that was used before.
        """
        now, this = datetime.now(UTC), REFRESH_TOKENS.c.id == digest(refresh)
        with self.users.engine.begin() as connection:
            unused = REFRESH_TOKENS.update().where(this, REFRESH_TOKENS.c.used_at.is_(None))
            # One statement, so that of two concurrent requests only one is first. The second waits until the first has
            # committed the next token, which it then revokes with the others.
            first = connection.execute(unused.values(used_at=now)).rowcount == 1
            row = connection.execute(REFRESH_TOKENS.select().where(this)).mappings().first()
            if row is None or row["revoked_at"] is not None or row["expires_at"] < now:
                raise Refused(_REFUSED)
            if first:
                user = _in_force(fetch_user(connection, row["user"]), row["epoch"])
                following = self._keep(connection, user, row["family"], row["ends_at"])
        if not first:
            self._end(row["family"])
            raise UsedTwice(row["user"])
        return IssuedTokens(user.name, self._signed(user, row["family"]), following)

    def authenticate(self, access: str) -> User:
        """The user of an access token; raises Refused, always with the same text."""
        return self.login_of(access)[0]

    def login_of(self, access: str) -> tuple[User, str]:
        """The user of an access token, and the id of its login in the user's list; raises Refused."""
        claims = self._read(access)
        column = REFRESH_TOKENS.c
        alive = _login(claims["sid"], claims["sub"]).where(
            column.revoked_at.is_(None), column.ends_at > datetime.now(UTC)
        )
        with self.users.engine.connect() as connection:
            user = _in_force(fetch_user(connection, claims["sub"]), claims["epoch"])
            if connection.execute(alive).first() is None:
                raise Refused(_REFUSED)
        return user, str(claims["sid"])[:SHOWN]

    def revoke(self, token: str) -> str:
        """End the login of this token, of either kind; returns its user, or "" for an invalid token."""
        if token.startswith(_PREFIX):
            wanted = REFRESH_TOKENS.select().where(REFRESH_TOKENS.c.id == digest(token))
            with self.users.engine.connect() as connection:
                row = connection.execute(wanted).mappings().first()
            family, user = (row["family"], row["user"]) if row else ("", "")
        else:
            try:
                claims = self._read(token)
            except Refused:
                return ""
            family, user = claims["sid"], claims["sub"]
            with self.users.engine.connect() as connection:
                if connection.execute(_login(family, user)).first() is None:
                    return ""
        self._end(family)
        return str(user)

    def of_user(self, user: User) -> list[OpenSession]:
        """The current token logins of this user, the last used first."""
        column, now = REFRESH_TOKENS.c, datetime.now(UTC)
        last, end = sa.func.max(column.expires_at, type_=Moment), sa.func.max(column.ends_at, type_=Moment)
        is_valid = sa.and_(column.user == user.name, column.epoch == user.epoch, column.revoked_at.is_(None))
        wanted = sa.select(column.family, last, end).where(is_valid).group_by(column.family).having(last > now)
        with self.users.engine.connect() as connection:
            rows = connection.execute(wanted.order_by(last.desc())).all()
        idle, longest = self.limits.idle_of(user), self.limits.longest
        return [
            OpenSession(
                family[:SHOWN], "token", "", "", ends - longest, expires - min(idle, longest), min(expires, ends)
            )
            for family, expires, ends in rows
        ]

    def end_named(self, user: str, name: str) -> bool:
        """End this user's login with the id `name`; returns whether there was one."""
        return (
            self._revoke_where(REFRESH_TOKENS.c.user == user, sa.func.substr(REFRESH_TOKENS.c.family, 1, SHOWN) == name)
            > 0
        )

    def end_others(self, user: str, but: str = "") -> int:
        """End every login of this user except the one with the id `but`; returns the number of revoked tokens."""
        return self._revoke_where(
            REFRESH_TOKENS.c.user == user, sa.func.substr(REFRESH_TOKENS.c.family, 1, SHOWN) != but
        )

    def _keep(self, connection: sa.Connection, user: User, family: str, ends_at: datetime) -> str:
        """A new refresh token; stores its hash."""
        secret = _PREFIX + secrets.token_urlsafe(32)
        row = {"id": digest(secret), "family": family, "user": user.name, "epoch": user.epoch, "ends_at": ends_at}
        expires_at = min(datetime.now(UTC) + self.limits.idle_of(user), ends_at)
        connection.execute(REFRESH_TOKENS.insert().values(**row, expires_at=expires_at))
        return secret

    def _end(self, family: str) -> None:
        self._revoke_where(REFRESH_TOKENS.c.family == family)

    def _revoke_where(self, *which: sa.ColumnElement[bool]) -> int:
        tokens = REFRESH_TOKENS.update().where(*which, REFRESH_TOKENS.c.revoked_at.is_(None))
        with self.users.engine.begin() as connection:
            return connection.execute(tokens.values(revoked_at=datetime.now(UTC))).rowcount

    def _signed(self, user: User, family: str) -> str:
        from joserfc import jwt
        from joserfc.jwk import OctKey

        key, now = self.keys.newest(), int(time.time())
        claims = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": user.name,
            "iat": now,
            "exp": now + int(ACCESS.total_seconds()),
            "jti": secrets.token_hex(16),
            "sid": family,
            "epoch": user.epoch,
        }
        header = {"alg": ALGORITHM, "typ": _TYPE, "kid": key.id}
        return jwt.encode(header, claims, OctKey.import_key(key.secret), [ALGORITHM])

    def _read(self, token: str) -> dict[str, Any]:
        """The claims of an access token, if one of our keys signed it and it has not expired."""
        from joserfc import jwt
        from joserfc.errors import JoseError
        from joserfc.jwk import GuestProtocol, OctKey

        def key(guest: GuestProtocol) -> OctKey:
            header = guest.headers()
            signing_key = self.keys.named(str(header.get("kid", "")))
            if signing_key is None or header.get("typ") != _TYPE:
                raise Refused(_REFUSED)
            return OctKey.import_key(signing_key.secret)

        if len(token) > _LONGEST_TOKEN:
            raise Refused(_REFUSED)
        try:
            claims = jwt.decode(token, key, algorithms=[ALGORITHM]).claims
            _required_claims().validate(claims)
            if any(type(claims[name]) is not kind for name, kind in _TYPES.items()):
                raise Refused(_REFUSED)
        except (JoseError, ValueError, TypeError, RecursionError):  # a header may contain anything
            raise Refused(_REFUSED) from None
        return dict(claims)


def _required_claims() -> JWTClaimsRegistry:
    """The claims that every access token has."""
    from joserfc.jwt import ClaimsOption, JWTClaimsRegistry

    required = ClaimsOption(essential=True)
    issuer, audience = ClaimsOption(essential=True, value=ISSUER), ClaimsOption(essential=True, value=AUDIENCE)
    return JWTClaimsRegistry(
        None,
        _LEEWAY,
        iss=issuer,
        aud=audience,
        exp=required,
        iat=required,
        jti=required,
        sub=required,
        sid=required,
        epoch=required,
    )


def _login(family: str, user: str) -> sa.Select[Any]:
    """Selects a refresh token of this login and this user; a token for another user's login matches none."""
    return (
        sa.select(REFRESH_TOKENS.c.id).where(REFRESH_TOKENS.c.family == family, REFRESH_TOKENS.c.user == user).limit(1)
    )


def _in_force(user: User | None, epoch: int) -> User:
    if user is None or user.disabled or user.epoch != epoch:
        raise Refused(_REFUSED)
    return user
