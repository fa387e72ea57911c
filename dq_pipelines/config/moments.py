"""Parses moments that people enter: a day, or a date and time; in UTC unless they name a time zone."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")


def start_of(text: str) -> datetime:
    """The start of a period: the moment, or the start of the day. Raises ValueError with one sentence."""
    try:
        moment = datetime.fromisoformat(text.strip())
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError(f"wanted a day or a moment such as 2026-01-31 or 2026-01-31T02:00:00Z, got '{text}'") from None


def end_of(text: str) -> datetime:
    """The inclusive end of a period: the moment, or the last microsecond of the day. Raises ValueError with one sentence."""
    return last_of_day(start_of(text)) if is_day(text) else start_of(text)


def is_day(text: str) -> bool:
    """Whether a text is a day without a time."""
    return _DAY.fullmatch(text.strip()) is not None


def last_of_day(start: datetime) -> datetime:
    """The last microsecond of the day that starts at a moment."""
    return start + (timedelta(days=1) - timedelta(microseconds=1))
