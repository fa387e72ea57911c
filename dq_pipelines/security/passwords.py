"""Passwords at rest: argon2id, with its library's parameters (RFC 9106's second choice)."""

from __future__ import annotations

import secrets
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from dq_pipelines.errors import ConfigError, Problem

#: NIST SP 800-63B, 2024: length is what counts; no rules on which characters.
SHORTEST, LONGEST = 12, 256

_HASHER = PasswordHasher()


def hashed(password: str) -> str:
    """The password as it is kept; raises ConfigError for one that is too short or too long to be taken."""
    if not SHORTEST <= len(password) <= LONGEST:
        said = f"wanted a password of {SHORTEST} to {LONGEST} characters, got one of {len(password)}"
        raise ConfigError([Problem("", 0, said)])
    return _HASHER.hash(password)


def is_right(password: str, kept: str | None) -> bool:
    """Whether it is the password; where none is kept it takes as long to say no."""
    nobodys = _nobodys()  # made at the first call, whichever name that is about
    try:
        _HASHER.verify(kept or nobodys, password[:LONGEST])
    except (VerificationError, InvalidHashError):
        return False
    return kept is not None


@cache
def _nobodys() -> str:
    return _HASHER.hash(secrets.token_urlsafe())
