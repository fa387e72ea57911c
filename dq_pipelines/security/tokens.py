"""Bearer tokens, for programs that log in by name and password: short-lived ones to ask with, and others to renew them by.

An access token is a JWT (RFC 9068's profile), signed and not kept. A refresh token is good for one use: one that is used twice
was stolen, by the first or by the second, so all that came of its login ends with it (RFC 9700, 4.14).
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
from dq_pipelines.security.users import User, Users, found

if TYPE_CHECKING:
    from joserfc.jwt import JWTClaimsRegistry

#: How long a token is good to ask with. How long one is good to renew by, and a login lasts, is as of sessions.
ACCESS = timedelta(minutes=10)

ISSUER, AUDIENCE = "dq_pipelines", "dq_pipelines/api"
#: The one algorithm, whatever a token's header says.
ALGORITHM = "HS256"
_TYPE = "at+jwt"
_PREFIX = "dqr_"

#: Seconds by which the clocks of two servers may differ.
_LEEWAY = 5
#: Characters: ours have 400.
_LONGEST_TOKEN = 2048

#: Of the claims that are our own affair; `False` is no number here.
_TYPES: Mapping[str, type] = {"sub": str, "sid": str, "epoch": int}

_REFUSED = "wanted a token that is in use, got another"


class UsedTwice(Refused):
    """A refresh token came a second time: whoever has it, all that came of its login is worth nothing now."""

    def __init__(self, user: str) -> None:
        self.user = user
        super().__init__(_REFUSED)


@dataclass(frozen=True)
class Pair:
    """What a login gives."""

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
        """Signed by the keys of this state; raises ConfigError for a `DQ_TOKEN_KEY` that is none."""
        return cls(users, SigningKeys.of(users, state))

    def begin(self, user: User) -> Pair:
        """A new login."""
        now, family = datetime.now(UTC), secrets.token_hex(16)
        with self.users.engine.begin() as connection:
            connection.execute(REFRESH_TOKENS.delete().where(REFRESH_TOKENS.c.ends_at < now))
            refresh = self._keep(connection, user, family, now + self.limits.longest)
        return Pair(user.name, self._signed(user, family), refresh)

    def renew(self, refresh: str) -> Pair:
        """A new pair for one that is used up by it.

        Raises Refused, always the same, for a token that is none, has run out or was revoked, or whose user is disabled or
        has another password since; UsedTwice, which is one, for one that was used before.
        """
        now, this = datetime.now(UTC), REFRESH_TOKENS.c.id == digest(refresh)
        with self.users.engine.begin() as connection:
            unused = REFRESH_TOKENS.update().where(this, REFRESH_TOKENS.c.used_at.is_(None))
            # One statement, so that of two who come at once one is the second. It waits until the first has committed the
            # next token, too, which it then revokes with the others.
            first = connection.execute(unused.values(used_at=now)).rowcount == 1
            row = connection.execute(REFRESH_TOKENS.select().where(this)).mappings().first()
            if row is None or row["revoked_at"] is not None or row["expires_at"] < now:
                raise Refused(_REFUSED)
            if first:
                user = _in_force(found(connection, row["user"]), row["epoch"])
                following = self._keep(connection, user, row["family"], row["ends_at"])
        if not first:
            self._end(row["family"])
            raise UsedTwice(row["user"])
        return Pair(user.name, self._signed(user, row["family"]), following)

    def let_in(self, access: str) -> User:
        """Whose token it is; raises Refused, always the same."""
        return self.login_of(access)[0]

    def login_of(self, access: str) -> tuple[User, str]:
        """The same, and what the login of the token is called in the list of its user's."""
        claims = self._read(access)
        those = REFRESH_TOKENS.c
        alive = _login(claims["sid"], claims["sub"]).where(
            those.revoked_at.is_(None), those.ends_at > datetime.now(UTC)
        )
        with self.users.engine.connect() as connection:
            user = _in_force(found(connection, claims["sub"]), claims["epoch"])
            if connection.execute(alive).first() is None:
                raise Refused(_REFUSED)
        return user, str(claims["sid"])[:SHOWN]

    def revoke(self, token: str) -> str:
        """End the login that this token, of either kind, came of; gives its user, "" for a token that is none."""
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
        """The logins by token of this user that go on, the last used first."""
        those, now = REFRESH_TOKENS.c, datetime.now(UTC)
        last, end = sa.func.max(those.expires_at, type_=Moment), sa.func.max(those.ends_at, type_=Moment)
        mine = sa.and_(those.user == user.name, those.epoch == user.epoch, those.revoked_at.is_(None))
        wanted = sa.select(those.family, last, end).where(mine).group_by(those.family).having(last > now)
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
        """End the login of this user that is called so; gives whether there was one."""
        return (
            self._end_those(REFRESH_TOKENS.c.user == user, sa.func.substr(REFRESH_TOKENS.c.family, 1, SHOWN) == name)
            > 0
        )

    def end_others(self, user: str, but: str = "") -> int:
        """End every login of this user but the one that is called so; gives how many tokens were good until then."""
        return self._end_those(REFRESH_TOKENS.c.user == user, sa.func.substr(REFRESH_TOKENS.c.family, 1, SHOWN) != but)

    def _keep(self, connection: sa.Connection, user: User, family: str, ends_at: datetime) -> str:
        """A new refresh token, of which the hash is kept."""
        secret = _PREFIX + secrets.token_urlsafe(32)
        row = {"id": digest(secret), "family": family, "user": user.name, "epoch": user.epoch, "ends_at": ends_at}
        expires_at = min(datetime.now(UTC) + self.limits.idle_of(user), ends_at)
        connection.execute(REFRESH_TOKENS.insert().values(**row, expires_at=expires_at))
        return secret

    def _end(self, family: str) -> None:
        self._end_those(REFRESH_TOKENS.c.family == family)

    def _end_those(self, *which: sa.ColumnElement[bool]) -> int:
        those = REFRESH_TOKENS.update().where(*which, REFRESH_TOKENS.c.revoked_at.is_(None))
        with self.users.engine.begin() as connection:
            return connection.execute(those.values(revoked_at=datetime.now(UTC))).rowcount

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
        """What a token says, if one of our keys signed it and it has not run out."""
        from joserfc import jwt
        from joserfc.errors import JoseError
        from joserfc.jwk import GuestProtocol, OctKey

        def key(guest: GuestProtocol) -> OctKey:
            header = guest.headers()
            found = self.keys.named(str(header.get("kid", "")))
            if found is None or header.get("typ") != _TYPE:
                raise Refused(_REFUSED)
            return OctKey.import_key(found.secret)

        if len(token) > _LONGEST_TOKEN:
            raise Refused(_REFUSED)
        try:
            claims = jwt.decode(token, key, algorithms=[ALGORITHM]).claims
            _wanted().validate(claims)
            if any(type(claims[name]) is not kind for name, kind in _TYPES.items()):
                raise Refused(_REFUSED)
        except (JoseError, ValueError, TypeError, RecursionError):  # whatever somebody may write into a header
            raise Refused(_REFUSED) from None
        return dict(claims)


def _wanted() -> JWTClaimsRegistry:
    """What the claims of every token of ours are."""
    from joserfc.jwt import ClaimsOption, JWTClaimsRegistry

    there = ClaimsOption(essential=True)
    issuer, audience = ClaimsOption(essential=True, value=ISSUER), ClaimsOption(essential=True, value=AUDIENCE)
    return JWTClaimsRegistry(
        None, _LEEWAY, iss=issuer, aud=audience, exp=there, iat=there, jti=there, sub=there, sid=there, epoch=there
    )


def _login(family: str, user: str) -> sa.Select[Any]:
    """A refresh token of this login, which must be this user's: a token that names another's is nobody's."""
    return (
        sa.select(REFRESH_TOKENS.c.id).where(REFRESH_TOKENS.c.family == family, REFRESH_TOKENS.c.user == user).limit(1)
    )


def _in_force(user: User | None, epoch: int) -> User:
    if user is None or user.disabled or user.epoch != epoch:
        raise Refused(_REFUSED)
    return user
