"""Where engines part: what an expression must say differently on one of them, or what one has no way to say.

A rule is written once; the few places in which its meaning would change with the engine ask the dialect.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import narwhals as nw
from narwhals.dtypes import DType

#: Whose regular expressions an engine has.
RegexFlavour = Literal["rust", "re2", "java", "postgresql"]


class Lacking(Exception):
    """This engine has no way to say what the rule means, for the reason given; another engine must judge by it."""


@dataclass(frozen=True)
class Dialect:
    """What one engine has and lacks."""

    regex: RegexFlavour = "rust"
    #: whether a sum counts how many booleans are true
    sums_booleans: bool = True
    #: how it writes a float or a decimal, where that is not as Python's `str` does
    numbers_written: str | None = None

    #: why a datetime without a zone cannot be held against its columns, where that is so
    naive_moments: str | None = None

    def count(self, flag: nw.Expr) -> nw.Expr:
        """In how many rows the boolean is true."""
        return flag.sum() if self.sums_booleans else flag.cast(nw.Int64).sum()

    def writes(self, dtype: DType) -> None:
        """Raise Lacking when the text of such values is not Python's."""
        if self.numbers_written and (dtype.is_float() or dtype.is_decimal()):
            raise Lacking(f"it writes numbers of type {dtype} in another way than Python ({self.numbers_written})")

    def says(self, literal: Any) -> None:
        """Raise Lacking when the literal would become another value there."""
        if self.naive_moments and isinstance(literal, datetime) and literal.tzinfo is None:
            raise Lacking(self.naive_moments)


#: What rules are written for; other engines say where they part from it.
POLARS = Dialect()
