"""What runs through Dagster measure: the right numbers in history, one point a batch, and nothing of what was erased."""

from __future__ import annotations

import pytest

from dq_pipelines.history.queries.series import series
from dq_pipelines.history.queries.sketches import measured_batches
from dq_pipelines.monitoring.metrics.merged_batches import BatchRange
from dq_pipelines_tests.workshop import Workshop

ORDERS = """
    source: {type: csv, path: "{landing}/orders/*.csv"}
    silver:
      columns: {id: int64, amount: float64, at: datetime, note: string}
      rules:
        - {type: expect_column_values_to_be_between, column: amount, min_value: 0}
        - {type: expect_table_to_be_fresh, column: at, max_age: 1d, severity: warning}
"""
FIRST = "id,amount,at,note\n1,10,2026-01-01 00:00:00,a\n2,20,2026-01-02 00:00:00,\n3,-3,2026-01-03 00:00:00,ccc\n"
SECOND = "id,amount,at,note\n4,40,2026-01-04 00:00:00,d\n5,x,2026-01-05 00:00:00,e\n"


def values(shop: Workshop, metric: str, column: str | None = None, table: str = "silver/orders") -> list[float]:
    return [point.value for point in series(shop.history, table, metric, column)]


@pytest.fixture
def ran(shop: Workshop) -> Workshop:
    shop.table("orders", ORDERS)
    for name, text in (("a", FIRST), ("b", SECOND)):
        shop.land(f"orders/{name}.csv", text)
        shop.run("orders")
    return shop


def test_each_batch_is_measured_before_its_rows_are_refused(ran: Workshop) -> None:
    assert values(ran, "row_count") == [3, 2]
    assert values(ran, "refused_count") == [1, 1]
    assert values(ran, "mean", "amount") == [9.0, 40.0]
    assert values(ran, "min", "amount") == [-3.0, 40.0]
    # a cell that could not be read is no value
    assert values(ran, "null_count", "amount") == [0, 1]
    assert values(ran, "null_share", "note") == pytest.approx([1 / 3, 0])
    assert values(ran, "mean_length", "note") == [2.0, 1.0]
    assert values(ran, "distinct_count", "id") == [3, 2]
    one, other = values(ran, "freshness_seconds")
    assert one - other == pytest.approx(2 * 86_400, abs=60)
    (silver,) = {"bytes"}
    assert all(value > 500 for value in values(ran, silver))
    assert all(value > 1e7 for value in values(ran, "peak_memory_bytes"))
    assert all(0 < value < 60 for value in values(ran, "cpu_seconds"))


def test_nothing_new_is_no_point(ran: Workshop) -> None:
    ran.run("orders")
    assert len(values(ran, "row_count")) == 2


def test_batches_together_are_all_rows(ran: Workshop) -> None:
    batches, columns = BatchRange("silver/orders").metrics(ran.history)
    amount = next(column for column in columns if column.column == "amount")
    assert batches == 2
    assert (amount.count, amount.null_count, amount.min, amount.max) == (5, 1, -3, 40)
    assert amount.mean == pytest.approx(67 / 4)
    assert amount.p50 == 15
    assert amount.distinct_count == 4


def test_blocked_tries_teach_nothing(shop: Workshop) -> None:
    shop.table(
        "orders",
        """
        source: {type: csv, path: "{landing}/orders/*.csv"}
        silver:
          columns: {id: int64}
          rules: [{type: expect_table_row_count_to_be_between, min_value: 12}]
          anomalies: [{metric: row_count, minimum_history: 3, strategy: robust_z}]
        """,
    )
    observed = []
    for rows in (10, 11, 12):
        shop.land("orders/a.csv", "id\n" + "".join(f"{row}\n" for row in range(rows)))
        observed.append(shop.run("orders").number("silver/orders:anomaly_row_count", "value"))
    assert observed == [10, 11, 12], "what is blocked is held against the past all the same"
    assert values(shop, "row_count") == [12]
    batches, (column,) = BatchRange("silver/orders").metrics(shop.history)
    assert (batches, column.count, column.mean) == (1, 12, 5.5)


DAILY = """
    source: {type: csv, path: "{landing}/orders/*.csv"}
    partitions: {type: daily, start: 2026-01-01}
    silver:
      columns: {id: int64}
      anomalies:
        - {metric: row_count, minimum_history: 3, strategy: robust_z}
        - {metric: mean, column: id, minimum_history: 3, strategy: robust_z}
"""


@pytest.mark.slow
def test_a_late_file_adds_to_its_day(shop: Workshop) -> None:
    shop.table("orders", DAILY)

    def day(name: str, ids: range, mode: str | None = None) -> tuple[bool, float, float]:
        shop.land(f"orders/{name}.csv", "id\n" + "".join(f"{one}\n" for one in ids))
        ran = shop.run("orders", partition=name[:10], mode=mode)
        rows, mean = (f"silver/orders:anomaly_{metric}" for metric in ("row_count", "mean_id"))
        return ran.checks[rows].passed, ran.number(rows, "value"), ran.number(mean, "value")

    for number in (1, 2, 3):
        day(f"2026-01-0{number}", range(100 + number))
    assert day("2026-01-04", range(102)) == (True, 102, 50.5)
    assert day("2026-01-04-late", range(102, 105)) == (True, 105, 52)
    # a file of the day was mended: a rerun of the day says what it holds now
    assert day("2026-01-04-late", range(102, 104), "rerun") == (True, 104, 51.5)
    assert shop.run("orders", partition="2026-01-04").number("silver/orders:anomaly_row_count", "value") == 104
    assert day("2026-01-05", range(40))[:2] == (False, 40), "four days are the past, and no day counts as 3 rows"
    batches, (column,) = BatchRange("silver/orders", "2026-01-04").metrics(shop.history)
    assert (batches, column.count, column.max) == (1, 104, 103)
    assert BatchRange("silver/orders").metrics(shop.history)[1][0].count == 101 + 102 + 103 + 104 + 40


def test_a_rerun_is_measured_but_no_point(ran: Workshop) -> None:
    before = measured_batches(ran.history, "silver/orders")
    ran.run("orders", mode="rerun")
    assert values(ran, "row_count") == [3, 2]
    assert measured_batches(ran.history, "silver/orders") == before
    latest = ran.history.latest("silver/orders")
    assert latest is not None
    assert latest.batch.endswith("-rerun")


def test_a_table_says_what_is_measured(shop: Workshop) -> None:
    shop.table("orders", ORDERS + "    metrics: {columns: [amount], sketches: false}\n")
    shop.land("orders/a.csv", FIRST)
    shop.run("orders")
    (batch,) = measured_batches(shop.history, "silver/orders")
    assert [column.column for column in batch.columns] == ["amount"]
    assert (batch.columns[0].mean, batch.columns[0].distinct_count) == (9.0, None)


def test_gold_is_measured(ran: Workshop) -> None:
    ran.table("totals", 'gold: {sql: "SELECT sum(amount) AS total FROM silver.orders"}\n')
    ran.run("totals")
    assert values(ran, "mean", "total", "gold/totals") == [70.0]
    assert values(ran, "row_count", None, "gold/totals") == [1]


def test_a_killed_runs_metrics_are_in_its_commit(shop: Workshop) -> None:
    from dq_pipelines.pipeline.runtime.table_run import TableRun
    from dq_pipelines.pipeline.silver import refinement

    shop.table("orders", ORDERS)
    shop.land("orders/a.csv", FIRST)
    refinement.refine(TableRun(shop.project.tables["orders"], shop.lake, run_id="killed"))
    shop.run("orders")
    assert values(shop, "mean", "amount") == [9.0]
    assert BatchRange("silver/orders").metrics(shop.history)[1][1].p50 is None
