"""Types of columns that land as text: what silver can read them as."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import polars as pl

from dq_pipelines.config.columns import exact
from dq_pipelines.config.counting import counted
from dq_pipelines.monitoring.profile import ColumnProfile, Profile
from dq_pipelines.monitoring.profile.markers import is_marker
from dq_pipelines.monitoring.suggestions.base import listed, percent
from dq_pipelines.transforms.casting import is_exact, typed
from dq_pipelines.transforms.null_values import without_null_values
from dq_pipelines.transforms.options import CastOptions
from dq_pipelines.transforms.types import dtype_of, type_names

#: From so many digits on, and when so many are as long, whole numbers are a code, unless nearly each is another: a key.
_LEAST_DIGITS, _AS_LONG, _KEY = 5, 0.99, 0.9

#: How hidden columns begin that mark rows whose value does not fit its column's type.
MISREAD = "_misread_"


@dataclass(frozen=True)
class SuggestedType:
    """A column as `silver.columns` has it, and why."""

    type: str
    format: str | None
    why: str
    #: texts of this column that mean that there is no value
    null_values: tuple[str, ...] = ()

    @property
    def written(self) -> str | dict[str, Any]:
        """As YAML has it: the type's name, or a mapping where there is more to say."""
        more = {"format": self.format, "null_values": list(self.null_values)}
        given = {key: value for key, value in more.items() if value}
        return {"type": self.type, **given} if given else self.type


def suggested_types(profile: Profile) -> dict[str, SuggestedType]:
    """The type of each column that YAML has a name for."""
    found = {column.name: _type_of(column) for column in profile}
    return {name: _with_null_values(type_, profile[name]) for name, type_ in found.items() if type_ is not None}


def _with_null_values(found: SuggestedType, column: ColumnProfile) -> SuggestedType:
    """The type with the column's own words for a missing value, and a sentence about them."""
    words = null_values_of(column)
    if not words:
        return found
    said = f"{listed(words)} {'means' if len(words) == 1 else 'mean'} that there is no value ({counted(column.marked, 'row')})"
    return replace(found, null_values=tuple(words), why=f"{found.why}; {said}" if found.why else said)


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
    why, values = "", column.seen - reading.marked
    if astray := values - reading.fits:
        fitting = percent(reading.fits, values)
        why = f"{fitting} of the values are of this type; {astray:,} are not, and go to quarantine"
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
    return cast_rows(rows, types)[0].drop(pl.selectors.starts_with(MISREAD))


def cast_rows(rows: pl.LazyFrame, types: Mapping[str, SuggestedType]) -> tuple[pl.LazyFrame, dict[str, str]]:
    """The rows as silver would have them, and by column the flag that marks rows whose value does not fit its type."""
    schema = rows.collect_schema()
    changed = {name: found for name, found in types.items() if not is_exact(schema[name], dtype_of(found.type))}
    casts = {
        name: typed(pl.col(exact(name)), schema[name], dtype_of(found.type), CastOptions(found.format))
        for name, found in changed.items()
    }
    flags = {name: f"{MISREAD}{place}" for place, name in enumerate(changed)}
    failed = [(value.is_null() & pl.col(exact(name)).is_not_null()).alias(flags[name]) for name, value in casts.items()]
    told = without_null_values(rows, types).with_columns(failed)
    return told.with_columns(value.alias(name) for name, value in casts.items()), flags


def null_values_of(column: ColumnProfile) -> list[str]:
    """Words of a column that stand for a missing value between its numbers, dates or truths, the most frequent first."""
    if not column.is_text or not column.marked:
        return []
    return list(column.values.filter(is_marker(pl.col("value"), among_values=True))["value"])
