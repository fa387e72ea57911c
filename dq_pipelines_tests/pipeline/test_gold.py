"""Gold: SQL and Python over published tables, what of it is refused, and what Dagster shows of it."""

from __future__ import annotations

from decimal import Decimal

import dagster as dg
import polars as pl
import pytest

from dq_pipelines_tests.workshop import Workshop

ORDERS = """
    source: {type: csv, path: "{landing}/orders/*.csv"}
    description: What was ordered
    owners: [team:shop, ada@example.org]
    tags: {tier: gold-plated}
    silver:
      columns:
        id: int64
        shop: {type: string, from: Store, description: where}
        amount: {type: "decimal(8,2)"}
"""


def gold(shop: Workshop, sql: str, rules: str = "", name: str = "daily") -> None:
    indented = sql.strip().replace("\n", "\n            ")
    shop.table(name, f"gold:\n  sql: |\n            {indented}\n  rules: [{rules}]\n")


@pytest.fixture
def orders(shop: Workshop) -> Workshop:
    shop.table("orders", ORDERS)
    shop.land("orders/a.csv", "id,Store,amount\n1,north,10.00\n2,south,2.50\n3,north,1.25\n")
    return shop


def test_sql(orders: Workshop) -> None:
    gold(orders, "select shop, sum(amount) as revenue, count(*) as orders\nfrom silver.orders group by shop;")
    ran = orders.run("orders", "daily")
    assert ran.success
    assert orders.rows("gold/daily", "shop", "revenue", "orders") == [
        ("north", Decimal("11.25"), 2), ("south", Decimal("2.50"), 1),
    ]  # fmt: skip
    metadata = ran.materialized["gold/daily"]
    assert metadata["dagster/row_count"] == metadata["published"] == metadata["rows_in"] == 2
    assert metadata["quality_score"] == 100
    assert [column.name for column in metadata["dagster/column_schema"].columns] == ["shop", "revenue", "orders"]
    assert "| north | 11.25 | 2 |" in metadata["preview"]
    # Computed anew, it is replaced.
    orders.land("orders/b.csv", "id,Store,amount\n4,east,1.00\n")
    assert orders.run("orders", "daily").success
    assert orders.rows("gold/daily", "shop") == ["east", "north", "south"]


def test_column_lineage(orders: Workshop) -> None:
    gold(orders, "select o.shop as place, sum(o.amount) * 2 as twice, 1 as one from silver.orders o group by o.shop")
    gold(orders, "select place, twice + 1 as more from gold.daily", name="weekly")
    ran = orders.run("orders", "daily", "weekly")

    def origins(key: str) -> dict[str, set[tuple[str, str]]]:
        deps = ran.materialized[key]["dagster/column_lineage"].deps_by_column
        return {name: {(d.asset_key.to_user_string(), d.column_name) for d in found} for name, found in deps.items()}

    assert origins("gold/daily")["place"] == {("silver/orders", "shop")}
    assert origins("gold/daily")["twice"] == {("silver/orders", "amount")}
    assert origins("gold/daily").get("one", set()) == set()
    assert origins("gold/weekly") == {"place": {("gold/daily", "place")}, "more": {("gold/daily", "twice")}}
    assert origins("silver/orders")["shop"] == {("bronze/orders", "Store")}
    assert origins("silver/orders")["id"] == {("bronze/orders", "id")}


def test_what_the_ui_shows_before_and_after_a_run(orders: Workshop) -> None:
    spec = orders.definitions.resolve_asset_graph().get(dg.AssetKey(["silver", "orders"]))
    assert spec.description == "What was ordered"
    assert set(spec.owners) == {"team:shop", "ada@example.org"}
    assert spec.tags["tier"] == "gold-plated"
    assert spec.group_name == "shop"
    assert spec.kinds == {"polars", "delta"}
    ran = orders.run("orders")
    silver = ran.materialized["silver/orders"]
    assert silver["dagster/row_count"] == 3
    assert silver["dagster/uri"] == orders.lake.table("silver/orders").uri
    assert silver["source_files"] == [str(orders.landing / "orders/a.csv")]
    assert [(c.name, c.description) for c in silver["dagster/column_schema"].columns][1] == ("shop", "where")
    assert silver["duration_seconds"] > 0
    assert ran.materialized["bronze/orders"]["dagster/row_count"] == 3
    assert ran.materialized["quarantine/orders"]["dagster/row_count"] == 0


def test_refused_rows_are_in_quarantine_until_they_are_no_more(orders: Workshop) -> None:
    rule = "{type: expect_column_values_to_be_between, column: revenue, min_value: 5}"
    gold(orders, "select shop, sum(amount) as revenue from silver.orders group by shop", rule)
    ran = orders.run("orders", "daily")
    assert ran.success
    assert orders.rows("gold/daily", "shop") == ["north"]
    assert orders.refused("daily") == [("expect_column_values_to_be_between", "revenue", "2.50")]
    assert orders.rows("quarantine/daily", "shop", "revenue") == [("south", "2.50")]
    assert ran.materialized["gold/daily"]["refused"] == 1
    orders.land("orders/b.csv", "id,Store,amount\n4,south,10.00\n")
    assert orders.run("orders", "daily").success
    assert orders.rows("gold/daily", "shop") == ["north", "south"]
    assert orders.refused("daily") == []


def test_a_blocked_gold_table_stays_as_it_was(orders: Workshop) -> None:
    sql = "select count(*) as n from silver.orders"
    gold(orders, sql)
    assert orders.run("orders", "daily").success
    gold(orders, sql, "{type: expect_column_max_to_be_between, column: n, max_value: 1}")
    versions = orders.versions()
    ran = orders.run("daily")
    assert "gold/daily: nothing was published" in ran.failures["daily"]
    assert orders.versions() == versions
    assert orders.leftovers() == []


def test_its_input_is_not_published_yet(orders: Workshop) -> None:
    gold(orders, "select 1 as one from silver.orders")
    ran = orders.run("daily")
    assert ran.failures["daily"] == "gold/daily reads silver/orders, which is not published yet: materialize it first"


#: SQL that reaches out of the project's tables.
REACHING_OUT = [
    "select * from silver.orders union all select 1, column0, 2 from read_csv('{file}')",
    "select o.id from silver.orders o, '{file}' f",
    "select content from read_text('{file}'), silver.orders",
    "select * from silver.orders, glob('{folder}/*')",
    "select getenv('HOME') as home from silver.orders",
]


@pytest.mark.parametrize("sql", REACHING_OUT)
def test_sql_reads_no_file(orders: Workshop, sql: str) -> None:
    from dq_pipelines.errors import ConfigError

    secret = orders.root / "secret.csv"
    secret.write_text("a secret\n", encoding="utf-8")
    gold(orders, sql.format(file=secret, folder=orders.root))
    try:
        ran = orders.run("orders", "daily")
    except ConfigError as error:  # refused before anything runs: better still
        refused = str(error)
    else:
        refused = f"daily.yaml: {ran.failures['daily']}"
        assert ran.failures["daily"].startswith("gold sql does not run: ")
        assert "\n" not in ran.failures["daily"]
    assert "daily.yaml" in refused
    assert "gold/daily" not in orders.versions()


#: SQL that does more than read.
WRITING = ["copy (select 1) to '{file}'", "create table x as select 1", "select 1 from silver.orders; drop table x"]


@pytest.mark.parametrize("sql", WRITING)
def test_sql_is_one_select(orders: Workshop, sql: str) -> None:
    from dq_pipelines.errors import ConfigError

    target = orders.root / "written.csv"
    gold(orders, sql.format(file=target))
    with pytest.raises(ConfigError, match=r"daily\.yaml"):
        orders.run("orders", "daily")
    assert not target.exists()


def test_sql_that_names_no_column(orders: Workshop) -> None:
    gold(orders, "select amonut from silver.orders")
    ran = orders.run("orders", "daily")
    assert ran.failures["daily"].startswith("gold sql does not run: ")
    assert "amonut" in ran.failures["daily"]
    assert ran.success is False


# --- python ---------------------------------------------------------------------------------------------


def by_store(orders: pl.LazyFrame) -> pl.LazyFrame:
    return orders.group_by("shop").agg(pl.len().alias("orders")).sort("shop")


def eager(orders: pl.LazyFrame) -> pl.DataFrame:
    return by_store(orders).collect()


def broken(orders: pl.LazyFrame) -> pl.LazyFrame:
    return orders.select("no_such_column")


@pytest.mark.parametrize("function", ["by_store", "eager"])
def test_python(orders: Workshop, function: str) -> None:
    orders.table("daily", f"gold: {{python: '{__name__}:{function}', inputs: [silver/orders]}}")
    ran = orders.run("orders", "daily")
    assert ran.success
    assert orders.rows("gold/daily", "shop", "orders") == [("north", 2), ("south", 1)]
    spec = orders.definitions.resolve_asset_graph().get(dg.AssetKey(["gold", "daily"]))
    assert spec.parent_keys == {dg.AssetKey(["silver", "orders"])}


def test_python_that_does_not_run(orders: Workshop) -> None:
    orders.table("daily", f"gold: {{python: '{__name__}:broken', inputs: [silver/orders]}}")
    ran = orders.run("orders", "daily")
    assert "no_such_column" in ran.failures["daily"]
    assert "\n" not in ran.failures["daily"]
    assert "gold/daily" not in orders.versions()


def test_types_that_delta_does_not_have(orders: Workshop) -> None:
    gold(
        orders,
        "select sum(id) as big, uuid() as unique_id, cast('10:00:00' as time) as at,\n"
        "cast(1 as uinteger) as small, interval 1 day as span from silver.orders",
    )
    assert orders.run("orders", "daily").success
    [row] = orders.rows("gold/daily")
    assert (row["big"], row["small"]) == (6, 1)
    assert isinstance(row["unique_id"], str)
    assert row["at"].startswith("10:00:00")
