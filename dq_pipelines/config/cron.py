"""Validates cron schedules, and computes their smallest interval, last tick and next tick."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from functools import lru_cache
from itertools import pairwise

#: The macros, with the schedule that each abbreviates.
_MACROS = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
}
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
#: The most days that each month has.
_LONGEST = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")

#: name, least, greatest, and words for the numbers from the least on
_FIELDS: tuple[tuple[str, int, int, tuple[str, ...]], ...] = (
    ("minute", 0, 59, ()),
    ("hour", 0, 23, ()),
    ("day of the month", 1, 31, ()),
    ("month", 1, 12, _MONTHS),
    ("day of the week", 0, 7, _DAYS),
)
_PART = re.compile(r"(?:\*|(?P<low>[a-z0-9]+)(?:-(?P<high>[a-z0-9]+))?)(?:/(?P<step>[0-9]+))?")


def problem(text: str) -> str | None:
    """What is wrong with a cron schedule, in one sentence, or None."""
    if text in _MACROS:
        return None
    if text.startswith("@"):
        return f"wanted {', '.join(_MACROS)} or a cron schedule, got '{text}'"
    fields = text.split()
    if len(fields) != len(_FIELDS):
        return f"wanted a cron schedule of five fields such as '0 2 * * *', got '{text}'"
    for field, (name, least, greatest, words) in zip(fields, _FIELDS, strict=True):
        if not all(_fits(part, least, greatest, words) for part in field.lower().split(",")):
            return f"wanted {least} to {greatest} as the {name} of a cron schedule, got '{field}' in '{text}'"
    days, months = (_values(field, place) for field, place in ((fields[2], 2), (fields[3].lower(), 3)))
    if not any(day <= _LONGEST[month - 1] for day in days for month in months):
        return f"wanted a day that the month has, got day {fields[2]} of month {fields[3]} in '{text}'"
    return None


def _fits(part: str, least: int, greatest: int, words: tuple[str, ...]) -> bool:
    match = _PART.fullmatch(part)
    if match is None or match["step"] == "0":
        return False
    bounds = [_number(each, least, words) for each in (match["low"], match["high"]) if each is not None]
    return all(least <= bound <= greatest for bound in bounds) and bounds == sorted(bounds)


def _number(text: str, least: int, words: tuple[str, ...]) -> int:
    if text in words:
        return words.index(text) + least
    return int(text) if text.isdecimal() and text.isascii() else -1


def smallest_interval(text: str) -> timedelta:
    """The least time between two ticks of a valid schedule; a year if it ticks once a year or less.

    Days are counted without daylight saving time.
    """
    fields = _MACROS.get(text, text).lower().split()
    minutes, hours = (_values(fields[place], place) for place in (0, 1))
    times = sorted(timedelta(hours=hour, minutes=minute) for hour in hours for minute in minutes)
    days = list(_days(fields))
    gaps = [b - a for a, b in pairwise(times)]
    gaps += [timedelta(days=(b - a).days) - times[-1] + times[0] for b, a in pairwise(days)]
    return min(gaps, default=timedelta(days=365))


def last_tick(text: str, now: datetime) -> datetime | None:
    """The last tick of a valid schedule up to `now`, in the time zone of `now`; None if there was none in four years."""
    fields = _MACROS.get(text, text).lower().split()
    minutes, hours = (_values(fields[place], place) for place in (0, 1))
    for day in _days(fields, until=now.date()):
        ticks = [
            datetime(day.year, day.month, day.day, hour, minute, tzinfo=now.tzinfo)
            for hour in hours
            for minute in minutes
        ]
        if past := [tick for tick in ticks if tick <= now]:
            return max(past)
    return None


def next_tick(text: str, now: datetime) -> datetime | None:
    """The first tick of a valid schedule after `now`, in the time zone of `now`; None if there is none in four years."""
    fields = _MACROS.get(text, text).lower().split()
    times = sorted((hour, minute) for hour in _values(fields[1], 1) for minute in _values(fields[0], 0))
    for offset in range(4 * 365 + 1):
        day = now.date() + timedelta(days=offset)
        if not _ticks_on(fields, day):
            continue
        for hour, minute in times:
            tick = datetime(day.year, day.month, day.day, hour, minute, tzinfo=now.tzinfo)
            if tick > now:
                return tick
    return None


def _days(fields: list[str], until: date = date(2027, 12, 31)) -> Iterator[date]:
    """The days of four years on which a schedule ticks, the last one first."""
    for offset in range(4 * 365 + 1):
        day = until - timedelta(days=offset)
        if _ticks_on(fields, day):
            yield day


def _ticks_on(fields: list[str], day: date) -> bool:
    """Whether a schedule ticks on a day; if it restricts both day of month and day of week, one that matches either does."""
    of_month, months, of_week = (_values(fields[place], place) for place in (2, 3, 4))
    matches = [day.day in of_month, bool({day.isoweekday(), day.isoweekday() % 7} & of_week)]
    is_free = [fields[place].startswith("*") for place in (2, 4)]
    return day.month in months and (all(matches) if any(is_free) else any(matches))


@lru_cache(maxsize=1024)
def _values(field: str, place: int) -> frozenset[int]:
    """The numbers that a field of a valid schedule names."""
    _, least, greatest, words = _FIELDS[place]
    numbers: set[int] = set()
    for part in field.split(","):
        match = _PART.fullmatch(part)
        if match is None:
            continue
        low = least if match["low"] is None else _number(match["low"], least, words)
        to_the_end = match["low"] is None or (match["step"] is not None and match["high"] is None)
        high = greatest if to_the_end else low if match["high"] is None else _number(match["high"], least, words)
        numbers.update(range(low, high + 1, int(match["step"] or 1)))
    return frozenset(numbers)
