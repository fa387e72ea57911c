"""The answer sheet of the detector, checked against the files with other arithmetic than the generator's."""

from __future__ import annotations

import csv
import statistics
from pathlib import Path

import polars as pl
import pytest

from dq_pipelines.errors import ConfigError
from dq_pipelines.samples import generate
from dq_pipelines.samples.functions import with_elapsed


@pytest.mark.parametrize("seed", [7, 8, 9])
@pytest.mark.parametrize("size", [0.01, 0.3])
def test_runs_are_as_the_answer_sheet_says(seed: int, size: float, tmp_path: Path) -> None:
    truth = generate("detector", tmp_path, seed=seed, size=size)
    for run in truth.runs:
        with (tmp_path / "detector" / f"{run.run_id}.csv").open(newline="") as file:
            rows = list(csv.DictReader(file))
        good = [
            row
            for row in rows
            if row["value"] not in ("", "#OVERFLOW") and row["sensor_id"] != "Z9" and ":" in row["timestamp"]
        ]
        values = [float(row["value"]) for row in good]
        mean, stdev = statistics.fmean(values), statistics.stdev(values)
        assert {row["run_id"] for row in rows} == {run.run_id}
        assert run.readings == len(values)
        assert (run.mean, run.stdev) == pytest.approx((mean, stdev))
        assert run.outliers == sum(abs(value - mean) > 3 * stdev for value in values) > 0
    assert sum(run.readings for run in truth.runs) == truth.published("readings")
    assert sorted(run.verdict for run in truth.runs) == ["BAD"] * 2 + ["GOOD"] * 4


def test_elapsed_counts_from_the_first_reading_of_each_run() -> None:
    moments = pl.Series(["2026-10-01T06:00:01.5", "2026-10-01T06:00:00", "2026-10-02T06:00:00"]).str.to_datetime()
    rows = pl.LazyFrame({"run_id": ["a", "a", "b"], "timestamp": moments})
    assert with_elapsed(rows).collect()["elapsed_s"].to_list() == [1.5, 0.0, 0.0]


def test_one_more_run_lands_after_the_last(tmp_path: Path) -> None:
    first = generate("detector", tmp_path, size=0.05)
    before = {path.name: path.read_bytes() for path in (tmp_path / "detector").iterdir()}
    kinds = set()
    for number in range(7, 19):
        truth = generate("detector", tmp_path, size=0.05, following=True)
        [run] = truth.runs
        assert (run.run_id, truth.written) == (f"run_{number:04d}", (f"detector/run_{number:04d}.csv",))
        assert truth.landed == {"readings": len((tmp_path / truth.written[0]).read_text().splitlines()) - 1}
        kinds.add(run.verdict)
    assert kinds == {"GOOD", "BAD"}
    assert {name: (tmp_path / "detector" / name).read_bytes() for name in before} == before
    assert len(first.runs) == 6


def test_other_samples_have_no_next(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="dq sample --next: wanted detector, got 'retail'"):
        generate("retail", tmp_path, following=True)
