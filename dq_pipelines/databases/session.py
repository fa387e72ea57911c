"""What a session in a database answers, of whatever kind the database is: columns of rows, single values, and streams of rows."""

from __future__ import annotations

import abc
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import polars as pl

#: The column that `Session.batches` adds: whether a row has a value that the type of its column cannot hold.
UNREADABLE = "_unreadable"


@dataclass(frozen=True)
class Column:
    """A column of rows in a database."""

    name: str
    #: the type's name in the database
    type: str
    #: what its values are in Polars
    dtype: pl.DataType
    #: the SQL that reads it, in a form that loses nothing on the way
    read: str
    #: the SQL of a condition on values that `dtype` cannot hold; "" where it holds all
    unsound: str = ""

    @property
    def is_unsound(self) -> str:
        """The SQL of whether a value is such a one: never NULL."""
        return f"coalesce({self.unsound}, false)"

    @property
    def why_unreadable(self) -> str:
        """One sentence about a row with such a value."""
        return f"column '{self.name}' holds a value that a {self.type} of other engines does not have"


class Session(abc.ABC):
    """A read-only session, which sees the database at one moment."""

    @abc.abstractmethod
    def rows_of(self, table: str) -> str:
        """The SQL of a table, by the name in YAML, to stand after FROM. Raises SourceError, with the nearest name."""

    @abc.abstractmethod
    def columns(self, rows: str) -> Sequence[Column]:
        """The columns of rows, such as `rows_of` gives. Raises SourceError for SQL that does not run."""

    @abc.abstractmethod
    def all(self, sql: str) -> Sequence[tuple[Any, ...]]:
        """All rows of a query that has few."""

    def values(self, sql: str) -> tuple[Any, ...]:
        """The first row of a query."""
        return self.all(sql)[0]

    def quoted(self, name: str) -> str:
        """A name in SQL."""
        return '"' + name.replace('"', '""') + '"'

    def watermark(self, column: Column, rows: str) -> Column:
        """The column by which these rows are read, with a type that all its values have."""
        return column

    @abc.abstractmethod
    def point(self, column: Column) -> str | None:
        """The SQL of a watermark column as a whole number, of microseconds since 1970 for a time; None for other types."""

    @abc.abstractmethod
    def literal(self, column: Column, point: int) -> str:
        """The SQL of the value of a watermark column at a `point`."""

    def typed(self, columns: Sequence[Column], rows: str, where: str) -> Sequence[Column]:
        """The columns with types that hold the values of these rows, where the database does not say so of the columns."""
        return columns

    @abc.abstractmethod
    def digest(self, rows: str) -> str:
        """The SQL of two aggregates over rows of the alias `_dq`: their count, and a whole number of 63 bits that tells other rows apart."""

    @abc.abstractmethod
    def number_of_now(self) -> int:
        """A number that is greater after each change of anything in the database."""

    @abc.abstractmethod
    def batches(self, rows: str, columns: Sequence[Column], where: str, order: str) -> Iterator[pl.DataFrame]:
        """These columns and `UNREADABLE`; the same rows in the same order each time. Raises SourceError, or Transient."""

    @abc.abstractmethod
    def unreadable(self, rows: str, columns: Sequence[Column], where: str, order: str) -> Iterator[tuple[str, str]]:
        """Of each row that `batches` marks as unreadable, in the same order, its text and one sentence about it."""

    @abc.abstractmethod
    def close(self) -> None:
        """End the session."""
