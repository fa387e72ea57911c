"""Passwords: which are taken, by length and by how many guesses they withstand (zxcvbn); and at rest: argon2id, with its library's
parameters (RFC 9106's second choice).
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Collection
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from dq_pipelines.errors import ConfigError, Problem

#: NIST SP 800-63B, 2024: length is what counts; no rules on which characters.
SHORTEST, LONGEST = 12, 256
#: Of zxcvbn's scores, 0 to 4, the least that is taken: more than a hundred million guesses.
LEAST_SCORE = 3
#: What is first guessed here, besides what is about the user.
_ABOUT_US = ("dq_pipelines", "pipelines", "dagster", "quality")
#: zxcvbn looks at so many characters; the rest makes a password no easier to guess.
_LOOKED_AT = 72

_HASHER = PasswordHasher()


def hashed(password: str, about: Collection[str] = ()) -> str:
    """The password as it is kept.

    Raises ConfigError for one that is too short, too long or easy to guess; `about` are texts about its user, such as the name.
    """
    if not SHORTEST <= len(password) <= LONGEST:
        raise _wrong(f"wanted a password of {SHORTEST} to {LONGEST} characters, got one of {len(password)}")
    _must_be_hard_to_guess(password, about)
    return _HASHER.hash(password)


def _must_be_hard_to_guess(password: str, about: Collection[str]) -> None:
    from zxcvbn import zxcvbn

    parts = {part for text in about for part in re.split(r"[._@+-]", text) if len(part) > 2}
    found = zxcvbn(password[:_LOOKED_AT], user_inputs=[*about, *sorted(parts), *_ABOUT_US])
    if found["score"] < LEAST_SCORE:
        feedback = found["feedback"]
        advice = " ".join(filter(None, [feedback["warning"], *feedback["suggestions"]])).rstrip(".")
        guesses = 10 ** int(found["guesses_log10"])
        said = f"wanted a password that is hard to guess, got one that about {guesses:,} guesses find"
        raise _wrong(f"{said}: {advice}" if advice else said)


def _wrong(said: str) -> ConfigError:
    return ConfigError([Problem("", 0, said)])


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
