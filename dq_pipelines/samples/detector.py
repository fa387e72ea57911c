"""Generates the detector sample: one CSV per run of a detector; some runs are bad.

In a good run the values are noise around NOMINAL. A *shifted* run has another mean, a *noisy* one far
too many outliers; both are BAD. Every run has a few outliers and some unusable rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from dq_pipelines.samples.expected_faults import ExpectedFaults, ExpectedRun, Fault
from dq_pipelines.samples.fault_injection import FaultKind, inject_faults
from dq_pipelines.samples.landing import csv_lines, put, text

NOMINAL = 20.0
#: A run is BAD when its mean is further than this from NOMINAL …
MEAN_TOLERANCE = 1.0
#: … or more than this share of its readings are outliers.
OUTLIER_SHARE = 0.005

RUNS = 6
SENSORS = ("A1", "A2", "B1", "B2")

SEEDS = (
    FaultKind("dropout", "expect_column_values_to_not_be_null", "value", "quarantined", 17, {"value": pl.lit(None)}),
    FaultKind("not_a_number", "cast", "value", "quarantined", 11, {"value": pl.lit("#OVERFLOW")}),
    FaultKind("unknown_sensor", "expect_column_values_to_be_in_set", "sensor_id", "quarantined", 7,
         {"sensor_id": pl.lit("Z9")}),
    FaultKind("torn_clock", "cast", "timestamp", "quarantined", 5, {"timestamp": pl.col("timestamp").str.head(13)}),
)  # fmt: skip


def generate(landing: Path, *, seed: int = 7, size: float = 1.0) -> ExpectedFaults:
    """Writes `<landing>/detector/<run_id>.csv`, six runs of 10,000 x `size` readings (never under 400)."""
    rng = np.random.default_rng([seed, 3])
    shifted, noisy = rng.permutation(RUNS)[:2]
    rows = max(400, round(10_000 * size))
    runs = [_landed(number, rows, rng, shifted=number == shifted, noisy=number == noisy) for number in range(RUNS)]
    return _written(landing, runs, rows)


def generate_next(landing: Path, *, seed: int = 7, size: float = 1.0) -> ExpectedFaults:
    """Writes the run after the last one that has landed; one of two is good, the others are shifted or noisy."""
    numbers = [int(file.stem[4:]) for file in (landing / "detector").glob("run_*.csv") if file.stem[4:].isdecimal()]
    number = max(numbers, default=0)
    rng = np.random.default_rng([seed, 3, number])
    kind = rng.choice(["good", "good", "shifted", "noisy"])
    rows = max(400, round(10_000 * size))
    return _written(landing, [_landed(number, rows, rng, shifted=kind == "shifted", noisy=kind == "noisy")], rows)


@dataclass(frozen=True)
class _LandedRun:
    """One run with its faults."""

    run_id: str
    content: bytes
    truth: ExpectedRun
    faults: Sequence[Fault]


def _landed(number: int, rows: int, rng: np.random.Generator, *, shifted: bool, noisy: bool) -> _LandedRun:
    run_id = f"run_{number + 1:04d}"
    clean = _run(run_id, number, rows, rng, shifted=shifted, noisy=noisy)
    landed, injected = inject_faults("readings", clean, SEEDS, rng)
    content = text(csv_lines(landed.select("run_id", "sensor_id", "timestamp", "value")))
    truth = _truth(run_id, landed.filter(pl.col("_fault").is_null())["value"].cast(pl.Float64))
    return _LandedRun(run_id, content, truth, injected)


def _written(landing: Path, runs: Sequence[_LandedRun], rows: int) -> ExpectedFaults:
    """The runs as files, and what is expected of them together."""
    faults: dict[str, list[Fault]] = {}
    for fault in (fault for run in runs for fault in run.faults):
        faults.setdefault(fault.kind, []).append(fault)
    return ExpectedFaults(
        "detector",
        {"readings": len(runs) * rows},
        tuple(_total(same) for same in faults.values()),
        tuple(run.truth for run in runs),
        put(landing, {f"detector/{run.run_id}.csv": run.content for run in runs}),
    )


def _run(run_id: str, number: int, rows: int, rng: np.random.Generator, *, shifted: bool, noisy: bool) -> pl.DataFrame:
    mean = NOMINAL + (2.5 if shifted else 0.0)
    # Noise ends at 2.5 sigma and outliers begin at 8, so that every reading is clearly one or the other.
    noise = np.clip(rng.standard_normal(rows), -2.5, 2.5)
    outliers = rng.choice(rows, size=max(1, rows * (200 if noisy else 8 + 3 * number) // 10_000), replace=False)
    noise[outliers] = rng.choice([-1.0, 1.0], size=len(outliers)) * rng.uniform(8, 12, size=len(outliers))
    start = pl.datetime(2026, 10, 1, 6) + pl.duration(days=number)
    return pl.select(step=pl.int_range(rows)).select(
        run_id=pl.lit(run_id),
        sensor_id=pl.lit(pl.Series(SENSORS)).gather(pl.col("step") % len(SENSORS)),
        timestamp=(start + pl.duration(milliseconds=pl.col("step") * 250)).dt.strftime("%Y-%m-%dT%H:%M:%S%.3f"),
        value=pl.lit(pl.Series(mean + noise)).round(4).cast(pl.String),
    )


def _truth(run_id: str, values: pl.Series) -> ExpectedRun:
    mean, stdev = float(np.mean(values.to_numpy())), float(np.std(values.to_numpy(), ddof=1))
    outliers = int(((values - mean).abs() > 3 * stdev).sum())
    bad = abs(mean - NOMINAL) > MEAN_TOLERANCE or outliers > OUTLIER_SHARE * len(values)
    return ExpectedRun(run_id, len(values), mean, stdev, outliers, "BAD" if bad else "GOOD")


def _total(same: list[Fault]) -> Fault:
    first = same[0]
    count = sum(fault.count for fault in same)
    return Fault(first.table, first.kind, first.found_by, first.column, first.fate, count)
