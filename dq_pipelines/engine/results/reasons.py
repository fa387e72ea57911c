"""Why a row was refused: a list of {rule, column, value}, built for refused rows only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pyarrow as pa

from dq_pipelines.transforms.to_text import shown, shown_texts

if TYPE_CHECKING:
    from dq_pipelines.engine.plan import PlannedRule

#: The column of reasons.
REASONS = "_reasons"

REASON = pl.Struct({"rule": pl.String, "column": pl.String, "value": pl.String})


def reason(rule: str, column: str | None, value: pl.Expr) -> pl.Expr:
    """One reason as a struct."""
    return pl.struct(
        pl.lit(rule, dtype=pl.String).alias("rule"),
        pl.lit(column, dtype=pl.String).alias("column"),
        value.alias("value"),
    )


def with_reasons(refused: pl.LazyFrame, refusing: Sequence[PlannedRule]) -> pl.LazyFrame:
    """Marked rows with `_reasons`: one per refusing rule that the row fails, in the order of the rules.

    Only the rows that fail a rule are gathered for it, so a row costs what its own reasons cost, and not what all rules do.
    """
    if not refusing:
        return refused.with_columns(pl.lit([], dtype=pl.List(REASON)).alias(REASONS))
    return refused.map_batches(
        lambda rows: rows.with_columns(_reasons(rows, refusing)),
        schema={**refused.collect_schema(), REASONS: pl.List(REASON)},
        streamable=True,
        projection_pushdown=False,
        predicate_pushdown=False,
        slice_pushdown=False,
    )


def _reasons(rows: pl.DataFrame, refusing: Sequence[PlannedRule]) -> pl.Series:
    """The reasons of each row; none for a row that is held."""
    flags = rows.select(item.flag for item in refusing).to_numpy()
    places, rules = np.nonzero(flags)  # by row, and the rules of a row in their order
    labels = pl.DataFrame(
        [(item.rule.type, item.rule.column_label) for item in refusing], schema=["rule", "column"], orient="row"
    )
    reasons = labels.cast(pl.String)[rules].with_columns(_values(rows, places, rules, refusing)).to_struct()
    offsets = np.concatenate([[0], np.cumsum(np.bincount(places, minlength=rows.height))])
    newest = pl.CompatLevel.newest()
    lists = pa.LargeListArray.from_arrays(offsets, reasons.to_arrow(compat_level=newest))
    return pl.Series(REASONS, lists)


def _values(rows: pl.DataFrame, places: np.ndarray, rules: np.ndarray, refusing: Sequence[PlannedRule]) -> pl.Series:
    """What each rule looked at in the row at its place, as text: the value, or `name=value` pairs for several columns."""
    parts, order = [pl.Series("value", [], pl.String)], [np.array([], np.int64)]
    # The rules on the same columns together: a look costs more than its few rows. `[…]`, since `gather` plans a query.
    columns = list(dict.fromkeys(item.rule.reason_columns for item in refusing))
    columns_of = np.array([columns.index(item.rule.reason_columns) for item in refusing])[rules]
    for number, names in enumerate(columns):
        order.append(np.flatnonzero(columns_of == number))
        if len(order[-1]):
            failing = pl.Series(places[order[-1]])
            parts.append(_texts([rows.get_column(name)[failing] for name in names], len(failing)))
    return pl.concat(parts)[pl.Series(np.argsort(np.concatenate(order)))]


def _texts(columns: Sequence[pl.Series], rows: int) -> pl.Series:
    if not columns:
        return pl.repeat(None, rows, dtype=pl.String, eager=True).alias("value")
    texts = [_text(values) for values in columns]
    if len(texts) == 1:
        return texts[0].alias("value")
    # A cast's column may have another name by now: then Polars says so.
    parts = [
        pl.concat_str(pl.lit(f"{values.name}="), text.fill_null("null"))
        for values, text in zip(columns, texts, strict=True)
    ]
    return pl.select(pl.concat_str(parts, separator=", ").alias("value")).to_series()


def _text(values: pl.Series) -> pl.Series:
    return values.cast(pl.String, strict=False) if _is_plain(values.dtype) else shown_texts(values)


def text_of(dtype: pl.DataType | None, value: pl.Expr) -> pl.Expr:
    """Values of a type as text, never null: nested ones as JSON, durations as ISO 8601, bytes as UTF-8 with escapes."""
    return value.cast(pl.String, strict=False) if dtype is not None and _is_plain(dtype) else shown(value)


def _is_plain(dtype: pl.DataType) -> bool:
    return dtype.is_numeric() or isinstance(dtype, pl.String | pl.Boolean)


def as_text(value: pl.Expr) -> pl.Expr:
    """Any value as text, where its type is not known."""
    return shown(value)
