"""Schedules and sensors on the pages of pipelines: on or off, and the last tick with its error, by Dagster's own records."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.remote_origin import (
    ManagedGrpcPythonEnvCodeLocationOrigin,
    RemoteInstigatorOrigin,
    RemoteRepositoryOrigin,
)
from dagster._core.scheduler.instigation import (
    InstigatorState,
    InstigatorStatus,
    ScheduleInstigatorData,
    SensorInstigatorData,
    TickData,
    TickStatus,
)
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin
from dagster_shared.error import SerializableErrorInfo

from dq_pipelines.project import Project, load_project
from dq_pipelines.web.dashboard.automations import automations
from dq_pipelines_tests.web.conftest import SALES, SHOPS
from dq_pipelines_tests.workshop import Workshop


@pytest.fixture
def project(tmp_path: Path) -> Project:
    shop = Workshop(tmp_path)
    shop.table("sales", f'schedule: "0 4 * * *"\non_arrival: true{SALES}')
    shop.table("shops", SHOPS)
    return load_project(tmp_path / "assets_config")


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    (tmp_path / "home").mkdir()
    with dg.DagsterInstance.local_temp(str(tmp_path / "home")) as made:
        yield made


def state(name: str, kind: InstigatorType, status: InstigatorStatus) -> InstigatorState:
    code = ManagedGrpcPythonEnvCodeLocationOrigin(
        LoadableTargetOrigin(module_name="dq_pipelines.definitions"), "dq_pipelines"
    )
    data = ScheduleInstigatorData("0 4 * * *") if kind is InstigatorType.SCHEDULE else SensorInstigatorData()
    return InstigatorState(
        RemoteInstigatorOrigin(RemoteRepositoryOrigin(code, "__repository__"), name), kind, status, data
    )


def ticked(
    instance: dg.DagsterInstance,
    of: InstigatorState,
    status: TickStatus,
    ago: float,
    skip_reason: str | None = None,
    error: SerializableErrorInfo | None = None,
) -> None:
    data = TickData(
        of.instigator_origin_id, of.instigator_name, of.instigator_type, status, time.time() - ago,
        run_ids=[], skip_reason=skip_reason, error=error, selector_id=of.selector_id,
    )  # fmt: skip
    instance.create_tick(data)


def test_what_dagster_has_no_record_of_is_on_and_had_no_tick(project: Project, instance: dg.DagsterInstance) -> None:
    found = automations(instance, project)
    assert {name: [(one.name, one.kind, one.is_on, one.last) for one in some] for name, some in found.items()} == {
        "sales": [("sales_schedule", "schedule", True, None), ("sales_arrivals", "sensor", True, None)]
    }


def test_the_state_and_the_last_tick_are_told(project: Project, instance: dg.DagsterInstance) -> None:
    off = state("sales_schedule", InstigatorType.SCHEDULE, InstigatorStatus.STOPPED)
    on = state("sales_arrivals", InstigatorType.SENSOR, InstigatorStatus.DECLARED_IN_CODE)
    for one in (off, on):
        instance.add_instigator_state(one)
    ticked(instance, on, TickStatus.SKIPPED, 90, skip_reason="nothing new")
    ticked(
        instance,
        on,
        TickStatus.FAILURE,
        30,
        error=SerializableErrorInfo("SourceError: the share is gone\nmore\n", [], None),
    )
    ticked(instance, off, TickStatus.SUCCESS, 60)
    schedule, sensor = automations(instance, project)["sales"]
    assert (schedule.is_on, sensor.is_on) == (False, True)
    assert schedule.last is not None
    assert sensor.last is not None
    assert (schedule.last.word, schedule.last.why) == ("started runs", "")
    assert (sensor.last.word, sensor.last.tone, sensor.last.why) == (
        "failed",
        "failing",
        "SourceError: the share is gone",
    )
