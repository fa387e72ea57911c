"""One point for each partition, whatever number of batches it came in: a late file adds to its day."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from dq_pipelines.history.queries.series import METRICS, Point, WeightedPoint, points_by_partition
from dq_pipelines.history.queries.sketches import measured_batches
from dq_pipelines.history.store.metrics import ColumnMetrics
from dq_pipelines.history.store.verdicts import History
from dq_pipelines.monitoring.metrics.state import merged

#: Metrics of tables of which the batches' mean, or the least or the greatest, is that of the partition; others add up.
_MEANS = ("percent", "share")
_OTHERS = {"freshness_seconds": min, "peak_memory_bytes": max}


def points_of_partitions(
    history: History, table: str, metric: str, column: str | None = None, *, limit: int, including: str | None = None
) -> list[Point]:
    """The metric of each partition as it stands, out of the last `limit` batches; `at` is when its last batch began.

    The batch to be `including` counts also where it is blocked. Raises KeyError for an unknown metric.
    """
    found = points_by_partition(history, table, metric, column, limit=limit, including=including)
    points = []
    for partition, parts in found.items():
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
    """A metric of a column; the shares, which are not kept, are reckoned as `series` does."""
    if not metric.endswith("_share"):
        value: float | None = getattr(column, metric)
        return value
    of = column.count if metric == "null_share" else column.count - column.null_count
    some = getattr(column, metric.replace("_share", "_count"))
    return None if some is None or not of else some / of
