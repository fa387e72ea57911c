"""A table of orders of which some rows are refused, and what a test does with those."""

from __future__ import annotations

from collections.abc import Mapping

from dq_pipelines.pipeline.quarantine.quarantine_status import RefusedRowFilter
from dq_pipelines.pipeline.quarantine.refused_rows import ID
from dq_pipelines.pipeline.replay.replay import replay
from dq_pipelines.pipeline.replay.replayed import Replayed
from dq_pipelines.pipeline.runtime.table_run import TableRun
from dq_pipelines_tests.workshop import Workshop

ORDERS = """
    source: {type: csv, path: "{landing}/orders/*.csv"}
    MORE
    silver:
      KEYS
      columns: {id: int64, amount: int64, day: {type: date, from: Day, format: "%d.%m.%Y"}}
      STEPS
      rules:
        - {type: expect_column_values_to_be_between, column: amount, min_value: LEAST}
        RULES
"""


ONE = "id,amount,Day\n1,10,01.02.2026\n2,-5,02.02.2026\n3,-50,03.02.2026\nx,7,04.02.2026\n5,8,31.02.2026\n"


def orders(shop: Workshop, least: int = 0, keys: str = "", steps: str = "", rules: str = "", more: str = "") -> None:
    text = ORDERS.replace("LEAST", str(least)).replace("KEYS", keys and f"keys: [{keys}]").replace("MORE", more)
    shop.table("orders", text.replace("STEPS", steps).replace("RULES", rules))


def work(shop: Workshop) -> TableRun:
    return TableRun(shop.project.tables["orders"], shop.lake)


def again(shop: Workshop, edits: Mapping[str, Mapping[str, str | None]] | None = None, **chosen: str) -> Replayed:
    return replay(work(shop), RefusedRowFilter(**chosen), by="ann", edits=edits)


def statuses(shop: Workshop) -> list[tuple[int, str]]:
    return sorted((row["_row"], row["_status"]) for row in shop.rows("quarantine/orders"))


def id_of(shop: Workshop, row: int) -> str:
    (found,) = [each[ID] for each in shop.rows("quarantine/orders") if each["_row"] == row]
    return str(found)
