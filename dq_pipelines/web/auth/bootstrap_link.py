"""The one-time link that makes its opener admin while there are no users. It is kept in memory only."""

from __future__ import annotations

import hmac
import secrets
import threading

from dq_pipelines.security.roles import Grant, Role
from dq_pipelines.security.sessions import Session
from dq_pipelines.security.users import User

#: The user name of the link's session, in the audit log and on runs.
NAME = "link@localhost"


class BootstrapLink:
    """A link, and the session that it begins. Both end with the server, or when the first user is added."""

    def __init__(self) -> None:
        self.token = secrets.token_urlsafe(32)
        self._lock = threading.Lock()
        self._opened = False
        self._secret: str | None = None
        self._session = Session(User(NAME, frozenset({Grant(Role.ADMIN)})), secrets.token_urlsafe(32))

    @property
    def path(self) -> str:
        """The path and query of the link."""
        return f"/login/once?token={self.token}"

    def open(self, token: str) -> str | None:
        """Begin the session and return its secret; None for a wrong token, or if the link was used before."""
        with self._lock:
            if self._opened or not hmac.compare_digest(token.encode(), self.token.encode()):
                return None
            self._opened, self._secret = True, secrets.token_urlsafe(32)
            return self._secret

    def of(self, secret: str | None) -> Session | None:
        """The session with this secret, else None."""
        known = self._secret
        same = secret and known and hmac.compare_digest(secret.encode(), known.encode())
        return self._session if same else None

    def end(self, secret: str | None) -> None:
        """End the session with this secret."""
        if self.of(secret):
            self._secret = None
