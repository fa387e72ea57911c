"""Casts of whole columns, the quickest way first: what one way cannot read, the next one tries.

An attempt takes values and gives them in the wanted type, null where it does not fit. What the attempts are belongs in
`from_text`, `from_numbers` and `to_text`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import polars as pl

Attempt = Callable[[pl.Series], pl.Series]


def first_of(value: pl.Expr, attempts: Sequence[Attempt], wanted: pl.DataType) -> pl.Expr:
    """The first attempt that gives a value, for each; further ones see only what is left.

    To trim and to parse exactly where there is nothing to trim and few decimals was two thirds of all casts, 3 s of CPU
    for 11 columns of 6 million rows.
    """

    def all_tried(values: pl.Series) -> pl.Series:
        # By a name of ours: methods of a series called `^a$` would look for columns that match it.
        return tried(values.alias("value"), attempts, wanted).alias(values.name)

    return value.map_batches(all_tried, return_dtype=wanted, is_elementwise=True)


def tried(values: pl.Series, attempts: Sequence[Attempt], wanted: pl.DataType) -> pl.Series:
    """`first_of`, of values that are there."""
    found = attempts[0](values).cast(wanted)
    for attempt in attempts[1:]:
        found = filled(found, found.is_null() & values.is_not_null(), values, attempt)
    return found


def filled(found: pl.Series, where: pl.Series, values: pl.Series, attempt: Attempt) -> pl.Series:
    """`found` with what the attempt gives where `where` is true; it is asked of those values alone."""
    left = where.arg_true()
    if left.is_empty():
        return found
    more = attempt(values.gather(left)).cast(found.dtype)
    order = np.arange(len(found))
    order[left.to_numpy()] = len(found) + np.arange(len(more))
    return pl.concat([found.rechunk(), more.rechunk()]).gather(order)


def only(values: pl.Series, where: pl.Series) -> pl.Series:
    """The values where `where` is true, and null elsewhere."""
    return values.zip_with(where.fill_null(False), pl.Series([None], dtype=values.dtype))


def each(values: pl.Series, function: Callable[[Any], Any], dtype: pl.DataType) -> pl.Series:
    """`function` of each value that is there, in Python: for the few that no quicker way can tell."""
    return pl.Series([None if value is None else function(value) for value in values.to_list()], dtype=dtype)


def selected(values: pl.Series, expression: Callable[[pl.Expr], pl.Expr]) -> pl.Series:
    """What an expression makes of the values."""
    return values.alias("value").to_frame().select(expression(pl.col("value"))).to_series()
