"""Finds the day in a path by a strftime pattern, leniently, as people and tools write days."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import lru_cache

from dq_pipelines.config.model import shown

#: What a directive matches in a path when no number adjoins it: Spark writes `month=1`.
_SHAPES = {
    "%Y": r"\d{4}", "%y": r"\d{2}", "%m": r"\d{1,2}", "%d": r"\d{1,2}", "%j": r"\d{1,3}",
    "%b": r"[A-Za-z]{3}", "%B": r"[A-Za-z]{3,9}", "%H": r"\d{1,2}", "%M": r"\d{1,2}", "%S": r"\d{1,2}",
}  # fmt: skip
_NAMES = ("%b", "%B")
#: Directives of a day that is written in numbers alone.
_IN_NUMBERS = frozenset({"%Y", "%m", "%d"})
#: What it matches when another number adjoins it.
_PADDED = {"%m": r"\d{2}", "%d": r"\d{2}", "%j": r"\d{3}", "%H": r"\d{2}", "%M": r"\d{2}", "%S": r"\d{2}"}
_WRITTEN_OUT = {"%F": "%Y-%m-%d", "%D": "%m/%d/%y", "%-m": "%m", "%-d": "%d", "%e": "%d", "%h": "%b", "%T": "%H:%M:%S"}
_DIRECTIVE = re.compile(r"%-?.|[^%]+", re.DOTALL)


@dataclass(frozen=True)
class DayPattern:
    """A strftime pattern that names a day."""

    #: keys of `_SHAPES`, in order; a directive may occur twice
    directives: tuple[str, ...]
    #: regular expression with a group for each directive
    shape: re.Pattern[str]

    @classmethod
    @lru_cache(maxsize=256)
    def of(cls, text: str) -> DayPattern:
        """Compile a pattern; raises ValueError for an unknown directive, or if it does not determine a day."""
        parts = [part for each in _DIRECTIVE.findall(text) for part in _DIRECTIVE.findall(_WRITTEN_OUT.get(each, each))]
        for part in parts:
            if part.startswith("%") and part not in (*_SHAPES, "%%"):
                known = ", ".join([*_SHAPES, "%F"])
                raise ValueError(f"wanted directives among {known}, got {shown(part)} in {shown(text)}")
        present = set(parts)
        if not (present & {"%Y", "%y"} and ("%j" in present or ("%d" in present and present & {"%m", "%b", "%B"}))):
            raise ValueError(f"wanted a year, a month and a day, such as %Y-%m-%d, got {shown(text)}")
        shapes = [_shape(part, parts[at - 1 : at] + parts[at + 1 : at + 2]) for at, part in enumerate(parts)]
        # A number of one or two digits must not be followed by another digit: `2024-01-020` is not a day.
        end = r"(?!\d)" if shapes[-1].startswith(r"(\d{1,") else ""
        return cls(tuple(part for part in parts if part in _SHAPES), re.compile("".join(shapes) + end))

    def day_in(self, path: str) -> date | None:
        """The last day in the path, or None. Directives that occur twice must agree."""
        for match in list(self.shape.finditer(path))[::-1]:
            day = self._day_of(match.groups())
            if day is not None:
                return day
        return None

    def _day_of(self, texts: tuple[str, ...]) -> date | None:
        # `strptime` does not accept a directive twice.
        distinct = dict(zip(self.directives, texts, strict=True))
        if _IN_NUMBERS.issuperset(distinct):
            return self._day_of_numbers(texts)
        try:
            moment = datetime.strptime(" ".join(distinct.values()), " ".join(distinct)).replace(tzinfo=UTC)
            agrees = all(_number(*each) == _part(moment, each[0]) for each in zip(self.directives, texts, strict=True))
        except ValueError:
            return None
        return moment.date() if agrees else None

    def _day_of_numbers(self, texts: tuple[str, ...]) -> date | None:
        """The day of a year, a month and a day, ten times as quickly: a run asks it of each file of its source."""
        numbers = list(zip(self.directives, map(int, texts), strict=True))
        distinct = dict(numbers)
        if any(distinct[directive] != number for directive, number in numbers):
            return None
        try:
            return date(distinct["%Y"], distinct["%m"], distinct["%d"])
        except ValueError:
            return None


def _number(directive: str, text: str) -> int:
    """The number that a directive's text means; for a month's name, the month."""
    return datetime.strptime(text, directive).month if directive in _NAMES else int(text)  # noqa: DTZ007


def _part(moment: datetime, directive: str) -> int:
    """The number that a directive gives for a moment."""
    match directive:
        case "%Y":
            return moment.year
        case "%b" | "%B":
            return moment.month
        case _:
            return int(moment.strftime(directive))


def _shape(part: str, neighbours: list[str]) -> str:
    if part in _PADDED and any(other in _SHAPES and other not in _NAMES for other in neighbours):
        return f"({_PADDED[part]})"
    return f"({_SHAPES[part]})" if part in _SHAPES else re.escape(part.replace("%%", "%"))
