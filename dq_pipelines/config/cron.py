"""Cron schedules, as far as their text tells whether they are one. When they are due is Dagster's business."""

from __future__ import annotations

import re

_MACROS = ("@hourly", "@daily", "@weekly", "@monthly", "@yearly")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
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
