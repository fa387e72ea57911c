"""Detects null markers: texts and numbers that stand for a missing value."""

from __future__ import annotations

import polars as pl

#: pandas' missing values (`read_csv`) in lower case, which are no names or categories.
_SURE = frozenset({
    "", "#n/a", "#n/a n/a", "#na", "-1.#ind", "-1.#qnan", "-nan", "1.#ind", "1.#qnan", "<na>", "n/a", "nan", "null",
})  # fmt: skip
#: Markers among numbers and dates only: in text they may be an abbreviation, a name or a grade.
_BETWEEN_VALUES = _SURE | {
    "na", "none", "nil", "-", "--", "?", ".", "..", "x", "missing", "unknown", "not available",
}  # fmt: skip
#: -1 is a null marker among at least so many other numbers, and up to this share of rows.
_KINDS, _FEW = 10, 0.05


def is_marker(text: pl.Expr, *, among_values: bool) -> pl.Expr:
    """Returns whether each text is a null marker. `among_values`: the column's other values are no text."""
    return text.str.strip_chars().str.to_lowercase().is_in(sorted(_BETWEEN_VALUES if among_values else _SURE))


def minus_ones(numbers: pl.Series, counts: pl.Series) -> int:
    """Counts rows where -1 is a null marker: -1 is rare, and the only negative number. Else 0."""
    distinct = pl.DataFrame({"number": numbers.cast(pl.Float64), "count": counts}).drop_nulls()
    negative = distinct.filter(pl.col("number") < 0)
    rows = int(negative["count"].sum())
    others = distinct.height - negative.height
    alone = negative["number"].to_list() == [-1.0]
    return rows if alone and others >= _KINDS and rows <= _FEW * int(distinct["count"].sum()) else 0
