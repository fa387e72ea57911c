"""Many inputs at once: a run takes the oldest of them, the next runs take the others, and each input costs the same."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import dagster as dg
import pytest

from dq_pipelines.pipeline.runtime.table_run import TableRun
from dq_pipelines.pipeline.silver.refinement import refine
from dq_pipelines.pipeline.silver.rerun import rerun
from dq_pipelines.sources.frames import SCANS_IN_A_PLAN
from dq_pipelines_tests.workshop import Workshop

EVENTS = """
    source: {type: csv, path: "{landing}/*.csv"}
    on_arrival: true
    MOST
    silver: {columns: {id: int64}}
"""


def shop(root: Path, most: str, files: int) -> Workshop:
    made = Workshop(root)
    made.table("events", EVENTS.replace("MOST", most))
    for number in range(files):
        # Newer ones have the lesser names.
        path = made.land(f"{files - number:05}.csv", f"id\n{number}\n")
        os.utime(path, (1_000 + number, 1_000 + number))
    return made


def work(made: Workshop) -> TableRun:
    return TableRun(made.project.tables["events"], made.lake)


@pytest.mark.parametrize(
    ("most", "steps"),
    [("max_files: 3", [3, 6, 7]), ("max_bytes: 11", [2, 4, 6, 7]), ("max_bytes: 1", [*range(1, 8)]), ("", [7])],
)
def test_the_oldest_are_taken_first(tmp_path: Path, most: str, steps: list[int]) -> None:
    made = shop(tmp_path, most, 7)
    seen = []
    while refine(work(made)) is not None:
        seen.append(len(made.rows("silver/events")))
        assert made.rows("silver/events", "id") == list(range(seen[-1]))
    assert seen == steps


def test_the_sensor_asks_again_while_inputs_wait(tmp_path: Path) -> None:
    made = shop(tmp_path, "max_files: 2", 5)
    keys, waiting = [], []
    with made.instance:
        while isinstance(tick := made.tick("events_arrivals"), dg.SensorResult):
            (request,) = tick.run_requests or ()
            keys.append(request.run_key)
            waiting.append(request.tags["dq/inputs_waiting"])
            ran = made.run("events")
            assert ran.success
            assert ran.materialized["bronze/events"]["inputs_waiting"] == int(waiting[-1])
    assert waiting == ["3", "1", "0"]
    assert len(set(keys)) == 3
    assert made.rows("silver/events", "id") == [0, 1, 2, 3, 4]


def test_bad_inputs_do_not_keep_the_others_waiting(tmp_path: Path) -> None:
    made = shop(tmp_path, "max_files: 2", 5)
    for path in sorted(made.landing.iterdir())[2:]:  # the three oldest
        stat = path.stat()
        path.write_bytes(b"")
        os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    refine(work(made))
    assert made.rows("silver/events", "id") == [3, 4] or refine(work(made)) is not None
    assert made.rows("silver/events", "id") == [3, 4]


def test_a_rerun_takes_all_that_waits(tmp_path: Path) -> None:
    made = shop(tmp_path, "max_files: 2", 5)
    refine(work(made))
    rerun(work(made))
    assert made.rows("silver/events", "id") == [0, 1, 2, 3, 4]
    assert refine(work(made)) is None


@pytest.mark.slow
def test_a_snapshot_is_taken_whole(tmp_path: Path) -> None:
    made = shop(tmp_path, "", 1_001)
    made.table("events", EVENTS.replace("MOST", "").replace("silver: {", "silver: {write: overwrite, "))
    refine(work(made))
    assert len(made.rows("silver/events")) == 1_001


def calls(root: Path, files: int) -> int:
    """How many functions a run of so many files calls in its own thread."""
    made, counted = shop(root, "max_files: null", files), [0]

    def count(_frame: object, event: str, _argument: object) -> None:
        counted[0] += event in ("call", "c_call")

    ready = work(made)
    sys.setprofile(count)
    try:
        refine(ready)
    finally:
        sys.setprofile(None)
    assert len(made.rows("silver/events")) == files
    return counted[0]


@pytest.mark.slow
def test_four_times_the_files_are_four_times_the_work(tmp_path: Path) -> None:
    calls(tmp_path / "first", 1)  # imports what a process imports once
    few, many = calls(tmp_path / "few", 70), calls(tmp_path / "many", 280)
    assert many < 4 * few


def test_a_plan_of_many_files_is_no_larger_than_one_of_some(tmp_path: Path) -> None:
    """Polars takes the square of the number of scans in a plan: 12 s for 1,000 of them."""
    plans = []
    for files in (SCANS_IN_A_PLAN + 1, 3 * SCANS_IN_A_PLAN):
        source = shop(tmp_path / str(files), "", files).project.tables["events"].landed.source
        plans.append(len(source.read(source.inputs()).landed.explain().splitlines()))
    assert plans[0] == plans[1]
