"""Suggests rules for codes that are written in several formats: with and without brackets, hyphens, or an extension."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from dq_pipelines.monitoring.profile import ColumnProfile
from dq_pipelines.monitoring.profile.column import COUNT, SHAPE
from dq_pipelines.monitoring.profile.shapes import regex_of
from dq_pipelines.monitoring.suggestions.base import Suggestion, percent
from dq_pipelines.monitoring.suggestions.findings import Findings

_LEAST_ROWS, _LEAST_DIGITS = 100, 5
#: Most formats, the least share of rows of each, and of all together.
_MOST_WAYS, _LEAST, _ALL = 4, 0.05, 0.97


def suggest(findings: Findings) -> Iterator[Suggestion]:
    for column in findings:
        if column.is_text and column.inferred_type.kind in ("text", "integer") and column.seen >= _LEAST_ROWS:
            ways = column.shapes.filter(pl.col(COUNT) >= _LEAST * column.seen)
            if 2 <= ways.height <= _MOST_WAYS and int(ways[COUNT].sum()) >= _ALL * column.seen:
                yield from _of(column, ways)


def _of(column: ColumnProfile, ways: pl.DataFrame) -> Iterator[Suggestion]:
    shapes = list(ways[SHAPE])
    digits = {shape.count("9") for shape in shapes}
    if any(set(shape) & {"A", "a"} for shape in shapes) or max(digits) < _LEAST_DIGITS or column.distinct < 20:
        return
    alike, extended = len(digits) == 1, _extend(shapes)
    if not alike and not extended:
        return
    first, rows = shapes[0], int(ways[COUNT][0])
    shown = [f"`{shape}` ({percent(count, column.seen)})" for shape, count in ways.rows()]
    what = "the same digits are written in" if alike else "some values have an extension, so that there are"
    rule = {"type": "expect_column_values_to_match_regex", "column": column.name, "regex": regex_of(first)}
    why = f"{what} {len(shapes)} ways: {', '.join(shown)}; choose one"
    yield Suggestion(rule, why, 0.7).broken_by(column.seen - rows, column.seen)


def _extend(shapes: list[str]) -> bool:
    """Whether one of two shapes extends the other by a separator and digits: `99999-9999` and `99999`."""
    short, long = sorted(shapes, key=len)[:2]
    rest = long.removeprefix(short)
    return len(shapes) == 2 and long != rest and len(rest) > 1 and not rest[0].isdigit()
