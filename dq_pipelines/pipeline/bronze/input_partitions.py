"""Which partition an input belongs to."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from dq_pipelines.project import DailyPartitions, DynamicPartitions, LandedTable, Table
from dq_pipelines.rules.core import clock


def partition_of(uri: str, partitions: DynamicPartitions | DailyPartitions) -> str | None:
    """The key of the partition that the input at `uri` belongs to, or None when it belongs to none today."""
    if isinstance(partitions, DynamicPartitions):
        # `run_7.csv.gz` and `run_7.csv` are the same run.
        return uri.rstrip("/").rpartition("/")[2].partition(".")[0]
    day = partitions.pattern.day_in(uri)
    return day.isoformat() if day is not None and partitions.start <= day <= _today(partitions) else None


def why_unassigned(uri: str, partitions: DailyPartitions) -> str:
    """Why the input at `uri` belongs to no partition, to stand after its address."""
    day = partitions.pattern.day_in(uri)
    if day is None:
        return f"its path holds no day that is written as {partitions.in_path}"
    if day < partitions.start:
        return f"its day {day} is before partitions.start, {partitions.start}"
    return f"its day {day} has not begun ({partitions.timezone})"


def day_due(table: Table, deadline: datetime) -> date | None:
    """The day whose partition is to be there by a deadline of `freshness`: the one before it; None before the first day."""
    day = deadline.date() - timedelta(days=1)
    partitions = table.model.partitions if isinstance(table.model, LandedTable) else None
    return None if isinstance(partitions, DailyPartitions) and day < partitions.start else day


def _today(partitions: DailyPartitions) -> date:
    return clock.now().astimezone(ZoneInfo(partitions.timezone)).date()
