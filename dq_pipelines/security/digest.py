"""Hashes generated secrets for storage. `passwords` has the slow hash for chosen ones."""

from __future__ import annotations

import hashlib


def digest(secret: str) -> str:
    """SHA-256 as 64 hexadecimal digits; a fast hash is safe for random secrets of 120 bits or more."""
    return hashlib.sha256(secret.encode()).hexdigest()
