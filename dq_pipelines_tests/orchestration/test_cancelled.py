"""A run whose backfill was cancelled, before Dagster's daemon has told it: it ends as cancelled and writes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.execution.backfill import BulkActionStatus, PartitionBackfill

from dq_pipelines.orchestration.steps.cancellation import unless_cancelled
from dq_pipelines_tests.workshop import Workshop


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Workshop]:
    workshop = Workshop(tmp_path)
    workshop.table("t", 'source: {type: csv, path: "{landing}/t/*"}\nsilver: {columns: {id: int64}}')
    workshop.land("t/a.csv", "id\n1\n")
    with workshop.instance:
        yield workshop


def backfill(shop: Workshop, status: BulkActionStatus) -> str:
    name = f"b-{status.value.lower()}"
    now = datetime.now(UTC).timestamp()
    made = PartitionBackfill(
        backfill_id=name, status=status, from_failure=False, backfill_timestamp=now, tags={}, asset_selection=[]
    )
    shop.instance.add_backfill(made)
    return name


@pytest.mark.parametrize("status", [BulkActionStatus.CANCELING, BulkActionStatus.CANCELED])
def test_nothing_is_written(shop: Workshop, status: BulkActionStatus) -> None:
    ran = shop.run("t", tags={"dagster/backfill": backfill(shop, status)})
    run = shop.instance.get_run_by_id(ran.run_id)
    assert run is not None
    assert run.status is dg.DagsterRunStatus.CANCELED
    assert shop.versions() == {}
    assert shop.leftovers() == []


def test_what_goes_on_and_what_a_person_did_again_are_written(shop: Workshop) -> None:
    assert shop.run("t", tags={"dagster/backfill": backfill(shop, BulkActionStatus.REQUESTED)}).success
    cancelled = backfill(shop, BulkActionStatus.CANCELED)
    shop.land("t/b.csv", "id\n2\n")
    assert shop.run("t", tags={"dagster/backfill": cancelled, "dagster/parent_run_id": "x"}).success
    assert shop.rows("silver/t", "id") == [1, 2]


def test_a_run_that_nobody_knows_may_go_on(shop: Workshop) -> None:
    unless_cancelled(shop.instance, "no-such-run", "nothing")()
