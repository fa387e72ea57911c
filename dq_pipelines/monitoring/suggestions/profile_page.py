"""Renders a profile and its suggestions as one self-contained HTML page."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from pathlib import Path
from typing import Any

import polars as pl

from dq_pipelines.monitoring.contracts.yaml_writer import flow
from dq_pipelines.monitoring.profile import ColumnProfile
from dq_pipelines.monitoring.profile.inferred_type import read_values
from dq_pipelines.monitoring.suggestions.base import Suggestion, as_written, percent
from dq_pipelines.monitoring.suggestions.table import SuggestedTable, sure

_BINS, _MOST_BINS, _MOST_VALUES, _MOST_SHAPES, _LONGEST = 28, 48, 8, 5, 60
_YEARS = 10_000


@dataclass(frozen=True)
class Bar:
    """One value, shape or range of numbers, with its number of rows in the sample."""

    label: str
    count: int
    #: percent of the longest bar
    width: float
    share: str


@dataclass(frozen=True)
class RuleView:
    """One suggested rule."""

    type: str
    arguments: str
    why: str
    #: `sure`, `likely` or `perhaps`
    word: str
    confidence: float
    #: its columns
    columns: tuple[str, ...]


@dataclass(frozen=True)
class ColumnView:
    """One column on the page."""

    name: str
    type: str
    why: str
    #: percent of rows with a value, as a number and as text
    filled: float
    filled_said: str
    distinct: str
    facts: tuple[tuple[str, str], ...]
    #: a histogram of numbers, or else the most frequent values
    histogram: tuple[Bar, ...]
    values: tuple[Bar, ...]
    shapes: tuple[Bar, ...]
    rules: tuple[RuleView, ...]


def page(table: SuggestedTable, name: str, yaml: str) -> str:
    """Returns the HTML page; `yaml` is the suggested table as printed."""
    rules = [_rule(each) for each in (*table.rules, *table.demands)]
    columns = column_views(table)
    several = [rule for rule in rules if not rule.columns or rule.columns[0] not in {each.name for each in columns}]
    cells = table.landed.rows * max(1, len(columns))
    words = {word: sum(rule.word == word for rule in rules) for word in ("sure", "likely", "perhaps")}
    return str(
        _template().render(
            name=name,
            rows=table.landed.rows,
            sampled=None if table.landed.is_whole else table.landed.sample.height,
            columns=columns,
            missing=percent(sum(column.nulls + column.marked for column in table.landed), cells),
            keys=table.keys,
            rules=rules,
            several=several,
            words=words,
            yaml=yaml,
        )
    )


def column_views(table: SuggestedTable) -> list[ColumnView]:
    """Returns each column's profile, with the rules for it."""
    rules = [_rule(each) for each in (*table.rules, *table.demands)]
    return [_column(table, column.name, rules) for column in table.landed]


@cache
def _template() -> Any:
    from jinja2 import Environment, FileSystemLoader

    folder = Path(__file__).parent / "templates"
    environment = Environment(loader=FileSystemLoader(folder), autoescape=True, trim_blocks=True, lstrip_blocks=True)
    return environment.get_template("profile.html")


def _rule(each: Suggestion) -> RuleView:
    rule = dict(each.rule)
    kind = str(rule.pop("type"))
    about = rule.get("column_list", [rule.get("column")] if rule.get("column") else [])
    rule.pop("column", None)
    arguments = ", ".join(f"{key}: {_short(value)}" for key, value in rule.items())
    return RuleView(kind, arguments, each.why, sure(each.confidence), each.confidence, tuple(about))


def _short(value: Any) -> str:
    """Formats an argument on one line; a long list is cut here and complete in the YAML."""
    if not isinstance(value, list) or len(value) <= _MOST_VALUES:
        return flow(value)
    return f"{flow(value[:_MOST_VALUES])[:-1]}, … {len(value) - _MOST_VALUES} more]"


def _column(table: SuggestedTable, name: str, rules: list[RuleView]) -> ColumnView:
    landed, column = table.landed[name], table.profile[name]
    type_ = table.types.get(name)
    # Null markers among numbers or dates are no values.
    filled = landed.count - landed.marked
    numbers = column.inferred_type.is_number or column.inferred_type.is_temporal
    histogram = tuple(_histogram(column)) if numbers and column.distinct > _MOST_VALUES else ()
    return ColumnView(
        name,
        str(landed.dtype) if type_ is None else type_.type + (f" ({type_.format})" if type_.format else ""),
        "" if type_ is None else type_.why,
        0.0 if not landed.rows else 100 * filled / landed.rows,
        percent(filled, landed.rows),
        _distinct(landed),
        tuple(_facts(landed, column)),
        histogram,
        ()
        if histogram or landed.distinct == landed.count
        else tuple(_bars(landed.values.rows(), landed.seen, _MOST_VALUES)),
        tuple(_bars(landed.shapes.rows(), landed.seen, _MOST_SHAPES)) if landed.is_text and not numbers else (),
        tuple(rule for rule in rules if rule.columns == (name,)),
    )


def _facts(landed: ColumnProfile, column: ColumnProfile) -> Iterator[tuple[str, str]]:
    yield "distinct", f"{_distinct(landed)} ({percent(landed.distinct, landed.count)})"
    yield "missing", f"{landed.nulls:,} ({percent(landed.nulls, landed.rows)})" if landed.nulls else "none"
    if landed.marked:
        words = f"{landed.marked:,} ({percent(landed.marked, landed.rows)})"
        yield "null markers", words if landed.seen == landed.count else f"about {words}"
    if column.inferred_type.kind not in ("text", "boolean", "other") and column.least is not None:
        yield "from", shown(column.least)
        yield "to", shown(column.greatest)
    if column.inferred_type.is_number and column.mean is not None and column.distinct > 1:
        yield "mean", shown(column.mean)
        if column.standard_deviation is not None:
            yield "standard deviation", shown(column.standard_deviation)
        for label, key in (("median", "p50"), ("5 % below", "p05"), ("5 % above", "p95")):
            if key in column.quantiles:
                yield label, shown(column.quantiles[key])
    if landed.lengths is not None and column.inferred_type.kind == "text":
        yield (
            "characters",
            f"{landed.lengths.shortest} to {landed.lengths.longest}, {shown(landed.lengths.mean)} on average",
        )


def _distinct(landed: ColumnProfile) -> str:
    """Formats the number of distinct values; an estimate has "about"."""
    return f"{'' if landed.distinct == landed.values.height else 'about '}{landed.distinct:,}"


def _bars(rows: list[tuple[Any, ...]], total: int, most: int) -> Iterator[Bar]:
    top = rows[:most]
    for value, count in top:
        text = str(value)
        label = text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
        yield Bar(label, count, 100 * count / top[0][1], percent(count, total))


def _histogram(column: ColumnProfile) -> Iterator[Bar]:
    """Yields rows by ranges of equal width, from the 1st to the 99th percentile."""
    values = read_values(column.values, column.inferred_type)
    if column.inferred_type.is_temporal:
        values = values.cast(pl.Datetime("us")) if values.dtype != pl.Date else values
    read = pl.DataFrame(
        {"shown": values, "number": values.to_physical().cast(pl.Float64), "count": column.values["count"]}
    )
    read = read.filter(pl.col("number").is_finite()).sort("number")
    if read.is_empty():
        return
    upto, total = read["count"].cum_sum(), int(read["count"].sum())
    first, last = (read["number"][int(upto.search_sorted(share * total))] for share in (0.01, 0.99))
    bulk = read.filter(pl.col("number").is_between(first, last))
    width = (last - first) / _BINS
    if column.inferred_type.kind == "integer":
        width = max(1.0, math.ceil((last - first + 1) / _MOST_BINS))
    if not width or not math.isfinite(width):
        return
    bins = math.floor((last - first) / width) + 1 if column.inferred_type.kind == "integer" else _BINS
    place = ((pl.col("number") - first) / width).floor().clip(0, bins - 1).cast(pl.Int64)
    grouped = bulk.group_by(place.alias("place")).agg(
        pl.sum("count"), pl.min("shown").alias("low"), pl.max("shown").alias("high")
    )
    counts = {row["place"]: row for row in grouped.rows(named=True)}
    highest = max(row["count"] for row in counts.values())
    for number in range(bins):
        row = counts.get(number)
        if row is None:
            yield Bar("none", 0, 0.0, "0 %")
        else:
            low, high = shown(row["low"]), shown(row["high"])
            label = low if low == high else f"{low} to {high}"
            yield Bar(label, row["count"], 100 * row["count"] / highest, percent(row["count"], total))


def shown(value: Any) -> str:
    """Formats a value for people."""
    if isinstance(value, datetime):
        return value.isoformat(" ", "minutes" if not value.second else "seconds")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, float):
        if not math.isfinite(value):
            return str(value)
        digits = 0 if value == 0 else max(0, 3 - math.floor(math.log10(abs(value))))
        return f"{as_written(value):,}" if value == int(value) else f"{value:,.{min(digits, 8)}f}"
    # Below 10,000 a whole number may be a year.
    return f"{value:,}" if isinstance(value, int) and abs(value) >= _YEARS else str(value)
