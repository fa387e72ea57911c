"""What several families of suggestions go by: the profile, what determines what, which values are misspelt. Found once."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import polars as pl

from dq_pipelines.monitoring.profile import ColumnProfile, Profile
from dq_pipelines.monitoring.profile.reading import read_values
from dq_pipelines.monitoring.suggestions.functional_dependencies import Dependency, dependencies_in
from dq_pipelines.monitoring.suggestions.spelling import KnownWords, misspellings, often, words_of

#: Numbers drift when half of them, in the rows' order, lie so far from the other half, in distances of the quartiles.
_DRIFT = 0.5

#: What a column is called that counts the rows of its file: pandas', R's and spreadsheets' names for it, or none.
_ROW_INDEX = re.compile(r"(?i)column_\d+|unnamed.*|index|x|#|n[ro]\.?|row[ _]?(index|n(o|r|um(ber)?)?)?")


@dataclass(frozen=True)
class Parent:
    """A column of another table that tells its rows apart."""

    #: `<layer>/<table>`
    table: str
    key: str
    #: its distinct values
    values: pl.Series = field(repr=False)


@dataclass(frozen=True)
class Findings:
    """A profile, and what follows from it for more than one family."""

    profile: Profile
    parents: tuple[Parent, ...] = ()
    #: the table as it landed, where it was given types since
    landed: Profile | None = None

    def __iter__(self) -> Iterator[ColumnProfile]:
        """The columns that have values."""
        return (column for column in self.profile if column.seen)

    @cached_property
    def dependencies(self) -> Mapping[str, Dependency]:
        """By the column that is determined: by which others it is, best."""
        return dependencies_in(self.profile)

    @cached_property
    def usual(self) -> Mapping[str, frozenset[Any]]:
        """By column that others determine: the values that most rows of a group have."""
        return {name: found.usual(self.profile.sample) for name, found in self.dependencies.items()}

    @cached_property
    def outvoted(self) -> Mapping[str, frozenset[Any]]:
        """By column: values that what determines them always speaks against."""
        sample = self.profile.sample
        return {name: found.outvoted(sample) for name, found in self.dependencies.items() if found.violations}

    @cached_property
    def misspelt(self) -> Mapping[str, Mapping[Any, Any]]:
        """By column: values that are misspelt, and what they should be."""
        texts = [column for column in self if column.is_text and column.reading.kind in ("text", "boolean")]
        words = {column.name: words_of([*often(column)["value"], *self.usual.get(column.name, ())]) for column in texts}
        found = {}
        for column in texts:
            others = frozenset[str]().union(*(known for name, known in words.items() if name != column.name))
            if wrong := misspellings(column, KnownWords(self.usual.get(column.name, frozenset()), others)):
                found[column.name] = wrong
        return found

    def gaps(self, column: ColumnProfile) -> int:
        """Rows without a value: not those whose value did not fit the column's type, which is refused for that."""
        if self.landed is None:
            return column.nulls
        landed = self.landed[column.name]
        return min(column.nulls, landed.nulls + landed.marked)

    def comes_throughout(self, column: ColumnProfile, values: pl.Series) -> bool:
        """Whether the values come in either half of the rows: else rows are sorted by them, and the next ones may have others."""
        rows = self.profile.sample.get_column(column.name)
        halves = rows.head(rows.len() // 2), rows.tail(-(rows.len() // 2))
        return all(bool(values.is_in(half.unique().implode()).all()) for half in halves)

    def drifts(self, column: ColumnProfile) -> bool:
        """Whether numbers of the second half of the rows lie elsewhere than those of the first, as those of a counter do."""
        number = self.profile.sample.get_column(column.name).cast(pl.Float64).fill_nan(None)
        middle, place = number.len() // 2, pl.int_range(pl.len())
        first, second = (pl.col("x").filter(half).median() for half in (place < middle, place >= middle))
        spread = pl.col("x").quantile(0.75) - pl.col("x").quantile(0.25)
        return bool(number.alias("x").to_frame().select((second - first).abs() > _DRIFT * spread).item())

    def determines(self, column: ColumnProfile) -> bool:
        """Whether other columns are determined by this one, as by a number that names something."""
        return any(column.name in found.by for found in self.dependencies.values())

    def is_row_index(self, column: ColumnProfile) -> bool:
        """Whether a column only counts the rows of its file, by its values and its name: the next file begins anew."""
        seen = self.profile
        if (
            column.reading.kind != "integer"
            or column.nulls
            or not seen.is_whole
            or not _ROW_INDEX.fullmatch(column.name)
        ):
            return False
        rows = read_values(pl.DataFrame({"value": seen.sample.get_column(column.name)}), column.reading)
        return bool((rows.diff().drop_nulls() == 1).all()) and rows.first() in (0, 1)

    def is_unique(self, column: ColumnProfile) -> bool:
        """Whether no value of the column comes twice, as far as that was seen."""
        return column.seen > 1 and column.values.height == column.seen and column.distinct > 0.9 * column.count
