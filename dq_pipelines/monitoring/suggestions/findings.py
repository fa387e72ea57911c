"""Computes facts that several families of suggestions share, each once: dependencies, misspellings, drift, ids."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import polars as pl

from dq_pipelines.monitoring.profile import ColumnProfile, Profile
from dq_pipelines.monitoring.profile.inferred_type import read_values
from dq_pipelines.monitoring.suggestions.functional_dependencies import Dependency, dependencies_in
from dq_pipelines.monitoring.suggestions.spelling import KnownWords, misspellings, often, words_of

#: Numbers drift when the medians of the two halves of rows differ by this many interquartile ranges.
_DRIFT = 0.5

#: Names of columns that number the rows of a file, as written by pandas, R and spreadsheets.
_ROW_INDEX = re.compile(r"(?i)column_\d+|unnamed.*|index|x|#|n[ro]\.?|row[ _]?(index|n(o|r|um(ber)?)?)?")


@dataclass(frozen=True)
class Parent:
    """A key column of another table."""

    #: `<layer>/<table>`
    table: str
    key: str
    #: its distinct values
    values: pl.Series = field(repr=False)


@dataclass(frozen=True)
class Findings:
    """A profile, and facts derived from it."""

    profile: Profile
    parents: tuple[Parent, ...] = ()
    #: the profile of the landed table, where its columns were cast since
    landed: Profile | None = None

    def __iter__(self) -> Iterator[ColumnProfile]:
        """Iterates over the columns that have values."""
        return (column for column in self.profile if column.seen)

    @cached_property
    def dependencies(self) -> Mapping[str, Dependency]:
        """The best functional dependency by determined column."""
        return dependencies_in(self.profile)

    @cached_property
    def usual(self) -> Mapping[str, frozenset[Any]]:
        """By determined column: the values that most rows of a group have."""
        return {name: dependency.usual(self.profile.sample) for name, dependency in self.dependencies.items()}

    @cached_property
    def outvoted(self) -> Mapping[str, frozenset[Any]]:
        """By determined column: the values that are a minority in every group."""
        sample = self.profile.sample
        return {
            name: dependency.outvoted(sample) for name, dependency in self.dependencies.items() if dependency.violations
        }

    @cached_property
    def misspelt(self) -> Mapping[str, Mapping[Any, Any]]:
        """By column: misspelt values, with the correct ones."""
        texts = [column for column in self if column.is_text and column.inferred_type.kind in ("text", "boolean")]
        words = {column.name: words_of([*often(column)["value"], *self.usual.get(column.name, ())]) for column in texts}
        misspelt = {}
        for column in texts:
            others = frozenset[str]().union(
                *(column_words for name, column_words in words.items() if name != column.name)
            )
            if wrong := misspellings(column, KnownWords(self.usual.get(column.name, frozenset()), others)):
                misspelt[column.name] = wrong
        return misspelt

    def gaps(self, column: ColumnProfile) -> int:
        """Counts rows without a value, except those whose value did not fit the type: these are refused anyway."""
        if self.landed is None:
            return column.nulls
        landed = self.landed[column.name]
        return min(column.nulls, landed.nulls + landed.marked)

    def comes_throughout(self, column: ColumnProfile, values: pl.Series) -> bool:
        """Whether the values occur in both halves of the rows; otherwise rows are sorted by them, and others may follow."""
        rows = self.profile.sample.get_column(column.name)
        halves = rows.head(rows.len() // 2), rows.tail(-(rows.len() // 2))
        return all(bool(values.is_in(half.unique().implode()).all()) for half in halves)

    def drifts(self, column: ColumnProfile) -> bool:
        """Whether the numbers of the two halves of rows differ, as those of a counter do."""
        number = self.profile.sample.get_column(column.name).cast(pl.Float64).fill_nan(None)
        middle, place = number.len() // 2, pl.int_range(pl.len())
        first, second = (pl.col("x").filter(half).median() for half in (place < middle, place >= middle))
        spread = pl.col("x").quantile(0.75) - pl.col("x").quantile(0.25)
        return bool(number.alias("x").to_frame().select((second - first).abs() > _DRIFT * spread).item())

    def determines(self, column: ColumnProfile) -> bool:
        """Whether this column determines others, as an id does."""
        return any(column.name in dependency.by for dependency in self.dependencies.values())

    def is_row_index(self, column: ColumnProfile) -> bool:
        """Whether a column only numbers the rows of its file, by its values and name; the next file starts again at 1."""
        seen = self.profile
        if (
            column.inferred_type.kind != "integer"
            or column.nulls
            or not seen.is_whole
            or not _ROW_INDEX.fullmatch(column.name)
        ):
            return False
        rows = read_values(pl.DataFrame({"value": seen.sample.get_column(column.name)}), column.inferred_type)
        return bool((rows.diff().drop_nulls() == 1).all()) and rows.first() in (0, 1)

    def is_unique(self, column: ColumnProfile) -> bool:
        """Whether no value of the column occurs twice in the sample."""
        return column.seen > 1 and column.values.height == column.seen and column.distinct > 0.9 * column.count
