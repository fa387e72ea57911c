"""A run's partition is that of the tables which have partitions; a partitioned table runs one at a time, or refuses in a sentence."""

from __future__ import annotations

from pathlib import Path

import pytest

from dq_pipelines.errors import ConfigError
from dq_pipelines.layers.run_partition import must_name_its_partition, run_partition
from dq_pipelines.project import Table
from dq_pipelines_tests.workshop import Workshop

DAILY = """
source: {type: csv, path: "{landing}/days/*.csv"}
partitions: {type: daily, start: 2024-01-01, in_path: "%Y-%m-%d"}
silver: {columns: {id: int64}}
"""
WHOLE = """
source: {type: csv, path: "{landing}/whole/*.csv"}
silver: {columns: {id: int64}}
"""
GOLD = "gold: {sql: select count(*) as many from silver.whole}\n"
RANGE = {"dagster/asset_partition_range_start": "2024-01-01", "dagster/asset_partition_range_end": "2024-01-03"}
NONE_SAID = (
    "silver/days runs one partition at a time: wanted a partition (--partition KEY), got none; nothing was landed"
)
RANGE_SAID = (
    "silver/days runs one partition at a time: wanted a partition, got the range 2024-01-01 to 2024-01-03: "
    "launch a backfill with a run for each partition"
)


@pytest.fixture
def made(tmp_path: Path) -> Workshop:
    shop = Workshop(tmp_path)
    shop.table("days", DAILY)
    shop.table("whole", WHOLE)
    shop.table("many", GOLD)
    for day in (1, 2, 3):
        shop.land(f"days/2024-01-0{day}.csv", f"id\n{day}\n")
    shop.land("whole/2024-01-01.csv", "id\n7\n")
    return shop


def table(shop: Workshop, name: str) -> Table:
    return shop.project.tables[name]


@pytest.mark.parametrize(
    ("tags", "partition"),
    [
        ({}, None),
        ({"dagster/partition": "2024-01-02"}, "2024-01-02"),
        (RANGE, None),
        (RANGE | {"dagster/asset_partition_range_end": "2024-01-01"}, "2024-01-01"),
    ],
)
def test_a_table_asks_whether_it_has_partitions_itself(
    made: Workshop, tags: dict[str, str], partition: str | None
) -> None:
    assert run_partition(table(made, "days"), tags) == partition
    assert run_partition(table(made, "whole"), tags) is None
    assert run_partition(table(made, "many"), tags) is None
    for name in ("whole", "many"):
        must_name_its_partition(table(made, name), tags)


@pytest.mark.parametrize(("tags", "said"), [({}, NONE_SAID), (RANGE, RANGE_SAID)])
def test_a_partitioned_table_without_one_is_one_sentence(made: Workshop, tags: dict[str, str], said: str) -> None:
    with pytest.raises(ConfigError) as refused:
        must_name_its_partition(table(made, "days"), tags)
    assert str(refused.value) == said


@pytest.mark.slow
@pytest.mark.parametrize(("tags", "said"), [({}, NONE_SAID), (RANGE, RANGE_SAID)])
def test_a_refused_run_lands_nothing(made: Workshop, tags: dict[str, str], said: str) -> None:
    with made.instance:
        job = made.definitions.resolve_job_def("table__days")
        ran = job.execute_in_process(instance=made.instance, tags=tags, raise_on_error=False)
        [failure] = [event for event in ran.all_events if event.is_step_failure]
        assert failure.step_failure_data.user_failure_data is not None
        assert failure.step_failure_data.user_failure_data.description == said
        assert made.versions() == {}
        for day in ("2024-01-02", "2024-01-03", "2024-01-01"):
            assert made.run("days", partition=day).success
    assert made.rows("silver/days", "id", "_partition") == [(day, f"2024-01-0{day}") for day in (1, 2, 3)]


@pytest.mark.slow
@pytest.mark.parametrize("tags", [{}, RANGE])
def test_tables_without_partitions_run_beside_a_partition(made: Workshop, tags: dict[str, str]) -> None:
    with made.instance:
        if not tags:
            assert made.run(partition="2024-01-01").success
            assert made.rows("silver/days", "id") == [1]
        else:
            assert made.run("whole", "many", tags=tags).success
        assert made.run("whole").success, "also after a run with a partition"
    assert made.rows("silver/whole", "id") == [7]
    assert "_partition" not in made.lake.table("silver/whole").scan().collect_schema()
    assert made.rows("gold/many", "many") == [1]
    assert [
        one.partition for one in (made.history.latest("silver/whole"), made.history.latest("gold/many")) if one
    ] == [
        None,
        None,
    ]
