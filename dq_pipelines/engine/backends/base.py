"""What an engine other than Polars is: something that holds rows, and runs Narwhals expressions over them where they lie.

How rules are judged there belongs in `engine_plan`; what each engine is like, in the file of its name.
"""

from __future__ import annotations

import abc
import threading
from collections.abc import Generator, Iterator, Mapping
from typing import Any, ClassVar

import narwhals as nw
import polars as pl
from narwhals.dtypes import DType

from dq_pipelines.engine.interrupt import interruptibly
from dq_pipelines.rules.core.auxiliary_queries import AuxiliaryQuery, ByGx, ByText, Determined, Exists, InOrder, RowSql
from dq_pipelines.rules.core.base import Rule
from dq_pipelines.rules.core.dialect import Dialect
from dq_pipelines.rules.core.gx_expectations import TableByGx
from dq_pipelines.rules.core.on_rows import RowRule
from dq_pipelines.rules.core.on_tables import GroupRule, QueryRule
from dq_pipelines.rules.library.quantiles import QuantileValues

#: Polars reads several frames of one query from several threads, and a query is made of one connection.
_ONE_BY_ONE = threading.Lock()


def first_line(error: BaseException) -> str:
    """What an engine's error says, without its SQL or the stack of its JVM."""
    return str(error).strip().partition("\n")[0] or type(error).__name__


class Engine(abc.ABC):
    """One engine, connected to wherever it runs; it lives as long as frames of it are used."""

    name: ClassVar[str]
    #: how it says things; that may hang on its settings
    dialect: Dialect
    #: what it lacks whatever the data: a rule's class or an auxiliary query's, and the reason; Polars judges by those rules
    gaps: ClassVar[Mapping[type[Rule | AuxiliaryQuery], str]] = {
        InOrder: "its rows have no order",
        Determined: "which value is the usual one is found by Polars",
        ByText: "only Python gives this answer",
        RowSql: "the SQL is written for Polars, and dialects differ",
        QueryRule: "the SQL is written for Polars, and dialects differ",
        QuantileValues: "its quantiles lie between values, where the rule's are values that are there",
    }

    def __init__(self, address: str | None = None) -> None:  # noqa: B027 - not every engine has addresses
        """Connect to `address`, if the engine has addresses, or to where its own settings say; raises SourceError."""

    @classmethod
    @abc.abstractmethod
    def owns(cls, data: Any) -> bool:
        """Whether `data` is a frame of this engine, to be judged where it lies."""

    @abc.abstractmethod
    def hold(self, data: Any) -> nw.LazyFrame[Any]:
        """The rows of a frame of its own, of a Polars frame or at a path; raises SourceError when it cannot read them."""

    def schema(self, frame: nw.LazyFrame[Any]) -> Mapping[str, DType]:
        """The columns with the types by which rules judge them; `Unknown` is that of nulls only."""
        return frame.collect_schema()

    @abc.abstractmethod
    def records(self, frame: nw.LazyFrame[Any]) -> list[dict[str, Any]]:
        """The rows of a small frame, as Python's own values."""

    @abc.abstractmethod
    def batches(self, frame: nw.LazyFrame[Any]) -> Generator[pl.DataFrame]:
        """The rows of a frame of any size, a part at a time; at least one part, which may have no rows."""

    @property
    @abc.abstractmethod
    def errors(self) -> tuple[type[Exception], ...]:
        """What it raises when it cannot run an expression."""

    @abc.abstractmethod
    def stop(self) -> None:
        """End what is running; called from another thread."""

    def rows(self, frame: nw.LazyFrame[Any]) -> pl.LazyFrame:
        """The rows as a Polars frame, read when that is, and only the columns that it needs."""

        def read(
            columns: list[str] | None, predicate: pl.Expr | None, most: int | None, _: int | None
        ) -> Iterator[pl.DataFrame]:
            with _ONE_BY_ONE:
                wanted = frame if columns is None else frame.select(*columns)
                wanted = wanted if most is None else wanted.head(most)
            for batch in self.batches(wanted):
                yield batch if predicate is None else batch.filter(predicate)

        empty = next(self.batches(frame.head(0)))
        return pl.io.plugins.register_io_source(read, schema=empty.schema)

    def asked(self, frame: nw.LazyFrame[Any]) -> list[dict[str, Any]]:
        """`records`, ended within moments when the run is interrupted."""
        return interruptibly(lambda: self.records(frame), self.stop)

    def understands(self, frame: nw.LazyFrame[Any]) -> None:
        """Raise one of `errors` when it cannot run what makes this frame, which has no rows."""
        self.asked(frame)

    @classmethod
    def gap(cls, rule: Rule) -> str | None:
        """Why it cannot judge by the rule, whatever the data; None when it can."""
        query = rule.auxiliary_query() if isinstance(rule, RowRule) else None
        if isinstance(query, ByGx) or isinstance(rule, TableByGx):
            return "Great Expectations judges by it, on pandas"
        if isinstance(query, Exists) or (isinstance(rule, GroupRule | QueryRule) and rule.reads):
            return "the other table lies in the lake"
        asked = (type(rule), *([] if query is None else [type(query)]))
        ways = [way for wanted in asked for way in wanted.__mro__ if way in cls.gaps]
        return cls.gaps[ways[0]] if ways else None
