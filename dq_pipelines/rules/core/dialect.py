"""Describes the differences of engines that affect expressions, and what an engine cannot express.

A rule is written once; it consults the dialect in the few places where engines differ.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import narwhals as nw
from narwhals.dtypes import DType

#: The syntax of an engine's regular expressions.
RegexFlavour = Literal["rust", "re2", "java", "postgresql"]


class Unsupported(Exception):
    """This engine cannot express the rule, for the given reason; another engine must evaluate it."""


@dataclass(frozen=True)
class Dialect:
    """The properties of one engine."""

    regex: RegexFlavour = "rust"
    #: whether sum() of booleans counts the true ones
    sums_booleans: bool = True
    #: how it formats a float or a decimal, if not as Python's `str`
    numbers_written: str | None = None

    #: why its columns cannot be compared with a datetime without a zone; None if they can
    naive_moments: str | None = None

    def count(self, flag: nw.Expr) -> nw.Expr:
        """The number of rows in which the boolean is true."""
        return flag.sum() if self.sums_booleans else flag.cast(nw.Int64).sum()

    def writes(self, dtype: DType) -> None:
        """Raise Unsupported if the text of values of this type differs from Python's."""
        if self.numbers_written and (dtype.is_float() or dtype.is_decimal()):
            raise Unsupported(f"it writes numbers of type {dtype} in another way than Python ({self.numbers_written})")

    def says(self, literal: Any) -> None:
        """Raise Unsupported if the literal would have another value on this engine."""
        if self.naive_moments and isinstance(literal, datetime) and literal.tzinfo is None:
            raise Unsupported(self.naive_moments)


#: The default, for which rules are written; other engines declare their differences.
POLARS = Dialect()
