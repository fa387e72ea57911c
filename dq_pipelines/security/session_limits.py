"""How long a login lasts, by the environment: in all, and without a request."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import timedelta

from dq_pipelines.errors import ConfigError, Problem
from dq_pipelines.security.roles import Role
from dq_pipelines.security.users import User

_HOURS, _IDLE, _ADMIN_IDLE = "DQ_SESSION_HOURS", "DQ_SESSION_IDLE_MINUTES", "DQ_ADMIN_IDLE_MINUTES"


@dataclass(frozen=True)
class SessionLimits:
    """The limits of sessions and of logins by token."""

    #: after so long somebody has to log in again, whatever they do
    longest: timedelta = timedelta(hours=12)
    #: ... and after so long without a request
    idle: timedelta = timedelta(hours=12)
    #: ... of whoever is admin of anything
    admin_idle: timedelta = timedelta(minutes=30)

    @classmethod
    def from_environment(cls) -> SessionLimits:
        """`DQ_SESSION_HOURS`, `DQ_SESSION_IDLE_MINUTES`, `DQ_ADMIN_IDLE_MINUTES`; raises ConfigError for what is no such number."""
        longest = timedelta(hours=_number(_HOURS, 12, 24 * 7))
        idle = timedelta(minutes=_number(_IDLE, int(longest.total_seconds() // 60), 60 * 24 * 7))
        return cls(
            longest, min(idle, longest), min(timedelta(minutes=_number(_ADMIN_IDLE, 30, 60 * 24 * 7)), idle, longest)
        )

    def idle_of(self, user: User) -> timedelta:
        """How long this user may ask for nothing."""
        return self.admin_idle if any(grant.role is Role.ADMIN for grant in user.grants) else self.idle


def _number(name: str, default: int, most: int) -> int:
    text = os.environ.get(name) or str(default)
    if not (text.isascii() and text.isdigit() and 0 < int(text) <= most):
        raise ConfigError([Problem("", 0, f"{name}: wanted a whole number of 1 to {most:,}, got '{text}'")])
    return int(text)
