"""Finds values that are far rarer than the others, in a column whose other values are about equally frequent."""

from __future__ import annotations

import polars as pl

#: Least and most frequent values, the least rows of each, and the largest ratio between the first and the last of them.
_FEWEST, _MOST, _SEEN, _EVEN = 3, 60, 50, 20
#: How many times rarer than the last frequent value a rare one is, and the largest share of rows of all rare ones.
_RARER, _FEW = 50, 0.005


def split_rare_values(values: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame] | None:
    """Splits values (`value` and `count`) into frequent and rare ones; None without rare ones.

    Natural distributions of counts (Zipf, Poisson) have no such step after values of similar frequency.
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
