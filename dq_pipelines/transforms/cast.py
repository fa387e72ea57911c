"""Gives landed columns their declared names and types, and marks values that do not fit.

The rule `cast` judges failed casts in the same scan as the other rules.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal, Protocol

import narwhals as nw
import polars as pl

from dq_pipelines.config.columns import exact, exact_names
from dq_pipelines.errors import RuleError, nearest
from dq_pipelines.rules.core.column_value import Value
from dq_pipelines.rules.core.columns import Columns
from dq_pipelines.rules.core.on_rows import ColumnRule
from dq_pipelines.sources.names import key
from dq_pipelines.transforms.casting import is_exact, typed
from dq_pipelines.transforms.null_values import without_null_values
from dq_pipelines.transforms.options import CastOptions
from dq_pipelines.transforms.types import dtype_of

#: Prefixes of hidden columns of a cast column: its landed value, and whether the cast failed. No landed name has a NUL.
RAW, FAILED = "_raw\x00", "_cast\x00"
#: Prefix of a temporary column of `cast_again`: whether the column had a value before.
_HAD = "_had\x00"


class ColumnSpec(Protocol):
    """The settings of a column in YAML: the project's `Column`."""

    @property
    def type(self) -> str: ...
    @property
    def sources(self) -> Sequence[str]: ...
    @property
    def options(self) -> CastOptions: ...
    @property
    def null_values(self) -> Sequence[str]: ...


class CastRule(ColumnRule):
    """The landed value fits the column's type. Every declared column has this rule automatically."""

    type: Literal["cast"] = "cast"

    internal: ClassVar[bool] = True

    @property
    def reason_columns(self) -> tuple[str, ...]:
        return (f"{RAW}{self.column}",)

    def holds(self, value: Value) -> nw.Expr:
        return ~nw.col(f"{FAILED}{self.column}")

    def missing(self, columns: Columns) -> nw.Expr:
        return nw.col(f"{RAW}{self.column}").is_null()

    def fails(self, columns: Columns) -> nw.Expr:
        return nw.col(f"{FAILED}{self.column}")


def renamed(rows: pl.LazyFrame, columns: Mapping[str, ColumnSpec]) -> pl.LazyFrame:
    """The rows with the declared names; raises RuleError for a declared column that did not land.

    For several landed columns (`from: [new, old]`), each row takes the first one with a value.
    """
    landed = rows.collect_schema().names()
    wanted: dict[str, str] = {}
    several: dict[str, list[str]] = {}
    for name, column in columns.items():
        sources = [source for source in column.sources or (name,) if source in landed]
        if not sources:
            source = next(iter(column.sources), name)
            visible = [each for each in landed if not each.startswith("_")]
            raise RuleError(
                f"column '{name}' wants the landed column '{source}'{nearest(source, visible)}, got: {', '.join(visible)}"
            )
        if sources[0] in wanted.values():
            other = next(each for each, source in wanted.items() if source == sources[0])
            raise RuleError(
                f"columns '{other}' and '{name}' both want the landed column '{sources[0]}': wanted another one for each "
                f"(what two columns hold, a step derives)"
            )
        wanted[name] = sources[0]
        if len(sources) > 1:
            several[sources[0]] = sources
    rows = rows.with_columns(pl.coalesce(exact_names(sources)).alias(first) for first, sources in several.items())
    merged = {source for _, *others in several.values() for source in others} - set(wanted.values())
    landed = [name for name in landed if name not in merged]
    taken = {source: name for name, source in wanted.items() if source != name}
    # Drop a landed column with the name of a declared one that is not its source.
    declared = {key(name) for name, source in wanted.items() if source != name}
    shadowed = [name for name in landed if key(name) in declared and name not in wanted.values()]
    return rows.drop(exact_names([*merged, *shadowed])).rename(taken) if taken or merged else rows


def cast(rows: pl.LazyFrame, columns: Mapping[str, ColumnSpec]) -> tuple[pl.LazyFrame, tuple[CastRule, ...]]:
    """The rows with the declared types and with hidden columns about failed casts; and a rule for each cast column."""
    rows = without_null_values(rows, columns)
    landed = rows.collect_schema()
    # A column without any value has the type Null in Polars and text in bronze: treat both as text.
    rows = rows.with_columns(pl.col(exact(name)).cast(pl.String) for name in columns if landed[name] == pl.Null)
    schema = rows.collect_schema()
    changed = {
        name: column
        for name, column in columns.items()
        if not is_exact(schema[name], dtype_of(column.type), column.options)
    }
    values = [
        typed(pl.col(exact(name)), schema[name], dtype_of(column.type), column.options)
        for name, column in changed.items()
    ]
    rows = rows.with_columns(pl.col(exact(name)).alias(f"{RAW}{name}") for name in changed)
    rows = rows.with_columns(value.alias(name) for name, value in zip(changed, values, strict=True))
    rows = rows.with_columns(
        (pl.col(exact(name)).is_null() & pl.col(f"{RAW}{name}").is_not_null()).alias(f"{FAILED}{name}")
        for name in changed
    )
    return rows, tuple(CastRule(column=name) for name in changed)


def cast_again(rows: pl.LazyFrame, types: Mapping[str, str]) -> pl.LazyFrame:
    """The rows with other column types, with the same hidden columns; raises RuleError for a missing column.

    A column that was cast before keeps its landed value and its failures.
    """
    schema = rows.collect_schema()
    for name in types:
        if name not in schema:
            visible = [each for each in schema if "\x00" not in each]
            raise RuleError(f"cast wants the column '{name}'{nearest(name, visible)}, got: {', '.join(visible)}")
    changed = {name: dtype for name, text in types.items() if not is_exact(schema[name], dtype := dtype_of(text))}
    values = {name: pl.col(exact(name)) for name in changed}
    rows = rows.with_columns(
        *(value.alias(f"{RAW}{name}") for name, value in values.items() if f"{RAW}{name}" not in schema),
        *(value.is_not_null().alias(f"{_HAD}{name}") for name, value in values.items()),
    )
    rows = rows.with_columns(typed(values[name], schema[name], dtype).alias(name) for name, dtype in changed.items())
    failed = {name: value.is_null() & pl.col(f"{_HAD}{name}") for name, value in values.items()}
    return rows.with_columns(
        (flag | pl.col(f"{FAILED}{name}") if f"{FAILED}{name}" in schema else flag).alias(f"{FAILED}{name}")
        for name, flag in failed.items()
    ).drop(f"{_HAD}{name}" for name in changed)
