"""Collects the metrics of a batch: time, memory and bytes of its run, and the metrics of its columns."""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

import polars as pl

from dq_pipelines.config.stores import error_text
from dq_pipelines.engine.backends.base import StagingScan
from dq_pipelines.engine.faults import at_fault
from dq_pipelines.engine.interrupt import collect_all
from dq_pipelines.engine.judge import Judgement
from dq_pipelines.history.store.metrics import BatchMetrics, ColumnMetrics
from dq_pipelines.lake.staging import Stage
from dq_pipelines.monitoring.metrics.measurement import Measurement
from dq_pipelines.monitoring.metrics.state import merged
from dq_pipelines.project import LandedTable, Table
from dq_pipelines.rules.library.freshness import TableFresh

#: `ru_maxrss` is in kilobytes on Linux and in bytes on macOS.
_MAXRSS = 1 if sys.platform == "darwin" else 1024


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


@dataclass
class Meter:
    """Measures time and memory of the work on one table; seconds and bytes are those of the whole process."""

    _cpu_before: float = field(default_factory=_cpu)
    _lap: float = field(default_factory=time.monotonic)

    def lap(self) -> float:
        """Seconds since the last call."""
        before, self._lap = self._lap, time.monotonic()
        return self._lap - before

    @property
    def cpu_seconds(self) -> float:
        return _cpu() - self._cpu_before

    @property
    def peak_memory_bytes(self) -> int:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _MAXRSS


class MeteredWork(Protocol):
    """The part of a table run that metrics need."""

    @property
    def now(self) -> datetime: ...

    @property
    def meter(self) -> Meter: ...

    @property
    def log(self) -> Callable[[str], None]: ...


@dataclass
class MetricsCollector:
    """Collects the metrics of one batch that the table's YAML asks for."""

    table: Table
    #: the measured columns, set when the judge calls `frames`
    measurement: Measurement = field(default_factory=lambda: Measurement({}))
    #: columns that cannot be measured over these rows, with the error
    left_out: dict[str, str] = field(default_factory=dict)

    def frames(self, scan: StagingScan) -> Sequence[pl.LazyFrame]:
        """The aggregates that the judge computes in its pass."""
        self.measurement = self._of(scan, self._columns(scan))
        return self.measurement.frames(scan.marked)

    def leave_out_faults(self, scan: StagingScan) -> bool:
        """Leave out the columns that cannot be measured over these rows; returns whether there are any."""

        def attempt(names: Sequence[str]) -> None:
            measurement = self._of(scan, names)
            measurement.metrics(collect_all(measurement.frames(scan.frame)))

        faults = at_fault(self._columns(scan), attempt)
        self.left_out |= {name: error_text(error) for name, error in faults.items()}
        return bool(faults)

    def _columns(self, scan: StagingScan) -> list[str]:
        wanted = self.table.model.metrics
        return [name for name in scan.columns if wanted.covers(name) and name not in self.left_out]

    def _of(self, scan: StagingScan, names: Sequence[str]) -> Measurement:
        schema = scan.frame.collect_schema()
        return Measurement({name: schema[name] for name in names}, sketches=self.table.model.metrics.sketches)

    def batch(
        self, judgement: Judgement, kept: Stage, work: MeteredWork, landing: float | None, landed_at: datetime | None
    ) -> BatchMetrics:
        """The metrics of a judged batch. Its inputs landed in `landing` seconds; the newest is of `landed_at`."""
        columns = self.measurement.metrics(judgement.measured)
        for name, why in self.left_out.items():
            work.log(f"{self.table.key}: wanted to measure column '{name}', got: {why}; the batch has no metrics of it")
        return BatchMetrics(
            bytes=kept.bytes,
            freshness_seconds=self._freshness(columns, work.now, landed_at),
            landing_seconds=landing,
            judging_seconds=work.meter.lap(),
            cpu_seconds=work.meter.cpu_seconds,
            peak_memory_bytes=work.meter.peak_memory_bytes,
            columns=columns,
        )

    def _freshness(self, columns: Sequence[ColumnMetrics], now: datetime, landed_at: datetime | None) -> float | None:
        """Age of the newest row in seconds, by the column of a freshness rule or of `retention`; else of the newest input."""
        newest = {metrics.column: metrics.max for metrics in columns}.get(self._clock or "")
        if newest is not None:
            return now.timestamp() - newest
        return None if landed_at is None else (now - landed_at).total_seconds()

    @property
    def _clock(self) -> str | None:
        model = self.table.model
        kept = model.retention.by if isinstance(model, LandedTable) and model.retention else None
        return next((rule.column for rule in self.table.rules if isinstance(rule, TableFresh)), kept)


def combined_metrics(parts: Sequence[BatchMetrics], kept: Stage, meter: Meter) -> BatchMetrics:
    """The combined metrics of batches that were judged one after the other."""
    ages = [part.freshness_seconds for part in parts if part.freshness_seconds is not None]
    return BatchMetrics(
        bytes=kept.bytes,
        freshness_seconds=min(ages, default=None),
        judging_seconds=sum(part.judging_seconds or 0.0 for part in parts) + meter.lap(),
        cpu_seconds=meter.cpu_seconds,
        peak_memory_bytes=meter.peak_memory_bytes,
        columns=merged(part.columns for part in parts),
    )
