"""A backfill that is cancelled starts nothing more, and what runs of it publishes nothing; later it can be done again."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import polars as pl
import pytest

from dq_pipelines_tests.orchestration.served import Served, serving
from dq_pipelines_tests.workshop import Workshop

DAYS = ("mon", "tue", "wed", "thu")
#: What is asked for: a run of the first two, and one of the last.
WANTED, RANGES = ("mon", "tue", "thu"), ("mon", "thu")
#: A look-behind is judged by Python itself, text by text: long enough to be cancelled in the midst of it.
SLOW = """
    source: {type: csv, path: "{landing}/*.csv"}
    partitions: {type: dynamic}
    silver:
      rules:
        - {type: expect_column_values_to_match_regex, column: text, regex: "(?<=t)(e|x|t|-|[0-9])*(?!z)-[0-9]+$"}
"""
#: One run at a time, so that some of the backfill's runs have begun and others wait.
SETTINGS = """
concurrency: {runs: {max_concurrent_runs: 1}}
run_monitoring: {enabled: true, poll_interval_seconds: 5}
"""

pytestmark = pytest.mark.torture


@pytest.fixture
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workshop]:
    workshop = Workshop(tmp_path_factory.mktemp("backfill"))
    workshop.table("slow", SLOW)
    workshop.landing.mkdir()
    rows = pl.select(text=pl.format("text-{}", pl.int_range(800_000)))
    for day in DAYS:
        rows.write_csv(workshop.landing / f"{day}.csv")
    with workshop.instance:
        yield workshop


def runs(served: Served, backfill: str) -> dict[str, str]:
    """The status of each run of the backfill, by the first of its partitions."""
    said = served.ask(
        """query($filter: RunsFilter!) { runsOrError(filter: $filter) { ... on Runs { results {
             status tags { key value } } } } }""",
        filter={"tags": [{"key": "dagster/backfill", "value": backfill}]},
    )
    found = {}
    for run in said["runsOrError"]["results"]:
        tags = {tag["key"]: tag["value"] for tag in run["tags"]}
        found[tags["dagster/asset_partition_range_start"]] = str(run["status"])
    return found


def status(served: Served, backfill: str) -> str:
    said = served.ask(
        "query($id: String!) { partitionBackfillOrError(backfillId: $id) { ... on PartitionBackfill { status } } }",
        id=backfill,
    )
    return str(said["partitionBackfillOrError"]["status"])


def launch(served: Served) -> str:
    parameters: dict[str, Any] = {
        "assetSelection": [{"path": [layer, "slow"]} for layer in ("bronze", "silver", "quarantine")],
        "partitionNames": list(WANTED),
    }
    said = served.ask(
        """mutation($p: LaunchBackfillParams!) { launchPartitionBackfill(backfillParams: $p) {
             __typename ... on LaunchBackfillSuccess { backfillId } ... on PythonError { message } } }""",
        p=parameters,
    )["launchPartitionBackfill"]
    assert said["__typename"] == "LaunchBackfillSuccess", said
    return str(said["backfillId"])


def cancel(served: Served, backfill: str) -> None:
    said = served.ask(
        """mutation($id: String!) { cancelPartitionBackfill(backfillId: $id) {
             __typename ... on PythonError { message } } }""",
        id=backfill,
    )["cancelPartitionBackfill"]
    assert said["__typename"] == "CancelBackfillSuccess", said


def add_partitions(served: Served) -> None:
    selector = {"repositoryName": "__repository__", "repositoryLocationName": "dq_pipelines.definitions"}
    for day in DAYS:
        said = served.ask(
            """mutation($s: RepositorySelector!, $key: String!) { addDynamicPartition(
                 repositorySelector: $s, partitionsDefName: "slow_files", partitionKey: $key) { __typename } }""",
            s=selector,
            key=day,
        )["addDynamicPartition"]
        assert said["__typename"] == "AddDynamicPartitionSuccess", said


def wait_until(done: Any, seconds: float, what: str) -> None:
    until = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < until, f"{what}: not within {seconds} s"
        time.sleep(0.2)


def test_a_cancelled_backfill_publishes_nothing_more(shop: Workshop) -> None:
    with serving(shop, SETTINGS, daemon=True) as served:
        add_partitions(served)
        backfill = launch(served)
        wait_until(lambda: "STARTED" in runs(served, backfill).values(), 120, "a run of the backfill begins")
        wait_until(lambda: len(runs(served, backfill)) == len(RANGES), 60, "all runs of the backfill are there")
        time.sleep(2)  # in the midst of the first
        begun = [day for day, state in runs(served, backfill).items() if state != "QUEUED"]
        assert len(begun) == 1
        before = shop.versions()
        cancel(served, backfill)
        wait_until(lambda: status(served, backfill) == "CANCELED", 60, "the backfill is cancelled")
        assert Counter(runs(served, backfill).values()) == {"CANCELED": len(RANGES)}
        time.sleep(5)  # were there a run still at work, it would publish now
        assert Counter(runs(served, backfill).values()) == {"CANCELED": len(RANGES)}
        assert shop.versions() == before == {}
    # What was cancelled is as new as it was.
    for name in DAYS:
        shop.land(f"{name}.csv", "text\ntext-1\n")
        shop.instance.add_dynamic_partitions("slow_files", [name])
    assert shop.run("slow", partition="mon").success
    assert shop.rows("silver/slow", "text", "_partition") == [("text-1", "mon")]
    assert shop.leftovers() == []
