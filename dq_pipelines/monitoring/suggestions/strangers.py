"""Values that are far rarer than all others of a column whose values are about equally common."""

from __future__ import annotations

import polars as pl

#: How many common values there are, how often each was seen at least, and how many times as common the first is as the
#: last of them.
_FEWEST, _MOST, _SEEN, _EVEN = 3, 60, 50, 20
#: How many times rarer than the last common value a stranger is, and the share of rows that strangers have together.
_RARER, _FEW = 50, 0.005


def without_strangers(values: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame] | None:
    """The common values and the strangers among them, `value` and `count`; None where there are no strangers.

    Counts that fall off by nature (Zipf's, Poisson's) have no such step behind values that are even among themselves.
    """
    ordered = values.sort("count", "value", descending=[True, False])
    counts = ordered["count"].to_list()
    total = sum(counts)
    for place in range(_FEWEST, min(_MOST + 1, len(counts))):
        last, first = counts[place - 1], counts[place]
        if last < _SEEN or counts[0] > _EVEN * last:
            return None
        if last >= _RARER * first and total - sum(counts[:place]) <= _FEW * total:
            return ordered.head(place), ordered.tail(len(counts) - place)
    return None
