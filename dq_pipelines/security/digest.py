"""Secrets that we have made, as they are kept: by their hash. What a person has chosen belongs in `passwords`."""

from __future__ import annotations

import hashlib


def digest(secret: str) -> str:
    """64 hexadecimal digits; 256 random bits are guessed no sooner for a quick hash."""
    return hashlib.sha256(secret.encode()).hexdigest()
