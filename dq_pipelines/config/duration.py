"""Lengths of time as YAML writes them, a whole number and a letter: `12h`, `90d`, `8w`, `2y`, and short ones, `30s`, `5m`."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Annotated, Any

from pydantic import BeforeValidator, WithJsonSchema

from dq_pipelines.config.model import shown

_PATTERN = re.compile(r"(\d{1,6})([hdwy])")

#: A year is 365 days of 24 hours, so that a duration is the same length whenever it is counted from.
_UNITS = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1), "y": timedelta(days=365)}

#: What Python's calendar can count back from today.
_LONGEST = timedelta(days=365 * 1000)


def duration(text: str) -> timedelta:
    """The length of time that `90d` names; raises ValueError, in one sentence, for anything else."""
    match = _PATTERN.fullmatch(text)
    length = int(match[1]) * _UNITS[match[2]] if match else timedelta(0)
    if not timedelta(0) < length <= _LONGEST:
        raise ValueError(f"wanted a duration such as 12h, 90d, 8w or 2y (365 days each), got {shown(text)}")
    return length


def _known(length: Callable[[str], timedelta]) -> BeforeValidator:
    """Of a number without a unit the sentence names the units, too."""

    def check(value: Any) -> Any:
        if not isinstance(value, bool | list | dict | None):
            length(str(value))
        return value

    return BeforeValidator(check)


#: A duration in YAML, known to be one.
Duration = Annotated[str, _known(duration), WithJsonSchema({"type": "string", "pattern": f"^{_PATTERN.pattern}$"})]


_SPAN = re.compile(r"(\d{1,6})([smh])")
_SPAN_UNITS = {"s": timedelta(seconds=1), "m": timedelta(minutes=1), "h": timedelta(hours=1)}


def span(text: str) -> timedelta:
    """The short length of time that `90s`, `5m` or `2h` names; raises ValueError, in one sentence, for anything else."""
    match = _SPAN.fullmatch(text)
    if match is None:
        raise ValueError(f"wanted a length of time such as 30s, 5m or 2h, got {shown(text)}")
    return int(match[1]) * _SPAN_UNITS[match[2]]


#: A short length of time in YAML, known to be one; `0s` for none.
Span = Annotated[str, _known(span), WithJsonSchema({"type": "string", "pattern": f"^{_SPAN.pattern}$"})]


_INTERVAL = re.compile(r"(\d{1,6})([mhdw])")
_INTERVAL_UNITS = {"m": timedelta(minutes=1), **{unit: _UNITS[unit] for unit in "hdw"}}


def interval(text: str) -> timedelta:
    """The time between two events that `30m`, `26h` or `7d` names; raises ValueError, in one sentence, for anything else."""
    match = _INTERVAL.fullmatch(text)
    length = int(match[1]) * _INTERVAL_UNITS[match[2]] if match else timedelta(0)
    if not timedelta(0) < length <= _LONGEST:
        raise ValueError(f"wanted an interval such as 30m, 26h, 7d or 2w, got {shown(text)}")
    return length


#: The time between two events in YAML, known to be one.
Interval = Annotated[str, _known(interval), WithJsonSchema({"type": "string", "pattern": f"^{_INTERVAL.pattern}$"})]
