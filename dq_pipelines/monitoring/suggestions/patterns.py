"""Suggests regexes for codes and for numbers in text, from the shapes of values."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import groupby

import polars as pl

from dq_pipelines.monitoring.profile import ColumnProfile
from dq_pipelines.monitoring.profile.inferred_type import read_values
from dq_pipelines.monitoring.profile.null_markers import is_marker, minus_ones
from dq_pipelines.monitoring.profile.shapes import parts, runs_of, shape_of
from dq_pipelines.monitoring.suggestions.base import Suggestion, listed, percent
from dq_pipelines.monitoring.suggestions.findings import Findings
from dq_pipelines.monitoring.suggestions.sets import closed_set

_LEAST_ROWS = 50
#: Most shapes of a pattern, most parts of a shape, and the least share of values of an intended shape.
_MOST_SHAPES, _MOST_PARTS, _MEANT = 5, 9, 0.01
#: Least share of values with an intended shape, and the share from which the confidence is high.
_ENOUGH, _SURELY = 0.9, 0.97
#: How many times rarer than the correct shape a shape with a typo is.
_FAR_RARER = 25
#: Share of values that must agree for a part of a shape to be a fixed word or length.
_AGREED = 0.97
_NUMBER = {"integer": r"^\s*[-+]?[0-9]+\s*$", "float": r"^\s*[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?\s*$"}
_UNIT = r"^\s*[-+]?[0-9]+(?:[.,][0-9]+)?(\s*[^0-9]*?)\s*$"
_PLAIN_NUMBER = r"^[-+]?[0-9]+([.,][0-9]+)?$"
_KNOWN = {
    "e-mail addresses": r"^[^@\s]+@[^@\s.]+(\.[^@\s.]+)+$",
    "addresses of web pages": r"^https?://[^\s/]+(/\S*)?$",
}
_CLASSES = {"9": "[0-9]", "A": "[A-Z]", "a": "[a-z]"}


@dataclass(frozen=True)
class Pattern:
    """A regex that most of a column's values match."""

    regex: str
    why: str
    confidence: float
    #: rows of the sample that do not match
    broken: int


def suggest(findings: Findings) -> Iterator[Suggestion]:
    for column in findings:
        if column.is_text and closed_set(findings, column) is None and (pattern := pattern_of(column)) is not None:
            rule = {"type": "expect_column_values_to_match_regex", "column": column.name, "regex": pattern.regex}
            yield Suggestion(rule, pattern.why, pattern.confidence).broken_by(pattern.broken, column.seen)


def pattern_of(column: ColumnProfile) -> Pattern | None:
    """Returns the pattern of a text column; None where its values have none."""
    if not column.is_text or column.seen < _LEAST_ROWS:
        return None
    if column.inferred_type.is_number:
        return _of_numbers(column)
    if column.inferred_type.is_temporal:
        return _of_moments(column)
    return _of_known(column) or _of_units(column) or _of_shapes(column) or _without_markers(column)


def _of_known(column: ColumnProfile) -> Pattern | None:
    """Returns the pattern of e-mail or web addresses."""
    for name, regex in _KNOWN.items():
        rows = int(column.values.filter(pl.col("value").str.contains(regex))["count"].sum())
        if rows >= _SURELY * column.seen:
            return _made(column, regex, f"{percent(rows, column.seen)} of the values are {name}", 0.93)
    return None


def _of_numbers(column: ColumnProfile) -> Pattern | None:
    shaped = _of_shapes(column)
    if (
        shaped is not None
        and column.inferred_type.kind == "integer"
        and re.fullmatch(r"\^\[0-9\]\{\d+\}\$", shaped.regex)
    ):
        return shaped
    if 2 * column.inferred_type.marked > column.seen:
        return None  # most values are null markers
    kind = "integer" if column.inferred_type.kind == "integer" else "float"
    if minus_ones(read_values(column.values, column.inferred_type), column.values["count"]):
        regex = _NUMBER[kind].replace("[-+]?", "[+]?", 1)
        return _made(column, regex, "numbers, of which only -1 is negative: a null marker", 0.8)
    return _made(
        column, _NUMBER[kind], f"{percent(column.inferred_type.fits, column.seen)} of the values are numbers", 0.95
    )


def _of_moments(column: ColumnProfile) -> Pattern | None:
    """Returns the pattern of dates in the inferred format; dates in another format must be corrected, not allowed."""
    read = read_values(column.values, column.inferred_type)
    pattern = _of_shapes(replace(column, values=column.values.filter(read.is_not_null())))
    return None if pattern is None else _made(column, pattern.regex, pattern.why, pattern.confidence)


def _of_units(column: ColumnProfile) -> Pattern | None:
    """Returns the pattern of plain numbers for numbers whose unit is written in several ways or often missing."""
    ends = column.values.select(end=pl.col("value").str.extract(_UNIT), count=pl.col("count")).drop_nulls()
    counted = ends.group_by("end").agg(pl.sum("count")).sort("count", "end", descending=[True, False])
    rows = int(counted["count"].sum())
    meant = counted.filter(pl.col("count") >= _MEANT * column.seen)
    if rows < _ENOUGH * column.seen or not 2 <= meant.height <= 2 * _MOST_SHAPES:
        return None
    of_words = int(meant.filter(pl.col("end").str.strip_chars().str.contains(r"\s"))["count"].sum())
    if int(meant["count"].sum()) < _ENOUGH * rows or 2 * of_words > rows:
        return None  # several words are no unit, for example a street after its number
    shown = [f"{end.strip() or 'nothing'}` ({percent(count, rows)})" for end, count in meant.rows()]
    why = f"numbers with {meant.height} different endings: {', '.join('`' + text for text in shown[:4])}"
    return _made(column, _PLAIN_NUMBER, f"{why}; give them one, or none", 0.8)


def _without_markers(column: ColumnProfile) -> Pattern | None:
    """Returns a pattern that excludes null markers in text."""
    if not 0 < 2 * column.inferred_type.marked <= column.seen:
        return None
    marks = column.values.filter(is_marker(pl.col("value"), among_values=False))["value"]
    words = "|".join(re.escape(text.strip()) for text in marks)
    why = f"{listed(marks)} {'says' if len(marks) == 1 else 'say'} that there is no value"
    return _made(column, rf"^(?!\s*({words})\s*$)", why, 0.9)


def _of_shapes(column: ColumnProfile) -> Pattern | None:
    """Returns the few shapes of nearly all values as one regex; None where there are many, or only words."""
    values = column.values.filter(~is_marker(pl.col("value"), among_values=False))
    runs = values.group_by(runs_of(shape_of(pl.col("value"))).alias("shape")).agg(pl.sum("count"))
    runs = runs.sort("count", "shape", descending=[True, False])
    meant = _without_typos(runs.filter(pl.col("count") >= max(_MEANT * column.seen, 3)))
    if not 0 < meant.height <= _MOST_SHAPES or int(meant["count"].sum()) < _ENOUGH * column.seen:
        return None
    shapes = list(meant["shape"])
    if max(len(parts(shape)) for shape in shapes) > _MOST_PARTS:
        return None
    ways = [way for shape in shapes if (way := _way(column, shape)) is not None]
    if len(ways) < len(shapes) or not any(way.is_specific for way in ways):
        return None
    texts = list(dict.fromkeys(way.regex for way in ways))
    regex = f"^{texts[0]}$" if len(texts) == 1 else f"^({'|'.join(texts)})$"
    rows = int(meant["count"].sum())
    why = f"{percent(rows, column.seen)} of the values look like {' or '.join(f'`{way.like}`' for way in ways)}"
    return _made(column, regex, why, 0.93 if rows >= _SURELY * column.seen else 0.75)


def _without_typos(runs: pl.DataFrame) -> pl.DataFrame:
    """Leaves out shapes that differ from a far more frequent one in a single run: `a9%` from `9%`."""
    rows = runs.rows()
    typos = [
        shape for shape, count in rows
        if any(often >= _FAR_RARER * count and _one_run_apart(parts(shape), parts(other)) for other, often in rows)
    ]  # fmt: skip
    return runs.filter(~pl.col("shape").is_in(typos))


def _one_run_apart(shape: list[str], other: list[str]) -> bool:
    """Whether two shapes differ by one changed, missing or added run, which may also split another run."""
    if len(shape) == len(other):
        return sum(a != b for a, b in zip(shape, other, strict=True)) == 1
    longer, shorter = (shape, other) if len(shape) > len(other) else (other, shape)
    without = (longer[:place] + longer[place + 1 :] for place in range(len(longer)))
    return any([run for run, _ in groupby(rest)] == shorter for rest in without)


@dataclass(frozen=True)
class _Way:
    """The regex of the values of one shape."""

    regex: str
    #: an example value
    like: str
    #: whether the regex is more specific than "letters"
    is_specific: bool


def _way(column: ColumnProfile, runs: str) -> _Way | None:
    """Returns the regex of the values of one shape; None where they have letters outside of the classes."""
    shaped = column.values.with_columns(shape=shape_of(pl.col("value")))
    values = shaped.filter(runs_of(pl.col("shape")) == runs)
    marked = parts(runs)
    classes = "".join(f"({_CLASSES[part] + '+' if part in _CLASSES else re.escape(part)})" for part in marked)
    pieces: list[Counter[str]] = [Counter() for _ in marked]
    for value, count, _ in values.rows():
        matched = re.fullmatch(classes, value)
        if matched is None:
            return None
        for piece, text in zip(pieces, matched.groups(), strict=True):
            piece[text] += count
    fixed = [_part(part, piece) for part, piece in zip(marked, pieces, strict=True)]
    is_specific = any(part == "9" for part in marked) or (len(marked) == 1 and "{" in fixed[0])
    is_specific = is_specific and len(values) > 1
    return _Way("".join(fixed), values["value"][0], is_specific)


def _part(part: str, texts: Mapping[str, int]) -> str:
    """Returns the regex of one run: a fixed word, a fixed number of characters, or any number."""
    if part not in _CLASSES:
        return re.escape(part).replace(r"\ ", " ").replace(r"\-", "-")
    rows = sum(texts.values())
    (word, most), *others = Counter(texts).most_common(2)
    meant_too = others and others[0][1] >= max(_MEANT * rows, 3)
    if part != "9" and most >= _AGREED * rows and rows >= _LEAST_ROWS and not meant_too:
        return re.escape(word)
    lengths: Counter[int] = Counter()
    for text, count in texts.items():
        lengths[len(text)] += count
    ((length, most),) = lengths.most_common(1)
    if most >= _AGREED * rows and rows >= _LEAST_ROWS and texts[word] * 2 <= rows:
        return _CLASSES[part] + (f"{{{length}}}" if length > 1 else "")
    return f"{_CLASSES[part]}+"


def _made(column: ColumnProfile, regex: str, why: str, confidence: float) -> Pattern:
    matching = re.compile(regex)
    broken = sum(count for value, count in column.values.rows() if matching.search(value) is None)
    return Pattern(regex, why, confidence, broken)
