"""Finds rare misspellings of frequent values.

A rare value close to a frequent one is a misspelling if the frequent values are far from each other. In a column whose
values are similar by nature, such as codes, it is not.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from dq_pipelines.monitoring.profile import ColumnProfile

#: Least rows of a frequent value, and how many times more it has than its misspelling.
_FREQUENT, _TIMES = 5, 10
#: Largest share of a value's letters that a misspelling changes.
_CHANGED = 0.25
#: Most pairs of values that are compared.
_MOST_PAIRS = 2_000_000
#: From this share of rare values close to a frequent one on, rare values are mostly misspellings.
_SLIPS = 0.5
_NEAR = """
    select r.value, r.count, f.value as meant, f.count as count_right, levenshtein(r.value, f.value) as changed
    from rare r join frequent f
      on r.value <> f.value and abs(length(r.value) - length(f.value)) <= greatest(1, $1 * length(f.value))
    where regexp_replace(r.value, '[0-9]+', '0', 'g') <> regexp_replace(f.value, '[0-9]+', '0', 'g')
      and levenshtein(r.value, f.value) <= greatest(1, $1 * length(f.value))
"""
#: Below that share, a misspelling changes one letter of so many, and is so many times rarer; and at most this share of
#: frequent values may be similar to each other.
_LONG, _MANY_TIMES, _ALIKE_BY_NATURE = 6, 25, 0.1
#: Words shorter than this are similar to each other by nature.
_SHORT = 4
_WORD = re.compile(r"[^\W\d_]+")


@dataclass(frozen=True)
class KnownWords:
    """Words of a table that count as correct."""

    #: correct values of the column, however rare they are
    usual: frozenset[Any]
    #: frequent words of other columns
    words: frozenset[str]


def often(column: ColumnProfile) -> pl.DataFrame:
    """Returns the values of a column that are not rare compared with the most frequent one: `value` and `count`."""
    most = int(column.values["count"].max() or 0)  # type: ignore[arg-type]
    return column.values.filter((pl.col("count") >= _FREQUENT) & (pl.col("count") * _TIMES > most))


def words_of(values: Iterable[str]) -> frozenset[str]:
    """Returns the words in texts: runs of letters, in lower case."""
    return frozenset(word for value in values for word in _WORD.findall(value.lower()))


def misspellings(column: ColumnProfile, known_words: KnownWords) -> Mapping[Any, Any]:
    """Returns the misspelt values of a text column, with the correct ones."""
    if not column.is_text or column.inferred_type.kind not in ("text", "boolean"):
        return {}
    usual = pl.col("value").is_in(list(known_words.usual))
    frequent = pl.concat([often(column), column.values.filter(usual)]).unique("value")
    rare = column.values.filter(~pl.col("value").is_in(frequent["value"].implode()))
    words = known_words.words | words_of(frequent["value"])
    # A misspelling contains a word that is not known.
    strange = [not words_of([value]) <= words or not words_of([value]) for value in rare["value"]]
    rare = rare.filter(pl.Series(strange, dtype=pl.Boolean))
    if frequent.is_empty() or rare.is_empty() or frequent.height * rare.height > _MOST_PAIRS:
        return {}
    near = _near(rare, frequent).filter(pl.col("count_right") >= _TIMES * pl.col("count"))
    if column.inferred_type.kind != "boolean":
        near = near.filter(pl.col("meant").str.len_chars() >= _SHORT)
    alike = _near(frequent, frequent)
    slips, by_nature = near["value"].n_unique() / rare.height, alike["value"].n_unique() / frequent.height
    if slips < _SLIPS or slips < 2 * by_nature:
        if by_nature > _ALIKE_BY_NATURE:
            return {}
        # Codes are similar to each other, and are no words.
        is_word = (pl.col("value").str.len_chars() >= _LONG) & ~pl.col("value").str.contains("[0-9]")
        one = (pl.col("changed") == 1) & is_word
        near = near.filter(one & (pl.col("count_right") >= _MANY_TIMES * pl.col("count")))
    best = near.sort("changed", "count_right", "meant", descending=[False, True, False])
    best = best.unique("value", keep="first").sort("count", "value", descending=[True, False])
    return dict(best.select("value", "meant").rows())


def _near(rare: pl.DataFrame, frequent: pl.DataFrame) -> pl.DataFrame:
    """Returns similar pairs that differ in more than digits: `value`, `meant` and `changed` (the number of changed letters)."""
    import duckdb

    with duckdb.connect() as connection:
        connection.register("rare", rare.to_arrow())
        connection.register("frequent", frequent.to_arrow())
        return pl.DataFrame(connection.sql(_NEAR, params=[_CHANGED]).to_arrow_table())
