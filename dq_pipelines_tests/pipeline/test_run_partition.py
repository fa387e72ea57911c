"""A run's partitions are those of the tables which have partitions; one that names none, or none of the table's, is refused in a sentence."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from dq_pipelines.errors import ConfigError
from dq_pipelines.history.queries.table_status import latest_status
from dq_pipelines.orchestration.runs.run_partition import partitions_named, partitions_of_run
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


def over(start: str, end: str) -> dict[str, str]:
    return {"dagster/asset_partition_range_start": start, "dagster/asset_partition_range_end": end}


RANGE = over("2024-01-01", "2024-01-03")
DAYS = ["2024-01-01", "2024-01-02", "2024-01-03"]
#: Tags that no run of the table may have, and what is said of them.
REFUSED = [
    (
        {"dagster/partition": "2023-12-31"},
        "got 2023-12-31, and it has no partition '2023-12-31' (wanted 2024-01-01...{today})",
    ),
    ({}, "wanted a partition (--partition KEY) or a range (--partition-range A...B), got none"),
    (over("2024-01-03", "2024-01-01"), "got 2024-01-03...2024-01-01, which ends before it begins"),
    (
        over("2023-12-31", "2024-01-01"),
        "got 2023-12-31...2024-01-01, and it has no partition '2023-12-31' (wanted 2024-01-01...{today})",
    ),
]


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
    ("tags", "partitions"),
    [
        ({"dagster/partition": "2024-01-02"}, ["2024-01-02"]),
        (RANGE, DAYS),
        (over("2024-01-01", "2024-01-01"), ["2024-01-01"]),
    ],
)
def test_a_table_asks_whether_it_has_partitions_itself(
    made: Workshop, tags: dict[str, str], partitions: list[str]
) -> None:
    with made.instance:
        assert partitions_of_run(table(made, "days"), tags, made.instance) == partitions
        for name in ("whole", "many"):
            assert partitions_of_run(table(made, name), tags, made.instance) == [None]


def test_files_are_in_the_order_in_which_they_came(made: Workshop) -> None:
    made.table("files", DAILY.replace('daily, start: 2024-01-01, in_path: "%Y-%m-%d"', "dynamic"))
    files = table(made, "files")
    with made.instance:
        made.instance.add_dynamic_partitions("files_files", ["run_9", "run_1", "run_5"])
        assert partitions_of_run(files, over("run_9", "run_1"), made.instance) == ["run_9", "run_1"]
        assert partitions_named(files, over("run_1", "run_9"), made.instance) == []
        with pytest.raises(ConfigError, match=r"it has no partition 'run_2' \(nearest: run_\d\); nothing was landed"):
            partitions_of_run(files, over("run_1", "run_2"), made.instance)


@pytest.mark.slow
@pytest.mark.parametrize(("tags", "said"), REFUSED)
def test_a_refused_run_lands_nothing_and_is_no_attempt(made: Workshop, tags: dict[str, str], said: str) -> None:
    with made.instance:
        job = made.definitions.resolve_job_def("table__days")
        ran = job.execute_in_process(instance=made.instance, tags=tags, raise_on_error=False)
        [failure] = [event for event in ran.all_events if event.is_step_failure]
        assert failure.step_failure_data.user_failure_data is not None
        wanted = f"silver/days runs by partition: {said.format(today=datetime.now(UTC).date())}; nothing was landed"
        assert failure.step_failure_data.user_failure_data.description == wanted
        assert made.versions() == {}
        assert latest_status(made.history, "silver/days") is None, (
            "it is about no partition, so that none would ever mend it"
        )
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
