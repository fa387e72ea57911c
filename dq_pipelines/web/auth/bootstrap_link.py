"""The link by which somebody on this machine is admin while there are no users: good for one opening, kept in memory alone."""

from __future__ import annotations

import hmac
import secrets
import threading

from dq_pipelines.security.roles import Grant, Role
from dq_pipelines.security.sessions import Session
from dq_pipelines.security.users import User

#: Who it is that came by the link, in the audit log and on runs.
NAME = "link@localhost"


class BootstrapLink:
    """One link, and the session that it begins. Both end with the server, or with the first user."""

    def __init__(self) -> None:
        self.token = secrets.token_urlsafe(32)
        self._lock = threading.Lock()
        self._opened = False
        self._secret: str | None = None
        self._session = Session(User(NAME, frozenset({Grant(Role.ADMIN)})), secrets.token_urlsafe(32))

    @property
    def path(self) -> str:
        """What is opened, below the server's address."""
        return f"/login/once?token={self.token}"

    def open(self, token: str) -> str | None:
        """The secret of a new session, the first time; None for another token, and ever after."""
        with self._lock:
            if self._opened or not hmac.compare_digest(token.encode(), self.token.encode()):
                return None
            self._opened, self._secret = True, secrets.token_urlsafe(32)
            return self._secret

    def of(self, secret: str | None) -> Session | None:
        """The session whose secret that is."""
        known = self._secret
        same = secret and known and hmac.compare_digest(secret.encode(), known.encode())
        return self._session if same else None

    def end(self, secret: str | None) -> None:
        """Log out."""
        if self.of(secret):
            self._secret = None
