"""One run of a table at a time: a sensor asks for no second one, a schedule for none beside one that waits, and killed ones are repeated."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml
from dagster._core.remote_origin import GrpcServerCodeLocationOrigin, RemoteJobOrigin, RemoteRepositoryOrigin

from dq_pipelines.orchestration.runs.dagster_settings import DEFAULTS
from dq_pipelines.orchestration.runs.run_queue import SEVERAL, TABLE_TAG, TABLES_TAG, queue_tags, run_under_way
from dq_pipelines.orchestration.sensors.killed_run_retries import INPUTS_TAG, KilledRunRetries
from dq_pipelines_tests.workshop import Workshop

SALES = """
source: {type: csv, path: "{landing}/sales/*.csv"}
on_arrival: true
silver: {columns: {id: int64}}
"""
DAYS = """
source: {type: csv, path: "{landing}/days/*.csv"}
partitions: {type: daily, start: 2024-01-01, in_path: "%Y-%m-%d"}
on_arrival: true
silver: {columns: {id: int64}}
"""
HOURLY = """
source: {type: csv, path: "{landing}/hourly/*.csv"}
schedule: "0 * * * *"
silver: {columns: {id: int64}}
"""
STATUS = dg.DagsterRunStatus
ORIGIN = RemoteJobOrigin(
    RemoteRepositoryOrigin(
        GrpcServerCodeLocationOrigin("localhost", 1, location_name="dq_pipelines"), "__repository__"
    ),
    "__ASSET_JOB",
)


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Workshop]:
    shop = Workshop(tmp_path, dg.DagsterInstance.local_temp(str(tmp_path)))
    shop.table("sales", SALES)
    shop.table("days", DAYS)
    shop.table("hourly", HOURLY)
    shop.land("sales/1.csv", "id\n1\n")
    shop.land("days/2024-01-01.csv", "id\n1\n")
    shop.land("days/2024-01-02.csv", "id\n2\n")
    with shop.instance:
        yield shop


def put(shop: Workshop, status: dg.DagsterRunStatus, *tables: str, **more: Any) -> str:
    """A run of these tables in Dagster's records, as somebody launched it."""
    selection = frozenset(dg.AssetKey(["silver", table]) for table in tables)
    run = dg.DagsterRun(
        "__ASSET_JOB",
        remote_job_origin=ORIGIN,
        status=status,
        asset_selection=more.pop("asset_selection", selection),
        tags=queue_tags(tables) | more,
    )
    return shop.instance.run_storage.add_run(run).run_id


def asked(shop: Workshop, table: str) -> list[dg.RunRequest]:
    said = shop.tick(f"{table}_arrivals")
    return list(said.run_requests or ()) if isinstance(said, dg.SensorResult) else []


@pytest.mark.parametrize(
    "status", [STATUS.QUEUED, STATUS.NOT_STARTED, STATUS.STARTING, STATUS.STARTED, STATUS.CANCELING]
)
@pytest.mark.parametrize("tables", [("sales",), ("sales", "days")])
def test_no_run_is_asked_for_beside_one(made: Workshop, status: dg.DagsterRunStatus, tables: tuple[str, ...]) -> None:
    [request] = asked(made, "sales")
    assert request.tags[TABLE_TAG] == "sales"
    there = put(made, status, *tables)
    said = made.tick("sales_arrivals")
    assert isinstance(said, dg.SkipReason)
    assert said.skip_message == f"silver/sales: 1 new input waits for run {there} to end"


@pytest.mark.parametrize("status", [STATUS.SUCCESS, STATUS.FAILURE, STATUS.CANCELED])
def test_a_run_that_has_ended_holds_up_nothing(made: Workshop, status: dg.DagsterRunStatus) -> None:
    put(made, status, "sales")
    put(made, STATUS.STARTED, "hourly")
    assert len(asked(made, "sales")) == 1


def test_a_run_without_tags_counts_too_once_it_is_started(made: Workshop) -> None:
    run = dg.DagsterRun(
        "__ASSET_JOB", status=STATUS.STARTED, asset_selection=frozenset({dg.AssetKey(["bronze", "sales"])})
    )
    made.instance.run_storage.add_run(run)
    assert asked(made, "sales") == []
    assert len(asked(made, "days")) == 2


def test_each_partition_waits_for_its_own_run(made: Workshop) -> None:
    put(made, STATUS.QUEUED, "days", **{"dagster/partition": "2024-01-01"})
    assert [request.partition_key for request in asked(made, "days")] == ["2024-01-02"]


def test_a_schedule_asks_for_none_beside_one_that_waits_and_for_one_beside_one_that_has_started(made: Workshop) -> None:
    def tick() -> Any:
        moment = datetime(2024, 1, 1, tzinfo=UTC)
        schedule = made.definitions.resolve_schedule_def("hourly_schedule")
        with dg.build_schedule_context(instance=made.instance, scheduled_execution_time=moment) as context:
            return schedule.evaluate_tick(context)

    put(made, STATUS.STARTED, "hourly")
    [request] = tick().run_requests
    assert request.tags[TABLE_TAG] == "hourly"
    waits = put(made, STATUS.QUEUED, "hourly")
    assert tick().run_requests == []
    assert tick().skip_message == f"silver/hourly: run {waits} already waits in the queue"


def test_killed_runs_are_asked_for_again_at_once_and_then_after_pauses(made: Workshop) -> None:
    [first] = asked(made, "sales")
    digest = first.tags[INPUTS_TAG]
    keys, retries = [first.run_key], KilledRunRetries(made.instance, made.stores)
    for _ in range(6):
        put(made, STATUS.FAILURE, "sales", **{INPUTS_TAG: digest})
        keys.append(retries.decide(digest).run_key)
    assert keys[:5] == [digest, *(f"{digest}-{killed}" for killed in range(1, 5))]
    later = datetime.now(UTC) + timedelta(minutes=3)
    assert retries.decide(digest).wait.startswith("6 runs of these inputs were killed, the next one begins in 0:01:5")
    assert retries.decide(digest, later).run_key == f"{digest}-6"


def test_dagsters_own_retry_comes_first(made: Workshop) -> None:
    [first] = asked(made, "sales")
    put(made, STATUS.FAILURE, "sales", **{INPUTS_TAG: first.tags[INPUTS_TAG], "dagster/will_retry": "true"})
    assert asked(made, "sales") == []
    repeat = KilledRunRetries(made.instance, made.stores).decide(
        first.tags[INPUTS_TAG], datetime.now(UTC) + timedelta(minutes=2)
    )
    assert repeat.wait == ""


def test_a_run_that_failed_by_itself_is_not_repeated(made: Workshop) -> None:
    [first] = asked(made, "sales")
    put(made, STATUS.FAILURE, "sales", **{INPUTS_TAG: first.tags[INPUTS_TAG], "dagster/failure_reason": "STEP_FAILURE"})
    [again] = asked(made, "sales")
    assert again.run_key == first.run_key, "Dagster starts no second run by one key"


def test_jobs_carry_the_tags(made: Workshop) -> None:
    repository = made.definitions.get_repository_def()
    assert repository.get_job("table__days").tags[TABLE_TAG] == "days"
    assert repository.get_job("domain__shop").tags[TABLES_TAG] == SEVERAL
    assert repository.get_job("upkeep").tags[TABLES_TAG] == SEVERAL
    assert run_under_way(made.instance, made.project.tables["hourly"]) is None


def test_all_settings_have_the_limits(checkout: Path) -> None:
    texts = [(checkout / name).read_text() for name in ("dagster.yaml", "deploy/dagster.postgres.yaml")]
    for text in (*texts, DEFAULTS):
        settings = yaml.safe_load(text)
        limits = settings["concurrency"]["runs"]["tag_concurrency_limits"]
        assert limits == [
            {"key": TABLE_TAG, "value": {"applyLimitPerUniqueValue": True}, "limit": 1},
            {"key": TABLES_TAG, "limit": 2},
        ]
        assert settings["run_queue"]["max_user_code_failure_retries"] > 0
        assert settings["run_monitoring"]["enabled"]
        assert settings["run_retries"]["enabled"]
