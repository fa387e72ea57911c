"""A run that was killed before it told history: the next run of the table tells for it."""

from __future__ import annotations

from dataclasses import replace

from dq_pipelines.history.store.records import VerdictRecord
from dq_pipelines.pipeline.runtime import table_run
from dq_pipelines.pipeline.silver import refinement
from dq_pipelines.project.checked_rules import checked_rules
from dq_pipelines_tests.workshop import Workshop

ORDERS = """
    source: {type: csv, path: "{landing}/orders/*.csv"}
    silver:
      columns: {id: int64}
      rules: [{type: expect_column_values_to_be_between, column: id, min_value: 0}]
"""


def test_a_verdict_that_was_never_recorded_is_found_in_the_commit(shop: Workshop) -> None:
    shop.table("orders", ORDERS)
    shop.land("orders/a.csv", "id\n1\n-2\nx\n")
    # As far as a run comes that is killed between its last commit and the history.
    done = refinement.refine(replace(table_run.TableRun(shop.project.tables["orders"], shop.lake), run_id="killed"))
    assert done is not None
    assert shop.history.latest("silver/orders") is None
    ran = shop.run("orders")
    assert ran.success
    found = shop.history.latest("silver/orders")
    assert found is not None
    assert (found.run_id, found.rows_in, found.published, found.refused) == ("killed", 3, 1, 2)
    said = done.record("killed", checked_rules(shop.project.tables["orders"])).results
    assert sorted(found.results, key=repr) == sorted(said, key=repr)
    check = "silver/orders:id__between"
    assert ran.number(check, "unexpected_count") == 1, "the checks say what the killed run would have said"
    shop.run("orders")
    assert len(shop.history.of_table("silver/orders")) == 1


def test_a_verdict_survives_the_way_through_a_commit(shop: Workshop) -> None:
    shop.table("orders", ORDERS)
    shop.land("orders/a.csv", "id\n1\n-2\nx\n")
    shop.run("orders")
    (recorded,) = shop.history.of_table("silver/orders")
    assert VerdictRecord.from_json(recorded.as_json()) == recorded
