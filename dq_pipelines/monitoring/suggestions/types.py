"""Suggests types of columns that land as text, such that silver can cast them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import polars as pl

from dq_pipelines.config.columns import exact
from dq_pipelines.config.counting import counted
from dq_pipelines.config.sql_text import identifier
from dq_pipelines.monitoring.contracts.yaml_writer import flow
from dq_pipelines.monitoring.profile import ColumnProfile, Profile
from dq_pipelines.monitoring.profile.inferred_type import ENOUGH
from dq_pipelines.monitoring.profile.null_markers import is_marker
from dq_pipelines.monitoring.suggestions.base import listed, percent
from dq_pipelines.transforms.casting import is_exact, typed
from dq_pipelines.transforms.null_values import without_null_values
from dq_pipelines.transforms.options import CastOptions
from dq_pipelines.transforms.types import dtype_of, type_names

#: Whole numbers are codes if they have at least so many digits and this share has the same length. Above the last share of
#: distinct values they are a key.
_LEAST_DIGITS, _AS_LONG, _KEY = 5, 0.99, 0.9

#: A number with a decimal comma, with points between thousands or without.
_COMMA = r"^\s*[+-]?([0-9]{1,3}(\.[0-9]{3})+|[0-9]+),[0-9]+\s*$"

#: Prefix of hidden columns that mark rows whose value does not fit the column's type.
MISREAD = "_misread_"


@dataclass(frozen=True)
class SuggestedType:
    """The suggested type of a column, and why."""

    type: str
    format: str | None
    why: str
    #: the column's null markers
    null_values: tuple[str, ...] = ()

    @property
    def written(self) -> str | dict[str, Any]:
        """The YAML value: the type's name, or a mapping with format and null values."""
        more = {"format": self.format, "null_values": list(self.null_values)}
        given = {key: value for key, value in more.items() if value}
        return {"type": self.type, **given} if given else self.type


def suggested_types(profile: Profile) -> dict[str, SuggestedType]:
    """Returns the suggested type of each column that has a type in YAML."""
    types = {column.name: _type_of(column) for column in profile}
    return {name: _with_null_values(type_, profile[name]) for name, type_ in types.items() if type_ is not None}


def _with_null_values(suggested: SuggestedType, column: ColumnProfile) -> SuggestedType:
    """Adds the column's null markers to the type, with a sentence about them."""
    markers = null_values_of(column)
    if not markers:
        return suggested
    verb = "means" if len(markers) == 1 else "mean"
    why = f"{listed(markers)} {verb} that there is no value ({counted(column.marked, 'row')})"
    return replace(suggested, null_values=tuple(markers), why=f"{suggested.why}; {why}" if suggested.why else why)


def _type_of(column: ColumnProfile) -> SuggestedType | None:
    reading = column.inferred_type
    if not column.is_text:
        known = reading.type in type_names() or reading.kind == "decimal"
        return SuggestedType(reading.type, None, "") if known else None
    if not column.seen:
        return SuggestedType("string", None, "no value was seen")
    if reading.kind == "text":
        return SuggestedType("string", None, _decimal_comma(column))
    if (digits := _code_of_digits(column)) is not None:
        return SuggestedType("string", None, f"always {digits} digits: a code, unless it is counted")
    why, values = "", column.seen - reading.marked
    if astray := values - reading.fits:
        fitting = percent(reading.fits, values)
        why = f"{fitting} of the values are of this type; {astray:,} are not, and go to quarantine"
    if reading.or_format is not None:
        why += f"{'; ' if why else ''}{reading.or_format} fits as well: check whether day or month comes first"
    return SuggestedType(reading.type, reading.format, why)


def _decimal_comma(column: ColumnProfile) -> str:
    """How to read texts such as `1.234,56` as numbers; "" for a column of other texts."""
    value, count = pl.col("value"), pl.col("count").sum()
    numbers = column.values.filter(value.str.contains(_COMMA))
    if not (rows := int(numbers.select(count).item() or 0)) or rows < ENOUGH * (
        column.seen - column.inferred_type.marked
    ):
        return ""
    fraction = int(numbers.select(value.str.extract(r",([0-9]+)\s*$").str.len_chars().max()).item() or 2)
    name = identifier(column.name)
    derived = flow({"derive": {column.name: f"replace(replace({name}, '.', ''), ',', '.')"}})
    return (
        f"numbers with a decimal comma; under silver, `transform: [{derived}, "
        f"{flow({'cast': {column.name: f'decimal(18,{fraction})'}})}]` makes them numbers"
    )


def _code_of_digits(column: ColumnProfile) -> int | None:
    """Returns the length of codes such as ZIP codes: whole numbers of one length that repeat; None for other columns."""
    if column.inferred_type.kind != "integer" or column.distinct > _KEY * column.count:
        return None
    shapes = column.shapes.filter(pl.col("shape").str.contains("^9+$"))
    rows, shape = int(shapes["count"].sum()), shapes["shape"][0] if len(shapes) else ""
    alike = len(shapes) and int(shapes["count"][0]) >= _AS_LONG * rows
    return len(shape) if alike and len(shape) >= _LEAST_DIGITS else None


def with_types(rows: pl.LazyFrame, types: Mapping[str, SuggestedType]) -> pl.LazyFrame:
    """Casts the rows as silver would; a value that does not fit its type becomes null."""
    return cast_rows(rows, types)[0].drop(pl.selectors.starts_with(MISREAD))


def cast_rows(rows: pl.LazyFrame, types: Mapping[str, SuggestedType]) -> tuple[pl.LazyFrame, dict[str, str]]:
    """Casts the rows as silver would. Also returns, by column, the flag of rows whose value does not fit its type."""
    schema = rows.collect_schema()
    changed = {name: type_ for name, type_ in types.items() if not is_exact(schema[name], dtype_of(type_.type))}
    casts = {
        name: typed(pl.col(exact(name)), schema[name], dtype_of(type_.type), CastOptions(type_.format))
        for name, type_ in changed.items()
    }
    flags = {name: f"{MISREAD}{place}" for place, name in enumerate(changed)}
    failed = [(value.is_null() & pl.col(exact(name)).is_not_null()).alias(flags[name]) for name, value in casts.items()]
    flagged = without_null_values(rows, types).with_columns(failed)
    return flagged.with_columns(value.alias(name) for name, value in casts.items()), flags


def null_values_of(column: ColumnProfile) -> list[str]:
    """Returns a column's null markers among its numbers, dates or booleans, most frequent first."""
    if not column.is_text or not column.marked:
        return []
    return list(column.values.filter(is_marker(pl.col("value"), among_values=True))["value"])
