"""Each check evaluation points at the materialization that it judged, in Dagster's own records, partition by partition."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from dq_pipelines_tests.workshop import Ran, Workshop

pytestmark = pytest.mark.slow

TABLE = """
source: {{type: csv, path: "{{landing}}/*.csv"}}
{more}
silver:
  columns: {{id: int64}}
  rules:
    - {{type: expect_column_values_to_be_between, column: id, min_value: 0, on_failure: quarantine}}
    - {{type: expect_column_max_to_be_between, column: id, max_value: 100}}
"""
DAILY = "partitions: {type: daily, start: 2026-01-01}"


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Workshop]:
    """A shop whose records lie on a disk."""
    with dg.DagsterInstance.local_temp(str(tmp_path), overrides={"telemetry": {"enabled": False}}) as instance:
        yield Workshop(tmp_path, instance)


def materializations(shop: Workshop, run: Ran) -> dict[dg.AssetKey, int]:
    """Storage ids by asset, of those that the run has recorded."""
    found = {}
    for key in shop.definitions.resolve_asset_graph().get_all_asset_keys():
        for record in shop.instance.fetch_materializations(key, limit=100).records:
            if record.event_log_entry.run_id == run.run_id:
                found[key] = record.storage_id
    return found


def evaluations(shop: Workshop, run: Ran) -> dict[str, dg.AssetCheckEvaluation]:
    """By check, what Dagster's own records hold of the run."""
    found = {}
    for check in shop.definitions.resolve_asset_graph().asset_check_keys:
        for record in shop.instance.event_log_storage.get_asset_check_execution_history(check, limit=100):
            if record.run_id == run.run_id and record.evaluation is not None:
                found[check.to_user_string()] = record.evaluation
    return found


def checks(shop: Workshop) -> set[str]:
    return {check.to_user_string() for check in shop.definitions.resolve_asset_graph().asset_check_keys}


def assert_points_at(shop: Workshop, run: Ran, judged: Ran, *, partition: str | None = None) -> None:
    there = materializations(shop, judged)
    found = evaluations(shop, run)
    assert found
    for name, evaluation in found.items():
        target = evaluation.target_materialization_data
        assert target is not None, name
        assert (target.run_id, target.storage_id) == (judged.run_id, there[evaluation.asset_key]), name
        assert evaluation.partition == partition, name


def test_an_evaluation_points_at_the_materialization_of_its_own_run(shop: Workshop) -> None:
    shop.table("x", TABLE.format(more=""))
    for number in range(3):
        shop.land(f"{number}.csv", f"id\n{number}\n-1\n")
        run = shop.run("x")
        assert run.success
        assert evaluations(shop, run).keys() == checks(shop)
        assert_points_at(shop, run, run)
    alone = shop.run(checks=["silver/x:id__max_between"])
    assert alone.success
    assert_points_at(shop, alone, run)


def test_the_evaluations_of_a_blocked_batch_point_at_no_materialization(shop: Workshop) -> None:
    shop.table("x", TABLE.format(more=""))
    shop.land("1.csv", "id\n1\n")
    assert shop.run("x").success
    shop.land("2.csv", "id\n1000\n")
    blocked = shop.run("x")
    assert not blocked.success
    assert dg.AssetKey(["silver", "x"]) not in materializations(shop, blocked)
    found = {name: one for name, one in evaluations(shop, blocked).items() if name.startswith("silver/")}
    assert {name for name, one in found.items() if not one.passed} == {"silver/x:id__max_between"}
    assert found.keys() == {name for name in checks(shop) if name.startswith("silver/")}
    assert not any(one.target_materialization_data for one in found.values())
    assert shop.rows("silver/x", "id") == [1]


def test_each_partition_has_evaluations_of_its_own(shop: Workshop) -> None:
    shop.table("x", TABLE.format(more=DAILY))
    runs = {}
    for day in ("2026-01-01", "2026-01-02"):
        shop.land(f"{day}.csv", "id\n1\n")
        runs[day] = shop.run("x", partition=day)
        assert runs[day].success
    shop.land("2026-01-01.csv", "id\n1\n2\n")
    runs["2026-01-01"] = shop.run("x", partition="2026-01-01")
    for day, run in runs.items():
        assert_points_at(shop, run, run, partition=day)
    key = dg.AssetCheckKey(dg.AssetKey(["silver", "x"]), "id__max_between")
    history = shop.instance.event_log_storage.get_asset_check_execution_history(key, limit=10)
    assert sorted(str(one.partition) for one in history) == ["2026-01-01", "2026-01-01", "2026-01-02"]
    assert all(one.evaluation is not None for one in history)  # none stays planned for ever
