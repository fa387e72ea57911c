"""Runs whose process is gone: found by their attempts, and told to Dagster as failed, or as cancelled where they were to be."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import pytest

from dq_pipelines.history.store.attempts import Attempt, Attempts
from dq_pipelines.lake.table_lock import claimed
from dq_pipelines.orchestration.runs.dead_runs import dead_runs, end_dead_run, started_runs
from dq_pipelines.orchestration.runs.run_queue import TABLE_TAG
from dq_pipelines.pipeline.runtime.processes import this_process
from dq_pipelines_tests.workshop import Workshop

STATUS = dg.DagsterRunStatus
OF_A_PROCESS = "from dq_pipelines.pipeline.runtime.processes import this_process; print(this_process())"


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Workshop]:
    shop = Workshop(tmp_path)
    with shop.instance:
        yield shop


@pytest.fixture(scope="module")
def gone() -> str:
    """The name of a process that has ended."""
    ran = subprocess.run([sys.executable, "-c", OF_A_PROCESS], capture_output=True, text=True, check=True)
    return ran.stdout.strip()


def begun(shop: Workshop, process: str, status: dg.DagsterRunStatus = STATUS.STARTED) -> str:
    """A run under way, with an attempt of a table that this process works on."""
    run = shop.instance.run_storage.add_run(dg.DagsterRun("__ASSET_JOB", status=status))
    Attempts(shop.history).record(Attempt("silver/t", None, run.run_id, datetime.now(UTC), process=process))
    return run.run_id


def found(shop: Workshop) -> list[str]:
    return [run.run_id for run in dead_runs(shop.instance, shop.stores, started_runs(shop.instance))]


def test_only_a_run_whose_process_is_gone_is_dead(made: Workshop, gone: str) -> None:
    with claimed(made.lake, "t"):
        begun(made, this_process())
        begun(made, gone, STATUS.SUCCESS)
        assert found(made) == []
        dead = begun(made, gone)
        assert found(made) == [dead]


def test_a_run_of_another_machine_is_dead_when_nobody_hears_of_it_and_nobody_works_on_its_table(
    made: Workshop, gone: str
) -> None:
    elsewhere = begun(made, f"elsewhere{gone}")
    with claimed(made.lake, "t"):
        assert found(made) == []
    assert found(made) == [elsewhere]
    run = made.instance.get_run_by_id(elsewhere)
    assert run is not None
    made.instance.report_engine_event("it goes on", run)
    assert found(made) == []


def test_a_run_of_a_table_that_never_began_its_step_is_dead_and_one_of_somebody_elses_assets_is_not(
    made: Workshop,
) -> None:
    begun(made, this_process(), STATUS.SUCCESS)  # so that there is a history
    for tags in ({}, {TABLE_TAG: "t"}):
        made.instance.run_storage.add_run(dg.DagsterRun("__ASSET_JOB", status=STATUS.STARTED, tags=tags))
    [run_id] = found(made)
    run = made.instance.get_run_by_id(run_id)
    assert run is not None
    assert run.tags[TABLE_TAG] == "t"


def test_a_run_that_still_says_something_goes_on(made: Workshop, gone: str) -> None:
    run_id = begun(made, gone)
    run = made.instance.get_run_by_id(run_id)
    assert run is not None
    made.instance.report_engine_event("another step goes on", run)
    assert found(made) == []


@pytest.mark.parametrize(("was", "becomes"), [(STATUS.STARTED, STATUS.FAILURE), (STATUS.CANCELING, STATUS.CANCELED)])
def test_it_ends_once_as_it_was_to(
    made: Workshop, gone: str, was: dg.DagsterRunStatus, becomes: dg.DagsterRunStatus
) -> None:
    run_id = begun(made, gone, was)
    assert end_dead_run(made.instance, run_id)
    run = made.instance.get_run_by_id(run_id)
    assert run is not None
    assert run.status == becomes
    assert not end_dead_run(made.instance, run_id)
