"""Why a row was refused: a list of {rule, column, value}, built for refused rows only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pyarrow as pa

from dq_pipelines.config.arrow_arrays import series_of
from dq_pipelines.config.columns import exact_names
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
    reasons = _Reasons(refusing)
    looked_at = dict.fromkeys(name for item in refusing for name in (item.flag, *item.rule.reason_columns))
    # An expression of the columns that it looks at, so that Polars filters no others that nobody wants.
    made = pl.struct(exact_names(looked_at)).map_batches(
        lambda rows: reasons.of(rows.struct.unnest()), return_dtype=pl.List(REASON), is_elementwise=True
    )
    return refused.with_columns(made.alias(REASONS))


class _Reasons:
    """Makes the reasons of rows with marks. A chunk may have a hundred rows only, so it plans no query where it can."""

    def __init__(self, refusing: Sequence[PlannedRule]) -> None:
        self._flags = [item.flag for item in refusing]
        self._rules = pl.Series("rule", [item.rule.type for item in refusing], pl.String)
        self._labels = pl.Series("column", [item.rule.column_label for item in refusing], pl.String)
        #: the columns that rules look at; rules on the same columns share them
        self._columns = list(dict.fromkeys(item.rule.reason_columns for item in refusing))
        #: by the place of a rule, the place of its columns
        self._columns_of = np.array([self._columns.index(item.rule.reason_columns) for item in refusing])

    def of(self, rows: pl.DataFrame) -> pl.Series:
        """The reasons of each row; none for a row that is held."""
        flags = np.column_stack([rows.get_column(flag).to_numpy() for flag in self._flags])
        places, failed = np.nonzero(flags)  # by row, and the rules of a row in their order
        places = places.astype(np.uint32)  # as Polars numbers rows
        rules = pl.Series(failed)
        reasons = pl.DataFrame([self._rules[rules], self._labels[rules], self._values(rows, places, failed)])
        # As an Arrow array: for one of numpy, pyarrow imports pandas.
        offsets = pl.Series(np.concatenate([[0], np.cumsum(np.bincount(places, minlength=rows.height))])).to_arrow()
        newest = pl.CompatLevel.newest()
        lists = pa.LargeListArray.from_arrays(offsets, reasons.to_struct().to_arrow(compat_level=newest))
        return series_of(lists, REASONS)

    def _values(self, rows: pl.DataFrame, places: np.ndarray, failed: np.ndarray) -> pl.Series:
        """What each failed rule looked at in the row at its place, as text."""
        parts, order = [pl.Series("value", [], pl.String)], [np.array([], np.int64)]
        columns_of = self._columns_of[failed]
        for number, names in enumerate(self._columns):
            order.append(np.flatnonzero(columns_of == number))
            if len(order[-1]):
                failing = pl.Series(places[order[-1]])
                parts.append(_texts({name: rows.get_column(name)[failing] for name in names}, len(failing)))
        return pl.concat(parts)[pl.Series(np.argsort(np.concatenate(order)))]


def _texts(columns: Mapping[str, pl.Series], rows: int) -> pl.Series:
    """The values of one column as text, or `name=value` pairs of several."""
    if not columns:
        return pl.repeat(None, rows, dtype=pl.String, eager=True).alias("value")
    # A fixed name: methods of a series called `^a$` would look for columns that match this pattern.
    texts = {name: _text(values.alias("value")) for name, values in columns.items()}
    if len(texts) == 1:
        return next(iter(texts.values()))
    # A cast's column may have another name by now: then Polars says so.
    parts = [pl.concat_str(pl.lit(f"{name}="), text.fill_null("null")) for name, text in texts.items()]
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
