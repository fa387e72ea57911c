"""A rule on the age of the newest row."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Any, ClassVar, Literal

import narwhals as nw
from pydantic import AfterValidator

from dq_pipelines.errors import RuleError
from dq_pipelines.rules.core import clock
from dq_pipelines.rules.core.base import Dimension, Example
from dq_pipelines.rules.core.column_value import Value
from dq_pipelines.rules.core.on_tables import AggregateRule

_UNITS = {"w": "weeks", "d": "days", "h": "hours", "m": "minutes", "s": "seconds"}
_AGE = re.compile(r"(?:\d+[wdhms])+")


def _age(text: str) -> str:
    if not _AGE.fullmatch(text):
        raise ValueError(f"wanted an age such as 36h, 2d or 1d12h (units: w, d, h, m, s), got '{text}'")
    return text


class TableFresh(AggregateRule):
    """The newest value of `column` is at most `max_age` old when the rule is judged; a column without values fails.

    Timestamps without a time zone are read as UTC, and a date as its midnight. The observed value is the newest one. It
    fails if it is more than `max_ahead` in the future, since then the age of the rows is unknown.
    """

    dimension: ClassVar[Dimension] = "timeliness"

    type: Literal["expect_table_to_be_fresh"]
    title_template: ClassVar[str] = "the newest {column} is at most {max_age} old"
    #: such as `36h`, `2d`, `15m` or `1d12h`
    max_age: Annotated[str, AfterValidator(_age)]
    #: how far the newest value may be in the future; a local time read as UTC is up to 14 hours ahead
    max_ahead: Annotated[str, AfterValidator(_age)] = "14h"

    #: the contract suite judges on 2026-06-01 12:00 UTC
    examples: ClassVar[tuple[Example, ...]] = (
        Example(
            {"x": [datetime.fromisoformat("2026-05-31T12:00"), datetime.fromisoformat("2025-01-01"), None]},
            {"column": "x", "max_age": "24h"},
            {"success": True, "observed_value": datetime.fromisoformat("2026-05-31T12:00")},
        ),
        Example(
            {"x": [datetime.fromisoformat("2026-05-31T11:00")]}, {"column": "x", "max_age": "24h"}, {"success": False}
        ),
        Example({"x": [date(2026, 5, 31)]}, {"column": "x", "max_age": "1d12h"}, {"success": True}),
        Example(
            {"x": [datetime.fromisoformat("2026-06-01T11:00"), datetime.fromisoformat("2062-01-01")]},
            {"column": "x", "max_age": "24h"},
            {"success": False, "observed_value": datetime.fromisoformat("2062-01-01")},
        ),
        Example(
            {"x": [datetime.fromisoformat("2026-06-02T01:00")]}, {"column": "x", "max_age": "24h"}, {"success": True}
        ),
        Example({"x": [date(2026, 6, 3)]}, {"column": "x", "max_age": "24h", "max_ahead": "7d"}, {"success": True}),
        Example({"x": [None, None]}, {"column": "x", "max_age": "2d"}, {"success": False, "observed_value": None}),
    )

    def observe(self, value: Value) -> nw.Expr:
        if value.family not in ("date", "datetime", "unknown"):
            raise RuleError(f"column '{value.name}' is {value.dtype}: wanted a date or datetime column")
        return value.expr.max()

    def accepts(self, observed: Any) -> bool:
        return observed is not None and -_length(self.max_ahead) <= clock.now() - _moment(observed) <= _length(
            self.max_age
        )

    def remark(self, observed: Any) -> str:
        newest = datetime.fromisoformat(observed) if isinstance(observed, str) else observed
        ahead = newest is not None and _moment(newest) - clock.now() > _length(self.max_ahead)
        return f"which lies more than {self.max_ahead} in the future" if ahead else ""


def _length(text: str) -> timedelta:
    parts = re.findall(r"(\d+)([wdhms])", text)
    return sum((timedelta(**{_UNITS[unit]: int(count)}) for count, unit in parts), timedelta())


def _moment(observed: date) -> datetime:
    if not isinstance(observed, date):  # DuckDB's value for a year that Python does not have
        raise RuleError(f"the newest is {observed}, which lies outside of the years 1 to 9999")
    if not isinstance(observed, datetime):
        observed = datetime.combine(observed, time())
    return observed if observed.tzinfo else observed.replace(tzinfo=UTC)
