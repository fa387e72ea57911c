"""Floats as text: the shortest that is read as the same number, whole ones without `.0`.

A workbook has floats only: 1001 is written as such, and meets the 1001 of a CSV.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl

#: From here on digits in full would say more than the float knows of.
_MOST = 2**63


def float_text(value: pl.Expr) -> pl.Expr:
    """The floats as text; null stays null."""
    import polars as pl

    whole = (value == value.round(0)) & (value.abs() < _MOST)
    digits = pl.when(whole).then(value).cast(pl.Int64, strict=False).cast(pl.String)
    return pl.coalesce(digits, value.cast(pl.String))
