"""How far rows of a database have been read: a value of a column that grows, such as an id or the time of the last change."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from dq_pipelines.config.duration import Span, span
from dq_pipelines.config.model import Strict
from dq_pipelines.databases.session import Column, Session
from dq_pipelines.errors import SourceError
from dq_pipelines.sources.inputs import Version

if TYPE_CHECKING:
    import polars as pl

#: Digests are whole numbers of so many bits, as the ledger of bronze keeps them.
_BITS = 63
#: The point before all values, of rows of which none has one.
BEFORE_ALL = -(1 << 62)


class Incremental(Strict):
    """Reads the rows that are new since the last batch, by a column that grows."""

    #: a column of whole numbers, dates or timestamps that is greater in each new or changed row
    by: Annotated[str, Field(min_length=1)]
    #: how far back to look for rows that came late: `5m`, or a number for a column of numbers. Rows that have landed are left out
    lag: Span | Annotated[int, Field(ge=0)] = "0s"
    #: how many rows a batch has at the most, about: rows of the same value stay together
    max_rows: Annotated[int, Field(ge=1)] | None = None

    def back(self, *, is_time: bool) -> int:
        """The lag as a difference of points. Raises SourceError for one that does not fit the column."""
        if isinstance(self.lag, int):
            if is_time and self.lag:
                raise SourceError(f"incremental: wanted a lag such as 5m for times in '{self.by}', got {self.lag}")
            return self.lag
        length = span(self.lag)
        if length and not is_time:
            raise SourceError(f"incremental: wanted a number as the lag of numbers in '{self.by}', got {self.lag}")
        return length // timedelta(microseconds=1)


@dataclass(frozen=True)
class DatabaseState(Version):
    """The state of a database in which rows were listed, and in which they are read, whatever came later."""

    session: Session = field(kw_only=True, compare=False, repr=False)


@dataclass(frozen=True)
class Watermark(DatabaseState):
    """Rows up to a value of the column that grows: `number` is that value, `changed` a digest of the rows near it."""

    #: the column, with the type that all its values have
    column: Column = field(kw_only=True, compare=False, repr=False)
    #: the greatest value that had landed before; None for the first batch
    after: int | None = None
    #: from which value on rows are read; rows at or before `after` that have landed are left out
    since: int | None = None

    @property
    def is_time(self) -> bool:
        """Whether values are times."""
        return not is_number(self.column)

    def __str__(self) -> str:
        return f"rows up to {shown_point(self.number, self.is_time)}"


def out_of_order(session: Session, column: Column) -> str:
    """The SQL of a condition on rows without a value that can be compared: none, or one such as `infinity`."""
    name = f"_dq.{session.quoted(column.name)}"
    return f"({name} IS NULL{f' OR {column.unsound}' if column.unsound else ''})"


def is_number(column: Column) -> bool:
    return column.dtype.is_integer()


def points(value: pl.Expr, dtype: pl.DataType, is_time: bool) -> pl.Expr:
    """The values of a landed watermark column as whole numbers, such as `Session.point` gives; null where there is none."""
    import polars as pl

    if dtype == pl.String:
        if not is_time:
            return value.cast(pl.Int64(), strict=False)
        plain = value.str.replace("T", " ", literal=True).str.replace(r"(Z|\+00:00)$", "")
        whole = pl.when(plain.str.len_bytes() == 10).then(plain + " 00:00:00").otherwise(plain)
        value = whole.str.to_datetime("%Y-%m-%d %H:%M:%S%.f", time_unit="us", strict=False)
    return value.cast(pl.Datetime("us")).to_physical() if is_time else value.cast(pl.Int64())


def digest_of(*parts: object) -> int:
    """A whole number of 63 bits that is another one for other parts."""
    return int.from_bytes(hashlib.sha256(repr(parts).encode()).digest()[:8], "big") >> (64 - _BITS)


def shown_point(point: int, is_time: bool) -> str:
    """A point as people write it."""
    if point == BEFORE_ALL:
        return "no value"
    if not is_time:
        return str(point)
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=point)
    return moment.strftime("%Y-%m-%d %H:%M:%S.%f").removesuffix(".000000")
