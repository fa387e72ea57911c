"""Which columns a column is computed from: by `from`, steps and SQL, and never a guess where nothing tells."""

from __future__ import annotations

import pytest

from dq_pipelines.project.column_lineage import column_origins, columns_of
from dq_pipelines_tests.workshop import Workshop

SALES = """
source: {type: csv, path: "{landing}/sales/*.csv"}
silver:
  columns:
    id: int64
    amount: {type: double, from: Amount}
    name: {type: string, from: [First Name, Name]}
  transform:
    - rename: {amount: total}
    - derive: {per_item: "total / quantity", label: "upper(name) || ' of ' || id", fixed: "1 + 1"}
"""
GOLD = """
gold:
  sql: |
    with day as (select shop, total * 2 as twice, id from silver.sales)
    select day.shop, sum(twice) as revenue, count(*) as lines, max(s.city) as city
    from day join silver.shops s on s.shop = day.shop group by day.shop
"""
SALES_COLUMNS = ["id", "total", "name", "per_item", "label", "fixed", "shop"]


@pytest.fixture
def shop(workshop: Workshop) -> Workshop:
    workshop.table("sales", SALES)
    workshop.table("shops", 'source: {type: csv, path: "{landing}/shops/*.csv"}')
    workshop.table("by_shop", GOLD)
    return workshop


@pytest.fixture
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    return Workshop(tmp_path_factory.mktemp("lineage"))


def names(found: dict[str, list[tuple[str, str]]], key: str) -> dict[str, list[str]]:
    assert {one for origins in found.values() for one, _ in origins} <= {key}
    return {name: sorted(column for _, column in origins) for name, origins in found.items()}


def test_silver_by_from_and_by_steps(shop: Workshop) -> None:
    found = column_origins(shop.project.tables["sales"], SALES_COLUMNS, {})
    assert names(found, "bronze/sales") == {
        "id": ["id"],
        "total": ["Amount"],
        "name": ["First Name", "Name"],
        "per_item": ["Amount", "quantity"],
        "label": ["First Name", "Name", "id"],
        "fixed": [],
        "shop": ["shop"],
    }


@pytest.mark.parametrize(
    "step", ["sql: select *, id + 1 as next from self", "python: dq_pipelines_tests.project.test_column_lineage:same"]
)
def test_what_a_query_or_a_function_adds_is_not_known(shop: Workshop, step: str) -> None:
    shop.table("sales", SALES.replace("  transform:", f"  transform:\n    - {step}"))
    found = column_origins(shop.project.tables["sales"], [*SALES_COLUMNS, "next"], {})
    assert names(found, "bronze/sales")["next"] == []
    assert names(found, "bronze/sales")["total"] == ["Amount"]


def same(rows: object) -> object:
    return rows


def test_gold_by_its_sql_through_ctes_and_joins(shop: Workshop) -> None:
    schemas = {"silver/sales": SALES_COLUMNS, "silver/shops": ["shop", "city"]}
    table = shop.project.tables["by_shop"]
    found = column_origins(table, ["shop", "revenue", "lines", "city", "unknown"], schemas)
    assert found == {
        "shop": [("silver/sales", "shop")],
        "revenue": [("silver/sales", "total")],
        "lines": [],
        "city": [("silver/shops", "city")],
        "unknown": [],
    }
    assert column_origins(table, ["shop"], {}) == {"shop": []}, "without the columns of its inputs, nothing is known"


def test_columns_of_an_expression() -> None:
    assert sorted(columns_of("coalesce(a, b) + a")) == ["a", "b"]
    assert columns_of("'a'") == ()
    assert columns_of("((") == ()
