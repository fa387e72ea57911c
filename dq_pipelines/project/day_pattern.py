"""The day that a path holds: a strftime pattern, read as people and tools write days. What a day is for belongs elsewhere."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import lru_cache

from dq_pipelines.config.model import shown

#: How a directive looks in a path, where something else than a number stands beside it: Spark writes `month=1`.
_SHAPES = {
    "%Y": r"\d{4}", "%y": r"\d{2}", "%m": r"\d{1,2}", "%d": r"\d{1,2}", "%j": r"\d{1,3}",
    "%b": r"[A-Za-z]{3}", "%B": r"[A-Za-z]{3,9}", "%H": r"\d{1,2}", "%M": r"\d{1,2}", "%S": r"\d{1,2}",
}  # fmt: skip
_NAMES = ("%b", "%B")
#: How it looks right beside another number.
_PADDED = {"%m": r"\d{2}", "%d": r"\d{2}", "%j": r"\d{3}", "%H": r"\d{2}", "%M": r"\d{2}", "%S": r"\d{2}"}
_WRITTEN_OUT = {"%F": "%Y-%m-%d", "%D": "%m/%d/%y", "%-m": "%m", "%-d": "%d", "%e": "%d", "%h": "%b", "%T": "%H:%M:%S"}
_DIRECTIVE = re.compile(r"%-?.|[^%]+", re.DOTALL)


@dataclass(frozen=True)
class DayPattern:
    """A strftime pattern that names a day."""

    #: those of `_SHAPES`, in order; one may stand twice
    directives: tuple[str, ...]
    #: with a group for each directive
    shape: re.Pattern[str]

    @classmethod
    @lru_cache(maxsize=256)
    def of(cls, text: str) -> DayPattern:
        """Raises ValueError for a directive that is not known, and for a pattern that leaves the day open."""
        parts = [part for each in _DIRECTIVE.findall(text) for part in _DIRECTIVE.findall(_WRITTEN_OUT.get(each, each))]
        for part in parts:
            if part.startswith("%") and part not in (*_SHAPES, "%%"):
                known = ", ".join([*_SHAPES, "%F"])
                raise ValueError(f"wanted directives among {known}, got {shown(part)} in {shown(text)}")
        there = set(parts)
        if not (there & {"%Y", "%y"} and ("%j" in there or ("%d" in there and there & {"%m", "%b", "%B"}))):
            raise ValueError(f"wanted a year, a month and a day, such as %Y-%m-%d, got {shown(text)}")
        shapes = [_shape(part, parts[at - 1 : at] + parts[at + 1 : at + 2]) for at, part in enumerate(parts)]
        # A number of one digit or two ends where its digits end: `2024-01-020` is no day.
        end = r"(?!\d)" if shapes[-1].startswith(r"(\d{1,") else ""
        return cls(tuple(part for part in parts if part in _SHAPES), re.compile("".join(shapes) + end))

    def day_in(self, path: str) -> date | None:
        """The last day that the path holds; None where it holds none. A day that is written twice has to be the same."""
        for found in list(self.shape.finditer(path))[::-1]:
            day = self._day_of(found.groups())
            if day is not None:
                return day
        return None

    def _day_of(self, texts: tuple[str, ...]) -> date | None:
        # `strptime` takes no directive twice.
        once = dict(zip(self.directives, texts, strict=True))
        try:
            moment = datetime.strptime(" ".join(once.values()), " ".join(once)).replace(tzinfo=UTC)
            agrees = all(_meant(*each) == _part(moment, each[0]) for each in zip(self.directives, texts, strict=True))
        except ValueError:
            return None
        return moment.date() if agrees else None


def _meant(directive: str, text: str) -> int:
    """The number that a directive's text stands for: of a month's name, the month."""
    return datetime.strptime(text, directive).month if directive in _NAMES else int(text)  # noqa: DTZ007


def _part(moment: datetime, directive: str) -> int:
    """The number that a directive takes of a moment."""
    match directive:
        case "%Y":
            return moment.year
        case "%b" | "%B":
            return moment.month
        case _:
            return int(moment.strftime(directive))


def _shape(part: str, beside: list[str]) -> str:
    if part in _PADDED and any(other in _SHAPES and other not in _NAMES for other in beside):
        return f"({_PADDED[part]})"
    return f"({_SHAPES[part]})" if part in _SHAPES else re.escape(part.replace("%%", "%"))
