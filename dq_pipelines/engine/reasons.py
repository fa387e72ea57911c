"""Why a row was refused: a list of {rule, column, value}, built for refused rows only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import polars as pl

if TYPE_CHECKING:
    from dq_pipelines.engine.plan import PlannedRule

REASON = pl.Struct({"rule": pl.String, "column": pl.String, "value": pl.String})


def reason(rule: str, column: str | None, value: pl.Expr) -> pl.Expr:
    """One reason as a struct."""
    return pl.struct(
        pl.lit(rule, dtype=pl.String).alias("rule"),
        pl.lit(column, dtype=pl.String).alias("column"),
        value.alias("value"),
    )


def reasons(refusing: Sequence[PlannedRule]) -> pl.Expr:
    """The list of reasons of a marked row: one per refusing rule that it fails."""
    given = [
        pl.when(pl.col(item.flag)).then(reason(item.rule.type, item.rule.column_label, _value(item)))
        for item in refusing
    ]
    if not given:
        return pl.lit([], dtype=pl.List(REASON))
    return pl.concat_list(given).list.drop_nulls()


def _value(item: PlannedRule) -> pl.Expr:
    """What the rule looked at, as text: the value, or `name=value` pairs for several columns."""
    names = item.rule.reason_columns
    if len(names) == 1:
        return as_text(pl.col(names[0]))
    if not names:
        return pl.lit(None, dtype=pl.String)
    parts = [pl.concat_str(pl.lit(f"{name}="), as_text(pl.col(name)).fill_null("null")) for name in names]
    return pl.concat_str(parts, separator=", ")


def as_text(value: pl.Expr) -> pl.Expr:
    """Any value as text."""
    return value.cast(pl.String, strict=False)
