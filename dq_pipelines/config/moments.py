"""Moments as people write them: a day, or a time of it; without a time zone in UTC."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")


def since(text: str) -> datetime:
    """The moment from which on something is wanted; of a day, its start. Raises ValueError in a sentence."""
    try:
        found = datetime.fromisoformat(text.strip())
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError(f"wanted a day or a moment such as 2026-01-31 or 2026-01-31T02:00:00Z, got '{text}'") from None


def until(text: str) -> datetime:
    """The moment up to which something is wanted, itself included; of a day, its last. Raises ValueError in a sentence."""
    return last_of_day(since(text)) if is_day(text) else since(text)


def is_day(text: str) -> bool:
    """Whether a text names a day and no time."""
    return _DAY.fullmatch(text.strip()) is not None


def last_of_day(start: datetime) -> datetime:
    """The last microsecond of the day that starts at a moment."""
    return start + (timedelta(days=1) - timedelta(microseconds=1))
