"""Reads from the environment how long a login lasts: in total, and without a request."""

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

    #: the longest duration of a login
    longest: timedelta = timedelta(hours=12)
    #: the longest time without a request
    idle: timedelta = timedelta(hours=12)
    #: the same for users who are admin of anything
    admin_idle: timedelta = timedelta(minutes=30)

    @classmethod
    def from_environment(cls) -> SessionLimits:
        """From `DQ_SESSION_HOURS`, `DQ_SESSION_IDLE_MINUTES`, `DQ_ADMIN_IDLE_MINUTES`; raises ConfigError for an invalid number."""
        longest = timedelta(hours=_number(_HOURS, 12, 24 * 7))
        idle = timedelta(minutes=_number(_IDLE, int(longest.total_seconds() // 60), 60 * 24 * 7))
        return cls(
            longest, min(idle, longest), min(timedelta(minutes=_number(_ADMIN_IDLE, 30, 60 * 24 * 7)), idle, longest)
        )

    def idle_of(self, user: User) -> timedelta:
        """The longest time without a request for this user."""
        return self.admin_idle if any(grant.role is Role.ADMIN for grant in user.grants) else self.idle


def _number(name: str, default: int, most: int) -> int:
    text = os.environ.get(name) or str(default)
    if not (text.isascii() and text.isdigit() and 0 < int(text) <= most):
        raise ConfigError([Problem("", 0, f"{name}: wanted a whole number of 1 to {most:,}, got '{text}'")])
    return int(text)
