"""Counts rows while they pass through native work, to show progress."""

from __future__ import annotations

from threading import Lock

import polars as pl

from dq_pipelines.config.columns import exact
from dq_pipelines.engine.backends.base import REFUSED, StagingScan

#: Rows that are counted together: five calls for a million rows, a few microseconds each.
_CHUNK = 200_000


class RowCounter:
    """Counts of rows, added to in threads of Polars'; they may be read at any moment."""

    def __init__(self) -> None:
        self.rows = 0
        self.refused = 0
        #: failing rows, by the index of the rule
        self.failing: dict[int, int] = {}
        self._lock = Lock()

    def sink(self, scan: StagingScan) -> pl.LazyFrame:
        """A sink that counts the marks of the scan's rows, to be collected with the scan's others.

        A sink, and not a node that the rows go through: Polars would run the plan above such a one a second time.
        """
        flags = {item.flag: item.index for item in scan.plan.row_rules()}
        marks = scan.marked.select(REFUSED, *flags)

        def add(rows: pl.DataFrame) -> None:
            self.rows += rows.height
            self.refused += int(rows.get_column(REFUSED).sum())
            for flag, index in flags.items():
                if failing := int(rows.get_column(flag).sum()):
                    self.failing[index] = self.failing.get(index, 0) + failing

        return marks.sink_batches(add, chunk_size=_CHUNK, maintain_order=False, lazy=True)

    def through(self, rows: pl.LazyFrame, column: str) -> pl.LazyFrame:
        """The same rows, counted on their way into the one sink that they have; `column` is one of theirs."""

        def count(values: pl.Series) -> pl.Series:
            with self._lock:
                self.rows += len(values)
            return values

        dtype = rows.collect_schema()[column]
        return rows.with_columns(pl.col(exact(column)).map_batches(count, dtype, is_elementwise=True))
