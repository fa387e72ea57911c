"""The three steps of a batch, one by one: a plan changes nothing, judging commits nothing, and a commit records what was judged."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from dq_pipelines.lake.ledger import batches_in, transactions
from dq_pipelines.lake.table_lock import staged
from dq_pipelines.pipeline.runtime.outcome import Outcome
from dq_pipelines.pipeline.runtime.table_run import TableRun
from dq_pipelines.pipeline.silver.batch_plan import BatchPlan, Strategy, plan_batch
from dq_pipelines.pipeline.silver.commit import commit_batch
from dq_pipelines.pipeline.silver.judged_batch import BatchStages, stage_and_judge
from dq_pipelines_tests.workshop import Workshop

ORDERS = """
    source: {type: csv, path: "{landing}/orders/*.csv"}
    silver:
      columns: {id: int64, amount: float64}
      rules:
        - {type: expect_column_values_to_be_between, column: amount, min_value: 0}
        - {type: expect_column_values_to_be_unique, column: id}
"""
ROWS = "id,amount\n1,10\n2,-5\n3,x\n4,40\n4,41\n5,6,7\n"
LAYERS = ("bronze/orders", "silver/orders", "quarantine/orders")


@pytest.fixture
def plan(shop: Workshop) -> BatchPlan:
    shop.table("orders", ORDERS)
    shop.land("orders/a.csv", ROWS)
    plan = plan_batch(TableRun(shop.project.tables["orders"], shop.lake))
    assert plan is not None
    return plan


def published(shop: Workshop) -> list[str]:
    return [key for key in LAYERS if shop.lake.table(key).exists]


def done(plan: BatchPlan) -> Outcome:
    stages = BatchStages.of(plan)
    with staged(*stages):
        return commit_batch(stage_and_judge(plan, stages))


def test_a_plan_writes_nothing_and_is_the_same_each_time(shop: Workshop, plan: BatchPlan) -> None:
    again = plan_batch(plan.run)
    assert again is not None
    assert (again.batch, again.strategy, again.consumed) == (plan.batch, Strategy.ONE_PASS, plan.consumed)
    assert (published(shop), shop.leftovers()) == ([], [])


def test_judging_commits_nothing_and_can_be_repeated(shop: Workshop, plan: BatchPlan) -> None:
    stages = BatchStages.of(plan)
    with staged(*stages):
        first, second = stage_and_judge(plan, stages), stage_and_judge(plan, stages)
        assert first.outcome.counts == second.outcome.counts
        assert (first.outcome.counts.published, first.outcome.counts.refused) == (1, 5)
        assert first.outcome.counts.accounted_for
        assert (first.outcome.blocked_by, first.outcome.publications) == ((), ())
        assert published(shop) == []
    assert shop.leftovers() == []


def test_a_commit_records_what_was_consumed(shop: Workshop, plan: BatchPlan) -> None:
    outcome = done(plan)
    assert [publication.key for publication in outcome.publications] == ["quarantine/orders", "silver/orders"]
    assert published(shop) == list(LAYERS)
    for key in LAYERS[1:]:
        assert batches_in(transactions(shop.lake.table(key))) == [plan.batch]
    assert plan_batch(plan.run) is None


def test_the_strategy_decides_how_rows_are_read_and_not_what_becomes_of_them(
    shop: Workshop, plan: BatchPlan, tmp_path_factory: pytest.TempPathFactory
) -> None:
    one_pass = done(plan)
    other = Workshop(tmp_path_factory.mktemp("other"))
    other.table("orders", ORDERS)
    other.land("orders/a.csv", ROWS)
    planned = plan_batch(TableRun(other.project.tables["orders"], other.lake))
    assert planned is not None
    staged_first = done(replace(planned, strategy=Strategy.STAGED_FIRST))
    assert (staged_first.counts, staged_first.schema) == (one_pass.counts, one_pass.schema)
    assert [result.success for result in staged_first.results] == [result.success for result in one_pass.results]
    for key in LAYERS:
        assert cells(other, key) == cells(shop, key)


def cells(shop: Workshop, key: str) -> list[Any]:
    """The rows of a table without the moments and addresses of their run."""
    rows = shop.rows(key)
    return sorted(
        str({name: v for name, v in row.items() if not name.startswith("_") or name == "_reasons"}) for row in rows
    )
