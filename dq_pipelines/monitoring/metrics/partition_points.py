"""Computes one point of a metric per partition, merging the batches of a partition: a late file adds to its day."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from dq_pipelines.history.queries.series import METRICS, Point, WeightedPoint, points_by_partition
from dq_pipelines.history.queries.sketches import measured_batches
from dq_pipelines.history.store.metrics import ColumnMetrics
from dq_pipelines.history.store.verdicts import History
from dq_pipelines.monitoring.metrics.state import merged

#: Units of table metrics that are averaged over the batches of a partition, and metrics that take a minimum or maximum;
#: all others are summed.
_MEANS = ("percent", "share")
_OTHERS = {"freshness_seconds": min, "peak_memory_bytes": max}


def points_of_partitions(
    history: History, table: str, metric: str, column: str | None = None, *, limit: int, including: str | None = None
) -> list[Point]:
    """Returns the current metric of each partition, from the last `limit` batches; `at`: when its last batch began.

    The batch `including` counts even if it is blocked. Raises KeyError for an unknown metric.
    """
    by_partition = points_by_partition(history, table, metric, column, limit=limit, including=including)
    points = []
    for partition, parts in by_partition.items():
        value: float | None = parts[0].point.value
        if len(parts) > 1 and column is not None:
            batches = measured_batches(history, table, columns=[column], partition=partition, including=including)
            value = _of_column(metric, merged(batch.columns for batch in batches)[0])
        elif len(parts) > 1:
            value = _of_table(metric, parts)
        if value is not None:
            points.append(replace(parts[-1].point, value=value))
    return points


def _of_table(metric: str, parts: Sequence[WeightedPoint]) -> float:
    values = [part.point.value for part in parts]
    if metric in _OTHERS:
        return _OTHERS[metric](values)
    rows = sum(part.rows for part in parts)
    if METRICS[metric].unit not in _MEANS:
        return sum(values)
    return sum(part.point.value * part.rows for part in parts) / rows if rows else sum(values) / len(values)


def _of_column(metric: str, column: ColumnMetrics) -> float | None:
    """Returns a metric of a column; shares are not stored, and computed as in `series`."""
    if not metric.endswith("_share"):
        value: float | None = getattr(column, metric)
        return value
    of = column.count if metric == "null_share" else column.count - column.null_count
    some = getattr(column, metric.replace("_share", "_count"))
    return None if some is None or not of else some / of
