"""Checks the strength of passwords by length and by zxcvbn's number of guesses, and hashes them by argon2id.

The parameters are the library's: the second recommended option of RFC 9106.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Collection
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from dq_pipelines.errors import ConfigError, Problem

#: Characters. NIST SP 800-63B, 2024: length counts; no rules on which characters.
SHORTEST, LONGEST = 12, 256
#: The lowest accepted zxcvbn score of 0 to 4: more than a hundred million guesses.
LEAST_SCORE = 3
#: Words that an attacker tries first here, besides those about the user.
_OUR_WORDS = ("dq_pipelines", "pipelines", "dagster", "quality")
#: zxcvbn gets only so many characters; more cannot make a password easier to guess.
_CHECKED_LENGTH = 72

_HASHER = PasswordHasher()


def password_hash(password: str, about: Collection[str] = ()) -> str:
    """The hash of a password, for storage.

    Raises ConfigError for one that is too short, too long or easy to guess; `about` has texts about its user, such as the name.
    """
    if not SHORTEST <= len(password) <= LONGEST:
        raise _wrong(f"wanted a password of {SHORTEST} to {LONGEST} characters, got one of {len(password)}")
    _must_be_hard_to_guess(password, about)
    return _HASHER.hash(password)


def _must_be_hard_to_guess(password: str, about: Collection[str]) -> None:
    from zxcvbn import zxcvbn

    parts = {part for text in about for part in re.split(r"[._@+-]", text) if len(part) > 2}
    estimate = zxcvbn(password[:_CHECKED_LENGTH], user_inputs=[*about, *sorted(parts), *_OUR_WORDS])
    if estimate["score"] < LEAST_SCORE:
        feedback = estimate["feedback"]
        advice = " ".join(filter(None, [feedback["warning"], *feedback["suggestions"]])).rstrip(".")
        guesses = 10 ** int(estimate["guesses_log10"])
        message = f"wanted a password that is hard to guess, got one that about {guesses:,} guesses find"
        raise _wrong(f"{message}: {advice}" if advice else message)


def _wrong(message: str) -> ConfigError:
    return ConfigError([Problem("", 0, message)])


def matches_hash(password: str, kept: str | None) -> bool:
    """Whether the password matches the stored hash; without one (None) the answer takes as long."""
    placeholder = _placeholder()  # always computed, so that the first call takes as long for every name
    try:
        _HASHER.verify(kept or placeholder, password[:LONGEST])
    except (VerificationError, InvalidHashError):
        return False
    return kept is not None


@cache
def _placeholder() -> str:
    return _HASHER.hash(secrets.token_urlsafe())
