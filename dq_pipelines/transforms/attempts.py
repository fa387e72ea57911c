"""Casts whole columns by a list of attempts, the fastest first; each gets only the values that the earlier ones could not cast.

An attempt converts values to the wanted type, and gives null for those that do not fit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import polars as pl

from dq_pipelines.config import polars_numpy

polars_numpy.load()

Attempt = Callable[[pl.Series], pl.Series]


def first_of(value: pl.Expr, attempts: Sequence[Attempt], wanted: pl.DataType) -> pl.Expr:
    """For each value the result of the first attempt that gives one; later attempts get only the rest.

    Trimming and exact parsing of all values took two thirds of the time of casts: 3 s of CPU for 11 columns of 6 million rows,
    although few values needed it.
    """

    def all_tried(values: pl.Series) -> pl.Series:
        # Under a fixed name: methods of a series called `^a$` would look for columns that match this pattern.
        return tried(values.alias("value"), attempts, wanted).alias(values.name)

    return value.map_batches(all_tried, return_dtype=wanted, is_elementwise=True)


def tried(values: pl.Series, attempts: Sequence[Attempt], wanted: pl.DataType) -> pl.Series:
    """`first_of` for a series."""
    result = attempts[0](values).cast(wanted)
    for attempt in attempts[1:]:
        if result.null_count() == values.null_count():  # the usual case
            break
        result = filled(result, result.is_null() & values.is_not_null(), values, attempt)
    return result


def filled(result: pl.Series, where: pl.Series, values: pl.Series, attempt: Attempt) -> pl.Series:
    """`result` with the results of the attempt where `where` is true; the attempt gets only those values."""
    places = where.arg_true()
    if places.is_empty():
        return result
    more = attempt(values.gather(places)).cast(result.dtype)
    order = np.arange(len(result))
    order[places.to_numpy()] = len(result) + np.arange(len(more))
    return pl.concat([result.rechunk(), more.rechunk()]).gather(order)


def only(values: pl.Series, where: pl.Series) -> pl.Series:
    """The values where `where` is true, and null elsewhere."""
    return values.zip_with(where.fill_null(False), pl.Series([None], dtype=values.dtype))


def each(values: pl.Series, function: Callable[[Any], Any], dtype: pl.DataType) -> pl.Series:
    """`function` of each present value, in Python: for the few values that no faster way can cast."""
    return pl.Series([None if value is None else function(value) for value in values.to_list()], dtype=dtype)


def selected(values: pl.Series, expression: Callable[[pl.Expr], pl.Expr]) -> pl.Series:
    """The values after an expression."""
    return values.alias("value").to_frame().select(expression(pl.col("value"))).to_series()
