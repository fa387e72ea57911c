"""Types of columns that land as text: what silver can read them as."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from dq_pipelines.config.columns import exact
from dq_pipelines.monitoring.profile import ColumnProfile, Profile
from dq_pipelines.monitoring.profile.markers import is_marker
from dq_pipelines.monitoring.suggestions.base import listed, percent
from dq_pipelines.transforms.types import dtype_of, type_names, typed

#: From so many digits on, and when so many are as long, whole numbers are a code, unless nearly each is another: a key.
_LEAST_DIGITS, _AS_LONG, _KEY = 5, 0.99, 0.9


@dataclass(frozen=True)
class SuggestedType:
    """A column as `silver.columns` has it, and why."""

    type: str
    format: str | None
    why: str

    @property
    def written(self) -> str | dict[str, str]:
        return self.type if self.format is None else {"type": self.type, "format": self.format}


def suggested_types(profile: Profile) -> dict[str, SuggestedType]:
    """The type of each column that YAML has a name for."""
    found = {column.name: _type_of(column) for column in profile}
    return {name: type_ for name, type_ in found.items() if type_ is not None}


def _type_of(column: ColumnProfile) -> SuggestedType | None:
    reading = column.reading
    if not column.is_text:
        known = reading.type in type_names() or reading.kind == "decimal"
        return SuggestedType(reading.type, None, "") if known else None
    if not column.seen:
        return SuggestedType("string", None, "no value was seen")
    if reading.kind == "text":
        return SuggestedType("string", None, "")
    if (digits := _code_of_digits(column)) is not None:
        return SuggestedType("string", None, f"always {digits} digits: a code, unless it is counted")
    astray = column.seen - reading.fits - reading.marked
    why = f"{percent(reading.fits, column.seen)} of the values are of this type" if reading.fits < column.seen else ""
    if astray:
        why += f"; {astray:,} are not, and go to quarantine"
    if reading.or_format is not None:
        why += f"{'; ' if why else ''}{reading.or_format} fits as well: look which comes first"
    return SuggestedType(reading.type, reading.format, why)


def _code_of_digits(column: ColumnProfile) -> int | None:
    """How many digits whole numbers have that are as long, each and every one, and come again: a ZIP code, a phone number."""
    if column.reading.kind != "integer" or column.distinct > _KEY * column.count:
        return None
    shapes = column.shapes.filter(pl.col("shape").str.contains("^9+$"))
    rows, shape = int(shapes["count"].sum()), shapes["shape"][0] if len(shapes) else ""
    alike = len(shapes) and int(shapes["count"][0]) >= _AS_LONG * rows
    return len(shape) if alike and len(shape) >= _LEAST_DIGITS else None


def with_types(rows: pl.LazyFrame, types: Mapping[str, SuggestedType]) -> pl.LazyFrame:
    """The rows as silver would have them: what does not fit its type is missing."""
    schema = rows.collect_schema()
    casts = [
        typed(pl.col(exact(name)), schema[name], dtype_of(found.type), found.format).alias(name)
        for name, found in types.items()
        if schema[name] != dtype_of(found.type)
    ]
    return rows.with_columns(casts)


def null_markers(profile: Profile) -> list[str]:
    """Words that stand for a missing value between the numbers and dates of a column, the most frequent first."""
    counts: dict[str, int] = {}
    for column in profile:
        if column.is_text and column.reading.marked and column.reading.kind != "text":
            marks = column.values.filter(is_marker(pl.col("value"), among_values=True))
            for word, count in marks.rows():
                counts[word] = counts.get(word, 0) + count
    return sorted(counts, key=lambda word: -counts[word])


def told_markers(words: list[str]) -> str:
    """What is said of them beside the source."""
    return f"{listed(words)} {'stands' if len(words) == 1 else 'stand'} where numbers or dates are missing"
