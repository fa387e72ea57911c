"""Rare spellings of frequent values.

A rare value that is nearly a frequent one is a slip where values of the column are not alike by nature: where the frequent
ones are far from one another, and the rare ones near to them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from dq_pipelines.monitoring.profile import ColumnProfile

#: A frequent value has so many rows, and so many times as many as its misspelling.
_FREQUENT, _TIMES = 5, 10
#: The share of a value's letters that a slip may change; among values that are slips more often than not.
_CHANGED = 0.25
#: The most pairs of values that are compared.
_MOST_PAIRS = 2_000_000
#: From this share of rare values on that are near to a frequent one, it is slips that make values rare here.
_SLIPS = 0.5
_NEAR = """
    select r.value, r.count, f.value as meant, f.count as count_right, levenshtein(r.value, f.value) as changed
    from rare r join frequent f
      on r.value <> f.value and abs(length(r.value) - length(f.value)) <= greatest(1, $1 * length(f.value))
    where regexp_replace(r.value, '[0-9]+', '0', 'g') <> regexp_replace(f.value, '[0-9]+', '0', 'g')
      and levenshtein(r.value, f.value) <= greatest(1, $1 * length(f.value))
"""
#: Elsewhere a slip is one letter of so many, and so many times rarer; and more frequent values alike than this say nothing.
_LONG, _MANY_TIMES, _ALIKE_BY_NATURE = 6, 25, 0.1
#: Words shorter than this are near to each other by nature.
_SHORT = 4
_WORD = re.compile(r"[^\W\d_]+")


@dataclass(frozen=True)
class KnownWords:
    """What is known of a table's words before its spelling is looked at."""

    #: values of the column that are meant, however rare they are
    usual: frozenset[Any]
    #: words that other columns have often
    words: frozenset[str]


def often(column: ColumnProfile) -> pl.DataFrame:
    """The values of a column that are not rare beside its most frequent one, `value` and `count`."""
    most = int(column.values["count"].max() or 0)  # type: ignore[arg-type]
    return column.values.filter((pl.col("count") >= _FREQUENT) & (pl.col("count") * _TIMES > most))


def words_of(values: Iterable[str]) -> frozenset[str]:
    """The words that texts are made of: runs of letters, in small ones."""
    return frozenset(word for value in values for word in _WORD.findall(value.lower()))


def misspellings(column: ColumnProfile, known: KnownWords) -> Mapping[Any, Any]:
    """Misspelt values of a column of text, and what they should be."""
    if not column.is_text or column.reading.kind not in ("text", "boolean"):
        return {}
    usual = pl.col("value").is_in(list(known.usual))
    frequent = pl.concat([often(column), column.values.filter(usual)]).unique("value")
    rare = column.values.filter(~pl.col("value").is_in(frequent["value"].implode()))
    words = known.words | words_of(frequent["value"])
    # A slip makes a word that the table does not know.
    strange = [not words_of([value]) <= words or not words_of([value]) for value in rare["value"]]
    rare = rare.filter(pl.Series(strange, dtype=pl.Boolean))
    if frequent.is_empty() or rare.is_empty() or frequent.height * rare.height > _MOST_PAIRS:
        return {}
    near = _near(rare, frequent).filter(pl.col("count_right") >= _TIMES * pl.col("count"))
    if column.reading.kind != "boolean":
        near = near.filter(pl.col("meant").str.len_chars() >= _SHORT)
    alike = _near(frequent, frequent)
    slips, by_nature = near["value"].n_unique() / rare.height, alike["value"].n_unique() / frequent.height
    if slips < _SLIPS or slips < 2 * by_nature:
        if by_nature > _ALIKE_BY_NATURE:
            return {}
        # Codes are near to each other, and no words.
        is_word = (pl.col("value").str.len_chars() >= _LONG) & ~pl.col("value").str.contains("[0-9]")
        one = (pl.col("changed") == 1) & is_word
        near = near.filter(one & (pl.col("count_right") >= _MANY_TIMES * pl.col("count")))
    best = near.sort("changed", "count_right", "meant", descending=[False, True, False])
    best = best.unique("value", keep="first").sort("count", "value", descending=[True, False])
    return dict(best.select("value", "meant").rows())


def _near(rare: pl.DataFrame, frequent: pl.DataFrame) -> pl.DataFrame:
    """`value`, `meant` and `changed`, the letters between them: pairs that differ in little, and not in digits alone."""
    import duckdb

    with duckdb.connect() as connection:
        connection.register("rare", rare.to_arrow())
        connection.register("frequent", frequent.to_arrow())
        return pl.DataFrame(connection.sql(_NEAR, params=[_CHANGED]).to_arrow_table())
