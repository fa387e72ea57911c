"""Rows that bronze cannot hold as they are: moments finer than microseconds, or of years that Python and SQL do not have.

Bronze keeps such a row's text in `_unreadable`, in addition to its cells. It is refused with the reason `cast`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import polars as pl

from dq_pipelines.config.columns import exact
from dq_pipelines.sources import ROW, SOURCE
from dq_pipelines.transforms.attempts import filled
from dq_pipelines.transforms.formats import are_years_of_lake, within_years
from dq_pipelines.transforms.to_text import shown

#: What `_why` says of such a row: the column, then the value.
_WHY = "cast of column '{}' to microseconds of the years 1 to 9999: {}"
CAST_WHY = r"^cast of column '(?s:(.*))' to microseconds of the years 1 to 9999: (.*)$"

_FLAG = "is_unstorable\x00"
_TEXT_AND_WHY = pl.Struct({"text": pl.String, "why": pl.String})


def unstorable_marked(
    rows: pl.LazyFrame, text: str, why: str, bounds: Mapping[str, tuple[int, int]] | None = None
) -> pl.LazyFrame:
    """The rows, with the columns `text` and `why` for those that bronze cannot hold; without them where there can be none.

    The cell that cannot be held is null in such a row. `bounds` are those of a Reading.
    """
    schema = rows.collect_schema()
    misfits = {
        name: _misfit(pl.col(exact(name)), dtype)
        for name, dtype in schema.items()
        if _may_not_fit(dtype) and not _fits(dtype, (bounds or {}).get(name))
    }
    if not misfits:
        return rows
    cells = [pl.col(exact(name)) for name in schema if name not in (SOURCE, ROW)]
    marked = pl.struct(pl.any_horizontal(misfits.values()).alias(_FLAG), *cells)
    text_and_why = marked.map_batches(_text_and_why, return_dtype=_TEXT_AND_WHY, is_elementwise=True)
    kept = [pl.when(~misfit).then(pl.col(exact(name))).alias(name) for name, misfit in misfits.items()]
    return rows.with_columns(
        text_and_why.struct.field("text").alias(text), text_and_why.struct.field("why").alias(why), *kept
    )


def _may_not_fit(dtype: pl.DataType) -> bool:
    return isinstance(dtype, pl.Date | pl.Datetime) or (dtype.is_nested() and _in_microseconds(dtype) != dtype)


def _fits(dtype: pl.DataType, bounds: tuple[int, int] | None) -> bool:
    """Whether bronze can hold every date or moment between these bounds."""
    return bounds is not None and isinstance(dtype, pl.Date | pl.Datetime) and are_years_of_lake(dtype, *bounds)


def _in_microseconds(dtype: Any) -> pl.DataType:
    """A nested type with all moments in it in microseconds."""
    match dtype:
        case pl.Datetime():
            return pl.Datetime("us", dtype.time_zone)
        case pl.List():
            return pl.List(_in_microseconds(dtype.inner))
        case pl.Array():
            return pl.Array(_in_microseconds(dtype.inner), dtype.size)
        case pl.Struct():
            return pl.Struct({field.name: _in_microseconds(field.dtype) for field in dtype.fields})
    return cast("pl.DataType", dtype)


def _misfit(value: pl.Expr, dtype: pl.DataType) -> pl.Expr:
    if dtype.is_nested():
        back = value.cast(_in_microseconds(dtype), strict=False).cast(dtype, strict=False)
        return back.ne_missing(value)
    if isinstance(dtype, pl.Datetime) and dtype.time_unit == "ns":
        return (value.to_physical() % 1_000 != 0).fill_null(False)
    return value.is_not_null() & within_years(value, dtype).is_null()


def _text_and_why(rows: pl.Series) -> pl.Series:
    nothing = pl.Series([None], dtype=_TEXT_AND_WHY).new_from_index(0, len(rows))
    return filled(nothing, rows.struct.field(_FLAG), rows, _lines)


def _lines(rows: pl.Series) -> pl.Series:
    """Text and reason of rows that cannot be held."""
    frame = rows.struct.unnest().drop(_FLAG)
    texts = frame.select(shown(pl.col(exact(name))).alias(name) for name in frame.columns)
    whys = [
        pl.when(_misfit(pl.col(exact(name)), dtype))
        .then(pl.concat_str(pl.lit(_WHY.format(name, "")), shown(pl.col(exact(name)))))
        .alias(name)
        for name, dtype in frame.schema.items()
        if _may_not_fit(dtype)
    ]
    text = texts.to_struct().struct.json_encode()
    why = frame.select(pl.coalesce(whys)).to_series()
    return pl.DataFrame({"text": text, "why": why}).to_struct()
