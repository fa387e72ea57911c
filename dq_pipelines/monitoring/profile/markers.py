"""Words that stand where a value is missing."""

from __future__ import annotations

import polars as pl

#: What pandas takes for a missing value (`read_csv`), in small letters: nobody's name, place or category.
_SURE = frozenset({
    "", "#n/a", "#n/a n/a", "#na", "-1.#ind", "-1.#qnan", "-nan", "1.#ind", "1.#qnan", "<na>", "n/a", "nan", "null",
})  # fmt: skip
#: The same between numbers and dates only: as text it may be an abbreviation, a name, a grade, a dash that is meant.
_BETWEEN_VALUES = _SURE | {
    "na", "none", "nil", "-", "--", "?", ".", "..", "x", "missing", "unknown", "not available",
}  # fmt: skip
#: -1 is a word for nothing among so many other numbers, and up to this share of them.
_KINDS, _FEW = 10, 0.05


def is_marker(text: pl.Expr, *, among_values: bool) -> pl.Expr:
    """Boolean per row: the text says that there is no value. `among_values`: the column's others are no text."""
    return text.str.strip_chars().str.to_lowercase().is_in(sorted(_BETWEEN_VALUES if among_values else _SURE))


def minus_ones(numbers: pl.Series, counts: pl.Series) -> int:
    """How many rows have -1 where it stands for a missing value: few, and no other number is negative."""
    found = pl.DataFrame({"number": numbers.cast(pl.Float64), "count": counts}).drop_nulls()
    negative = found.filter(pl.col("number") < 0)
    rows = int(negative["count"].sum())
    others = found.height - negative.height
    alone = negative["number"].to_list() == [-1.0]
    return rows if alone and others >= _KINDS and rows <= _FEW * int(found["count"].sum()) else 0
