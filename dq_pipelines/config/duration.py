"""Parses durations in YAML, a whole number and a unit: `12h`, `90d`, `8w`, `2y`, and short ones, `30s`, `5m`."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Annotated, Any

from pydantic import BeforeValidator, WithJsonSchema

from dq_pipelines.config.model import shown

_PATTERN = re.compile(r"(\d{1,6})([hdwy])")

#: A year is 365 days of 24 hours, so that a duration has the same length from any start.
_UNITS = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1), "y": timedelta(days=365)}

#: Python's calendar can go back this far from today.
_LONGEST = timedelta(days=365 * 1000)


def duration(text: str) -> timedelta:
    """Parse `12h`, `90d`, `8w` or `2y`; raises ValueError, with one sentence, for anything else."""
    match = _PATTERN.fullmatch(text)
    length = int(match[1]) * _UNITS[match[2]] if match else timedelta(0)
    if not timedelta(0) < length <= _LONGEST:
        raise ValueError(f"wanted a duration such as 12h, 90d, 8w or 2y (365 days each), got {shown(text)}")
    return length


def _known(parse: Callable[[str], timedelta]) -> BeforeValidator:
    """A validator; for a number without a unit too, its message names the units."""

    def check(value: Any) -> Any:
        if not isinstance(value, bool | list | dict | None):
            parse(str(value))
        return value

    return BeforeValidator(check)


#: A validated duration in YAML.
Duration = Annotated[str, _known(duration), WithJsonSchema({"type": "string", "pattern": f"^{_PATTERN.pattern}$"})]


_SPAN = re.compile(r"(\d{1,6})([smh])")
_SPAN_UNITS = {"s": timedelta(seconds=1), "m": timedelta(minutes=1), "h": timedelta(hours=1)}


def span(text: str) -> timedelta:
    """Parse a short duration, `90s`, `5m` or `2h`; raises ValueError, with one sentence, for anything else."""
    match = _SPAN.fullmatch(text)
    if match is None:
        raise ValueError(f"wanted a length of time such as 30s, 5m or 2h, got {shown(text)}")
    return int(match[1]) * _SPAN_UNITS[match[2]]


#: A validated short duration in YAML; `0s` for none.
Span = Annotated[str, _known(span), WithJsonSchema({"type": "string", "pattern": f"^{_SPAN.pattern}$"})]


_INTERVAL = re.compile(r"(\d{1,6})([mhdw])")
_INTERVAL_UNITS = {"m": timedelta(minutes=1), **{unit: _UNITS[unit] for unit in "hdw"}}


def interval(text: str) -> timedelta:
    """Parse an interval between two events, `30m`, `26h` or `7d`; raises ValueError, with one sentence, for anything else."""
    match = _INTERVAL.fullmatch(text)
    length = int(match[1]) * _INTERVAL_UNITS[match[2]] if match else timedelta(0)
    if not timedelta(0) < length <= _LONGEST:
        raise ValueError(f"wanted an interval such as 30m, 26h, 7d or 2w, got {shown(text)}")
    return length


#: A validated interval in YAML.
Interval = Annotated[str, _known(interval), WithJsonSchema({"type": "string", "pattern": f"^{_INTERVAL.pattern}$"})]
