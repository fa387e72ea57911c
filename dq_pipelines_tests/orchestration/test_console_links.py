"""Links from assets and checks to the console: where its address is known, and nowhere else."""

from __future__ import annotations

from collections.abc import Mapping

import dagster as dg
import pytest

from dq_pipelines.assembly import build_definitions
from dq_pipelines.orchestration.console_links import KEY, VARIABLE
from dq_pipelines_tests.workshop import Workshop

TABLE = """
source: {type: csv, path: "{landing}/sales/*.csv"}
silver:
  columns: {id: int64}
  rules: [{type: expect_column_values_to_be_unique, column: id}]
  anomalies: [{metric: row_count}]
"""


def links(shop: Workshop) -> tuple[dict[str, str], dict[str, str]]:
    """The links of assets and of checks, by key."""
    graph = build_definitions(shop.project).resolve_asset_graph()
    assets = {node.key.to_user_string(): _link(node.metadata) for node in graph.asset_nodes}
    specs = [graph.get_check_spec(key) for key in graph.asset_check_keys]
    checks = {f"{spec.asset_key.to_user_string()}:{spec.name}": _link(spec.metadata) for spec in specs}
    return {key: link for key, link in assets.items() if link}, {key: link for key, link in checks.items() if link}


def _link(metadata: Mapping[str, object]) -> str:
    value = metadata.get(KEY)
    return value.url or "" if isinstance(value, dg.UrlMetadataValue) else ""


@pytest.fixture
def sales(shop: Workshop) -> Workshop:
    shop.table("sales", TABLE)
    return shop


def test_each_asset_and_each_check_of_the_table_leads_to_its_page(
    sales: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, "/dashboard/")
    assets, checks = links(sales)
    page = "/dashboard/tables/silver/sales"
    assert assets == {f"{layer}/sales": page for layer in ("bronze", "silver", "quarantine")}
    names = ("id__unique", "anomaly_row_count", "rows_accounted_for", "schema_drift")
    assert checks == {f"silver/sales:{name}": f"{page}/rules/{name}" for name in names}
    sales.land("sales/a.csv", "id\n1\n")
    ran = sales.run("sales")
    assert ran.checks["silver/sales:id__unique"].metadata[KEY].value == f"{page}/rules/id__unique"


def test_no_address_no_links(sales: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    assert links(sales) == ({}, {})
