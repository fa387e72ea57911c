"""Old runs go from Dagster's records, on SQLite and PostgreSQL, and nothing that anybody still looks at goes with them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import sqlalchemy as sql
from dagster._core.storage.event_log.schema import AssetCheckExecutionsTable, SqlEventLogStorageTable
from dagster._core.storage.runs.schema import RunTagsTable

from dq_pipelines.orchestration.runs import run_history
from dq_pipelines.orchestration.runs.run_history import purge
from dq_pipelines.project import RunHistory
from dq_pipelines_tests.contracts.postgresql import new_database
from dq_pipelines_tests.workshop import Workshop

#: Long after all runs of a test.
LATER = datetime.now(UTC) + timedelta(days=100)
ALL_OLD = RunHistory(keep="90d", per_job=1000)

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def postgres() -> str:
    return new_database()


@pytest.fixture(params=["sqlite", "postgres"])
def shop(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Workshop]:
    """A workshop with records that last, and captured logs on disk."""
    home = tmp_path / "home"
    home.mkdir()
    settings: dict[str, Any] = {"telemetry": {"enabled": False}}
    if request.param == "postgres":
        settings["storage"] = {"postgres": {"postgres_url": request.getfixturevalue("postgres")}}
    (home / "dagster.yaml").write_text(json.dumps(settings), encoding="utf-8")
    with dg.DagsterInstance.from_config(str(home)) as instance:
        if request.param == "postgres":
            instance.wipe()
            instance.event_log_storage.wipe()
        workshop = Workshop(tmp_path, instance)
        workshop.table("t", 'source: {type: csv, path: "{landing}/t/*"}\nsilver: {keys: [id], columns: {id: int64}}')
        workshop.table(
            "p",
            'source: {type: csv, path: "{landing}/p/*"}\npartitions: {type: dynamic}\nsilver: {columns: {id: int64}}',
        )
        yield workshop


def runs_of_t(shop: Workshop, count: int) -> list[str]:
    found = []
    for number in range(count):
        shop.land(f"t/{number}.csv", f"id\n{number}\n")
        ran = shop.run("t")
        assert ran.success
        found.append(ran.run_id)
    return found


def left(shop: Workshop) -> set[str]:
    return {run.run_id for run in shop.instance.get_runs()}


def rows_of(shop: Workshop, table: Any, run_id: str) -> int:
    runs, events = shop.instance.run_storage, shop.instance.event_log_storage
    connect: Callable[[], Any] = runs.connect if table is RunTagsTable else events.index_connection  # type: ignore[attr-defined]
    with connect() as connection:
        query = sql.select(sql.func.count()).select_from(table).where(table.c.run_id == run_id)
        return int(connection.execute(query).scalar())


def files_of(shop: Workshop, run_id: str) -> list[str]:
    home = shop.root / "home"
    return [str(path) for path in home.rglob(f"*{run_id}*")]


def told(shop: Workshop) -> dict[str, Any]:
    """What Dagster shows of assets, partitions and checks, and what our own history knows."""
    instance, graph = shop.instance, shop.definitions.resolve_asset_graph()
    events = instance.event_log_storage
    keys = list(graph.get_all_asset_keys())
    latest = {str(key): instance.get_latest_materialization_event(key) for key in keys}
    records = {
        str(r.asset_entry.asset_key): r.asset_entry.last_materialization for r in instance.get_asset_records(keys)
    }
    return {
        "materializations": latest,
        "records": records,
        "partitions": {str(key): instance.get_materialized_partitions(key) for key in keys},
        "checks": {
            str(key): (record.run_id, record.status)
            for key, record in events.get_latest_asset_check_execution_by_key(list(graph.asset_check_keys)).items()
        },
        "verdict": shop.history.latest("silver/t"),
    }


def test_old_runs_go_and_what_is_shown_stays(shop: Workshop) -> None:
    ids = runs_of_t(shop, 4)
    for key in ("a", "b"):
        shop.land(f"p/{key}.csv", "id\n1\n")
        shop.instance.add_dynamic_partitions("p_files", [key])
        ids.append(shop.run("p", partition=key).run_id)
    before = told(shop)
    assert all(event is not None for event in before["materializations"].values())
    gone, needed = set(ids[:3]), set(ids[3:])
    dry = purge(shop.instance, ALL_OLD, LATER, dry_run=True)
    assert left(shop) == set(ids)
    done = purge(shop.instance, ALL_OLD, LATER)
    assert left(shop) == needed
    assert done.runs == dry.runs
    assert done.total == 3
    assert sum(done.kept.values()) == 3
    assert told(shop) == before
    for run_id in gone:
        assert [
            rows_of(shop, t, run_id) for t in (SqlEventLogStorageTable, AssetCheckExecutionsTable, RunTagsTable)
        ] == [0] * 3
        assert files_of(shop, run_id) == []
    for run_id in needed:
        assert rows_of(shop, SqlEventLogStorageTable, run_id) > 0
        assert shop.instance.all_logs(run_id)
    sqlite = "Sqlite" in type(shop.instance.event_log_storage).__name__
    assert (done.freed > 100_000) == sqlite
    assert purge(shop.instance, ALL_OLD, LATER).total == 0
    assert shop.run("t").success  # and it goes on


def test_young_runs_stay_but_for_those_beyond_the_number(shop: Workshop) -> None:
    ids = runs_of_t(shop, 4)
    now = datetime.now(UTC)
    assert purge(shop.instance, ALL_OLD, now).total == 0
    assert purge(shop.instance, RunHistory(keep="90d", per_job=3), now).total == 1
    assert left(shop) == set(ids[1:])
    assert purge(shop.instance, RunHistory(keep="1h", per_job=2), now + timedelta(minutes=30)).total == 1
    assert left(shop) == set(ids[2:])


def test_what_is_not_finished_stays_and_what_it_came_from(shop: Workshop) -> None:
    first, second, third = runs_of_t(shop, 3)
    job = shop.definitions.resolve_implicit_global_asset_job_def()
    tags = {"dagster/parent_run_id": first, "dagster/root_run_id": first}
    waiting = shop.instance.create_run_for_job(job, status=dg.DagsterRunStatus.STARTED, tags=tags)
    done = purge(shop.instance, ALL_OLD, LATER)
    assert left(shop) == {first, third, waiting.run_id}
    assert done.kept["part of what is not finished"] == 1
    assert second not in left(shop)


def test_what_is_interrupted_is_finished_by_the_next(shop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    ids = runs_of_t(shop, 4)
    monkeypatch.setattr(run_history, "BATCH", 1)
    said: list[str] = []

    def stop_at_the_second(line: str) -> None:
        said.append(line)
        if len(said) == 2:
            raise dg.DagsterExecutionInterruptedError

    with pytest.raises(dg.DagsterExecutionInterruptedError):
        purge(shop.instance, ALL_OLD, LATER, log=stop_at_the_second)
    assert said == ["removed 1 of 3 runs", "removed 2 of 3 runs"]
    assert left(shop) == set(ids[2:])
    assert purge(shop.instance, ALL_OLD, LATER).total == 1
    assert left(shop) == {ids[3]}


@contextmanager
def settings(shop: Workshop, text: str) -> Iterator[None]:
    path = shop.root / "assets_config/project.yaml"
    path.write_text(text, encoding="utf-8")
    yield
    path.unlink()


def test_the_job_says_what_went(shop: Workshop) -> None:
    ids = runs_of_t(shop, 3)
    assert "purge_runs" in {job.name for job in shop.definitions.resolve_all_job_defs()}  # by default
    with settings(shop, "run_history: false\n"):
        assert "purge_runs" not in {job.name for job in shop.definitions.resolve_all_job_defs()}
    with settings(shop, "run_history: {keep: 90d, per_job: 1, schedule: '0 5 * * *'}\n"):
        assert shop.definitions.resolve_schedule_def("purge_runs_schedule").cron_schedule == "0 5 * * *"
        # As a code location loads them.
        assert {job.name for job in shop.definitions.get_repository_def().get_all_jobs()} >= {"purge_runs"}
        ran = shop.run_job("purge_runs")
    assert ran.success
    [output] = [event for event in ran.result.all_events if event.is_successful_output]
    metadata = output.event_specific_data.metadata  # type: ignore[union-attr]
    assert metadata["runs"].value == 2
    assert isinstance(metadata["removed"], dg.TableMetadataValue)
    assert [record.data for record in metadata["removed"].records] == [{"job": "__ASSET_JOB", "runs": 2}]
    assert left(shop) == {ids[2], ran.run_id}


@pytest.mark.parametrize("of", ["project", "all"])
def test_runs_of_other_projects_stay_unless_all_are_to_go(shop: Workshop, of: str) -> None:
    @dg.op
    def elsewhere() -> None:
        """Another project's."""

    job = dg.GraphDefinition(name="another", node_defs=[elsewhere]).to_job()
    for _ in range(3):
        assert job.execute_in_process(instance=shop.instance).success
    runs_of_t(shop, 3)
    with settings(shop, f"run_history: {{per_job: 1, of: {of}}}\n"):
        [output] = [each for each in shop.run_job("purge_runs").result.all_events if each.is_successful_output]
    metadata = output.event_specific_data.metadata  # type: ignore[union-attr]
    assert metadata["runs"].value == (2 if of == "project" else 4)
    assert ("of another project" in str(metadata["kept"].value)) == (of == "project")
