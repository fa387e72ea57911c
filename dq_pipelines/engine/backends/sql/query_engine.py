"""What DuckDB, Spark and PostgreSQL have in common: they hold rows, and run Narwhals expressions over them where they are."""

from __future__ import annotations

import abc
import threading
from collections.abc import Generator, Iterator, Mapping
from typing import Any

import narwhals as nw
import polars as pl
from narwhals.dtypes import DType

from dq_pipelines.engine.backends.base import Backend
from dq_pipelines.engine.interrupt import interruptibly

#: Rows in an engine, and expressions over them.
Frame = nw.LazyFrame[Any]

#: Polars reads several frames of one query from several threads, and a query is made of one connection.
_QUERY_LOCK = threading.Lock()


def first_line(error: BaseException) -> str:
    """What an engine's error says, without its SQL or the stack of its JVM."""
    return str(error).strip().partition("\n")[0] or type(error).__name__


class QueryEngine(Backend):
    """A backend whose rows leave it only by queries."""

    # Whether a sum overflows depends on the order of the rows, and that on what else is asked.
    fails_together = True

    def schema(self, frame: Frame) -> Mapping[str, DType]:
        """The columns with the types by which rules judge them; `Unknown` is that of nulls only."""
        return frame.collect_schema()

    @abc.abstractmethod
    def records(self, frame: Frame) -> list[dict[str, Any]]:
        """The rows of a small frame, as Python's own values."""

    @abc.abstractmethod
    def batches(self, frame: Frame) -> Generator[pl.DataFrame]:
        """The rows of a frame of any size, a part at a time; at least one part, which may have no rows."""

    @property
    @abc.abstractmethod
    def errors(self) -> tuple[type[Exception], ...]:
        """The exceptions that it raises when it cannot run an expression."""

    @abc.abstractmethod
    def stop(self) -> None:
        """End what is running; called from another thread."""

    def query(self, frame: Frame) -> list[dict[str, Any]]:
        """`records`, ended within moments when the run is interrupted."""
        return interruptibly(lambda: self.records(frame), self.stop)

    def try_out(self, frame: Frame) -> None:
        """Raise one of `errors` when it cannot run the query of this frame, which has no rows."""
        self.query(frame)

    def rows(self, frame: Frame) -> pl.LazyFrame:
        """The rows as a Polars frame, read when that is collected, and only the columns that it needs."""

        def read(
            columns: list[str] | None, predicate: pl.Expr | None, limit: int | None, _: int | None
        ) -> Iterator[pl.DataFrame]:
            with _QUERY_LOCK:
                wanted = frame if columns is None else frame.select(*columns)
                wanted = wanted if limit is None else wanted.head(limit)
            for batch in self.batches(wanted):
                yield batch if predicate is None else batch.filter(predicate)

        empty = next(self.batches(frame.head(0)))
        return pl.io.plugins.register_io_source(read, schema=empty.schema)
