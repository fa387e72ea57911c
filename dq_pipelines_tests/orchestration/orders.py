"""A shop with a table of orders, which tells a web hook of what goes wrong."""

from __future__ import annotations

import dagster as dg

from dq_pipelines_tests.orchestration.listening import Hook
from dq_pipelines_tests.workshop import Workshop

ORDERS = """
    source: {{type: csv, path: "{{landing}}/orders/*.csv"}}
    silver:
      columns: {{id: int64, amount: float64}}
      rules:
        - {{type: expect_column_values_to_be_between, column: amount, min_value: 0, max_value: 100, on_failure: {action}}}
        - {{type: expect_column_mean_to_be_between, column: amount, max_value: 50, severity: warning}}
    {more}
"""


def settings(shop: Workshop, web: Hook, more: str = "", to: str = "") -> None:
    url = f"json://bob:geheim-4711@127.0.0.1:{web.port}/hooks/t0ken-9x8y7z"
    write = f"name: demo\ndagster_url: http://dagster.test/\nalerts:\n  to: {{team: '{url}'{to}}}\n  {more}\n"
    path = shop.root / "assets_config/project.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(write, encoding="utf-8")


def table(shop: Workshop, name: str = "orders", action: str = "block", more: str = "") -> None:
    shop.table(name, ORDERS.format(action=action, more=more).replace("/orders/", f"/{name}/"))


def land(shop: Workshop, number: int, *amounts: float, name: str = "orders") -> None:
    rows = "".join(f"{100 * number + at},{amount}\n" for at, amount in enumerate(amounts))
    shop.land(f"{name}/{number}.csv", f"id,amount\n{rows}")


def tick(shop: Workshop) -> str:
    said = shop.tick("alerts")
    assert isinstance(said, dg.SkipReason)
    return said.skip_message or ""
