"""Which partition an input belongs to. Dagster's own partition definitions are made in `assets`."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from pathlib import PurePosixPath

from dq_pipelines.project import DailyPartitions, DynamicPartitions

#: What strftime's directives look like in a path.
_SHAPES = {"%Y": r"\d{4}", "%m": r"\d{2}", "%d": r"\d{2}", "%y": r"\d{2}", "%j": r"\d{3}"}


def partition_of(uri: str, partitions: DynamicPartitions | DailyPartitions) -> str | None:
    """The key of the partition that the input at `uri` belongs to, or None when it belongs to none."""
    if isinstance(partitions, DynamicPartitions):
        # `run_7.csv.gz` and `run_7.csv` are the same run.
        return PurePosixPath(uri).name.partition(".")[0]
    day = _day_in(uri, partitions.in_path)
    return day.isoformat() if day is not None and day >= partitions.start else None


def _day_in(uri: str, pattern: str) -> date | None:
    shape = "".join(_SHAPES.get(part, re.escape(part)) for part in re.findall(r"%.|[^%]+", pattern))
    for found in re.findall(shape, uri)[::-1]:
        try:
            return datetime.strptime(found, pattern).replace(tzinfo=UTC).date()
        except ValueError:
            continue
    return None
