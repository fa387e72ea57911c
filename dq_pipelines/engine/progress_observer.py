"""Who watches a judgement: how many rows have gone by, which rules are asked beside the scan, what they said.

What becomes of it belongs to the one who watches.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from threading import Lock
from typing import TYPE_CHECKING, Protocol

import polars as pl

from dq_pipelines.config.columns import exact
from dq_pipelines.engine.results.verdict import RuleResult
from dq_pipelines.rules.core.base import Rule

if TYPE_CHECKING:
    from dq_pipelines.engine.backends.polars.scan import Scan

#: Rows that are counted together: five looks at a million, a few microseconds each.
_AT_ONCE = 200_000


class Watching(Protocol):
    """What a judgement tells while it goes on."""

    def counting(self, scan: Scan) -> Sequence[pl.LazyFrame]:
        """Sinks that are to be collected with the scan: asked anew for each pass."""
        ...

    def beside(self, rules: Sequence[Rule]) -> AbstractContextManager[None]:
        """What stays within, looks for what these rules want to know beside the scan; there may be none."""
        ...

    def told(self, results: Sequence[RuleResult]) -> None:
        """Results that are known now, but for their samples; those told before may be among them."""
        ...


class _Nobody:
    def counting(self, scan: Scan) -> Sequence[pl.LazyFrame]:
        return ()

    def beside(self, rules: Sequence[Rule]) -> AbstractContextManager[None]:
        return nullcontext()

    def told(self, results: Sequence[RuleResult]) -> None:
        return None


UNWATCHED: Watching = _Nobody()


class Tally:
    """Rows counted while they go by, in threads of Polars'; may be read at any moment."""

    def __init__(self) -> None:
        self.rows = 0
        self.refused = 0
        #: failing rows, by the index of the rule
        self.failing: dict[int, int] = {}
        self._lock = Lock()

    def of(self, scan: Scan) -> pl.LazyFrame:
        """A sink beside the scan's others, which sees the marks of its rows.

        A sink, and not a node that the rows go through: Polars would run the plan above such a one a second time.
        """
        from dq_pipelines.engine.backends.polars.scan import REFUSED

        flags = {item.flag: item.index for item in scan.plan.row_rules()}
        marks = scan.marked.select(REFUSED, *flags)

        def meet(rows: pl.DataFrame) -> None:
            self.rows += rows.height
            self.refused += int(rows.get_column(REFUSED).sum())
            for flag, index in flags.items():
                if found := int(rows.get_column(flag).sum()):
                    self.failing[index] = self.failing.get(index, 0) + found

        return marks.sink_batches(meet, chunk_size=_AT_ONCE, maintain_order=False, lazy=True)

    def through(self, rows: pl.LazyFrame, column: str) -> pl.LazyFrame:
        """The same rows, counted on their way into the one sink that they have; `column` is one of theirs."""

        def count(values: pl.Series) -> pl.Series:
            with self._lock:
                self.rows += len(values)
            return values

        dtype = rows.collect_schema()[column]
        return rows.with_columns(pl.col(exact(column)).map_batches(count, dtype, is_elementwise=True))
