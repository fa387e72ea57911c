"""Rows that are new in a database land once, however they come: late, at the edge, without a value, or after a killed run."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import dagster as dg
import duckdb
import pytest
import sqlalchemy as sa

from dq_pipelines.errors import ConfigError
from dq_pipelines.pipeline.bronze.ingest import land
from dq_pipelines.pipeline.runtime.table_run import TableRun
from dq_pipelines.project import load_project
from dq_pipelines_tests.contracts.postgresql import new_database
from dq_pipelines_tests.pipeline.test_killed import POINTS, killed
from dq_pipelines_tests.workshop import Workshop

pytestmark = pytest.mark.slow

ORDERS = """
    source: {type: TYPE, connection: CONNECTION, table: orders, incremental: {by: BY, lag: LAG, max_rows: 4}}
    silver:
      columns: {id: int64, amount: "decimal(10,2)", at: datetime}
      rules: [{type: expect_column_values_to_be_between, column: amount, min_value: 2, on_failure: quarantine}]
"""

DATABASES: dict[str, Callable[[Path], str]] = {
    "postgres": lambda _: new_database(),
    "duckdb": lambda root: f"duckdb:///{root}/orders.duckdb",
    "sqlite": lambda root: f"sqlite:///{root}/orders.db",
}


class Orders:
    """A table of a database, and the project that reads it."""

    def __init__(self, root: Path, kind: str, by: str = "at", lag: str = "5m") -> None:
        self.kind = kind
        self.url = DATABASES[kind](root)
        self.shop = Workshop(root)
        self.sql('CREATE TABLE orders (id int, amount numeric(10,2), "at" timestamptz)')
        (root / "assets_config").mkdir(exist_ok=True)
        (root / "assets_config/project.yaml").write_text(f'connections: {{shop: {{url: "{self.url}"}}}}\n')
        self.table = ORDERS.replace("TYPE", kind).replace("BY", by).replace("LAG", lag)
        self.shop.table("orders", self.table.replace("CONNECTION", "shop"))

    def sql(self, statement: str) -> None:
        if self.kind == "duckdb":
            with duckdb.connect(self.url.removeprefix("duckdb:///")) as database:
                database.execute(statement)
            return
        with sa.create_engine(self.url, poolclass=sa.NullPool).begin() as connection:
            connection.exec_driver_sql(statement)

    def add(self, *rows: tuple[int, float, str | None]) -> None:
        for number, amount, at in rows:
            moment = "null" if at is None else f"'{self.moment(at)}'"
            self.sql(f"INSERT INTO orders VALUES ({number}, {amount}, {moment})")  # noqa: S608 - our own rows

    def moment(self, text: str) -> str:
        """A moment as the database has it: SQLite has text, which is compared where all of it is of one form."""
        return text if self.kind != "sqlite" else f"{datetime.fromisoformat(text):%Y-%m-%d %H:%M:%S}"

    def run(self) -> list[int]:
        ran = self.shop.run("orders")
        assert ran.success, ran.failures
        return sorted(self.shop.rows("silver/orders", "id"))

    def all(self) -> list[int]:
        """The published rows when nothing more is to be read."""
        seen = [-1]
        while (rows := self.run()) != seen:
            seen = rows
        return seen


#: All points of one kind of database, and the commit of bronze of the others: from there on rows are as those of any source.
KILLS = [*(("postgres", *point) for point in POINTS), ("duckdb", "after", 1), ("sqlite", "after", 1)]


@pytest.fixture(params=DATABASES)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def orders(tmp_path: Path, kind: str) -> Orders:
    return Orders(tmp_path, kind)


def test_batches_follow_one_another_and_end(orders: Orders) -> None:
    orders.add(*((number, number, f"2026-01-01 00:00:{number:02}+00") for number in range(1, 11)))
    assert [orders.run() for _ in range(4)] == [[2, 3, 4], [2, 3, 4, 5, 6, 7, 8], [*range(2, 11)], [*range(2, 11)]]
    assert orders.shop.rows("quarantine/orders", "id") == ["1"]
    sources = {text.partition("#")[2].partition(",")[0] for text in orders.shop.rows("bronze/orders", "_source")}
    assert sources == {f"to 2026-01-01 00:00:{second}" for second in ("04", "08", "10")}


def test_late_and_equal_rows_land_once(orders: Orders) -> None:
    orders.add((1, 5, "2026-01-01 10:00+00"), (2, 5, "2026-01-01 10:05+00"), (3, 5, "2026-01-01 10:05+00"))
    assert orders.all() == [1, 2, 3]
    orders.add((4, 5, "2026-01-01 10:05+00"), (5, 5, "2026-01-01 10:01+00"), (5, 5, "2026-01-01 10:01+00"))
    assert orders.all() == [1, 2, 3, 4, 5, 5], "two equal rows are two rows"
    orders.add((5, 5, "2026-01-01 10:01+00"), (6, 5, "2026-01-01 10:06+00"))
    assert orders.all() == [1, 2, 3, 4, 5, 5, 5, 6]
    orders.add((7, 5, "2026-01-01 09:00+00"))
    assert orders.all() == [1, 2, 3, 4, 5, 5, 5, 6], "later than the lag"


def test_rows_without_a_value_land_once(orders: Orders) -> None:
    orders.add((1, 5, None), (2, 5, None))
    assert orders.all() == [1, 2]
    orders.add((3, 5, None), (5, 5, "2026-01-01"))
    assert orders.all() == [1, 2, 3, 5]


@pytest.mark.parametrize("kind", ["postgres", "duckdb"])
def test_rows_of_no_moment_land_once(tmp_path: Path, kind: str) -> None:
    orders = Orders(tmp_path, kind)
    orders.add((1, 5, None), (2, 5, "infinity"))
    assert orders.all() == [1]
    assert len(orders.shop.rows("quarantine/orders")) == 1
    orders.add((3, 5, None), (4, 5, "infinity"), (5, 5, "2026-01-01"))
    assert orders.all() == [1, 3, 5]
    assert len(orders.shop.rows("quarantine/orders")) == 2


def test_values_before_any_other_land_after_rows_without_one(orders: Orders) -> None:
    orders.add((1, 5, None))
    assert orders.all() == [1]
    orders.add((2, 5, "1950-01-01 10:00+00"), (3, 5, None))
    assert orders.all() == [1, 2, 3]


def test_deleted_rows_at_the_end_bring_nothing_back(orders: Orders) -> None:
    orders.add((1, 5, "2026-01-01 10:00+00"), (2, 5, "2026-01-01 11:00+00"))
    assert orders.all() == [1, 2]
    orders.sql("DELETE FROM orders WHERE id = 2")
    assert orders.all() == [1, 2]
    orders.add((3, 5, "2026-01-01 11:30+00"))
    assert orders.all() == [1, 2, 3]


def test_by_numbers(tmp_path: Path, kind: str) -> None:
    orders = Orders(tmp_path, kind, by="id", lag="2")
    orders.add(*((number, 5, None) for number in (1, 2, 4, 5)))
    assert orders.all() == [1, 2, 4, 5]
    orders.add((3, 5, None), (6, 5, None))
    assert orders.all() == [1, 2, 3, 4, 5, 6]


def test_what_has_landed_alone_is_not_read_again(orders: Orders) -> None:
    orders.add((1, 5, "2026-01-01 10:00+00"))
    work = TableRun(orders.shop.project.tables["orders"], orders.shop.lake)
    assert land(work) is not None
    orders.add((2, 5, "2026-01-01 10:00+00"))
    assert orders.all() == [1, 2]


@pytest.mark.parametrize(("kind", "place", "calls"), KILLS)
def test_a_killed_run_repeats_without_loss_or_doubles(orders: Orders, place: str, calls: int) -> None:
    orders.add((1, 5, "2026-01-01 10:00+00"), (2, 1, "2026-01-01 10:01+00"), (3, 5, None))
    assert orders.all() == [1, 3]
    orders.add((4, 5, "2026-01-01 10:00+00"), (5, 0, "2026-01-01 10:02+00"), (6, 5, None))
    killed(orders.shop, "refine", place, calls)
    orders.add((7, 5, "2026-01-01 10:02+00"))
    assert orders.all() == [1, 3, 4, 6, 7]
    assert sorted(orders.shop.rows("quarantine/orders", "id")) == ["2", "5"]
    assert orders.shop.leftovers() == []


def test_a_sensor_sees_new_rows(tmp_path: Path, kind: str) -> None:
    orders = Orders(tmp_path, kind)
    table = tmp_path / "assets_config/shop/orders.yaml"
    table.write_text(table.read_text() + "on_arrival: true\n")
    orders.add((1, 5, "2026-01-01 10:00+00"))
    assert isinstance(orders.shop.tick("orders_arrivals"), dg.SensorResult)
    assert orders.all() == [1]
    assert isinstance(orders.shop.tick("orders_arrivals"), dg.SkipReason)
    orders.add((2, 5, "2026-01-01 10:00+00"))
    assert isinstance(orders.shop.tick("orders_arrivals"), dg.SensorResult)


def test_an_unknown_connection_is_a_problem_of_its_line(tmp_path: Path) -> None:
    orders = Orders(tmp_path, "sqlite")
    orders.shop.table("orders", orders.table.replace("CONNECTION", "shopp"))
    with pytest.raises(ConfigError, match=r"orders\.yaml:\d+: unknown connection 'shopp' \(nearest: shop\)"):
        load_project(orders.shop.root / "assets_config")
