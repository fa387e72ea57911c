"""Merges the metrics of many batches, such as a month from its days, without reading any rows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from dq_pipelines.history.queries.sketches import measured_batches
from dq_pipelines.history.store.metrics import ColumnMetrics
from dq_pipelines.history.store.verdicts import History
from dq_pipelines.monitoring.metrics.state import merged


@dataclass(frozen=True)
class BatchRange:
    """A range of a table's batches; by default all."""

    table: str
    partition: str | None = None
    #: by the start of the batch's run, both ends included
    since: datetime | None = None
    until: datetime | None = None

    def metrics(self, history: History) -> tuple[int, tuple[ColumnMetrics, ...]]:
        """Returns the number of batches, and the metrics of all their rows together."""
        batches = measured_batches(history, self.table, partition=self.partition, since=self.since, until=self.until)
        return len(batches), merged(batch.columns for batch in batches)
