"""PostgreSQL as a source: each type exactly, what no other engine holds, and errors in one sentence without secrets."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

import polars as pl
import psycopg2
import pytest
import sqlalchemy as sa

from dq_pipelines.errors import SourceError, Transient
from dq_pipelines.sources import Reading, read
from dq_pipelines_tests.contracts.postgresql import new_database

pytestmark = pytest.mark.slow

PASSWORD = "planted-secret"


class Database:
    """An empty database for one test."""

    def __init__(self) -> None:
        self.url = new_database()
        self.engine = sa.create_engine(self.url, poolclass=sa.NullPool)

    def __call__(self, *statements: str) -> None:
        with self.engine.begin() as connection:
            for statement in statements:
                connection.exec_driver_sql(statement)

    def read(self, **said: Any) -> Reading:
        return read({"type": "postgres", "connection": self.url, **said})


@pytest.fixture
def database() -> Database:
    return Database()


TYPES = {
    "numeric(20,4)": ("-12.3456", Decimal("-12.3456")),
    "numeric": ("123456789012345678901234567890.123456789012345", "123456789012345678901234567890.123456789012345"),
    "numeric(60,30)": ("1.5", "1.500000000000000000000000000000"),
    "smallint": ("-32768", -32768),
    "bigint": ("9223372036854775807", 9223372036854775807),
    "real": ("0.1", pytest.approx(0.1, rel=1e-7)),
    "double precision": ("1.5e300", 1.5e300),
    "boolean": ("true", True),
    "date": ("9999-12-31", date(9999, 12, 31)),
    "timestamp": ("2026-03-29 02:30:00.123456", datetime(2026, 3, 29, 2, 30, 0, 123456)),  # noqa: DTZ001 - of no time zone
    "timestamptz": ("2026-03-29 02:30:00+02", datetime(2026, 3, 29, 0, 30, tzinfo=UTC)),
    "time": ("10:11:12.5", time(10, 11, 12, 500000)),
    "timetz": ("10:00+02", "10:00:00+02"),
    "interval": ("1 day 2 hours", "P1DT2H"),
    "text": ("h'é\\x", "h'é\\x"),
    "char(5)": ("ab", "ab"),
    "bytea": ("\\x00ff", b"\x00\xff"),
    "uuid": ("00000000-0000-0000-0000-000000000001", "00000000-0000-0000-0000-000000000001"),
    "jsonb": ('{"a": [1, 2.50]}', '{"a": [1, 2.50]}'),
    "inet": ("10.0.0.1/8", "10.0.0.1/8"),
    "int4range": ("[1,5)", "[1,5)"),
    "int[]": ("{{1,2},{3,null}}", "[[1,2],[3,null]]"),
    "text[]": ('{a,"b,c"}', '["a","b,c"]'),
    "mood": ("happy", "happy"),
    "price": ("1.25", Decimal("1.25")),
    "pair": ("(1,x)", "(1,x)"),
}


def test_each_type_is_read_exactly(database: Database) -> None:
    columns = ", ".join(f'"c {number}" {type_}' for number, type_ in enumerate(TYPES))
    values = ", ".join(f"$q${text}$q$" for text, _ in TYPES.values())
    database(
        "CREATE TYPE mood AS ENUM ('sad', 'happy')",
        "CREATE DOMAIN price AS numeric(8,2)",
        "CREATE TYPE pair AS (a int, b text)",
        f"CREATE TABLE every ({columns})",
        f"INSERT INTO every VALUES ({values})",  # noqa: S608 - our own values
        "INSERT INTO every DEFAULT VALUES",
    )
    first, nothing = database.read(table="every").rows.collect().rows()
    assert dict(zip(TYPES, first, strict=True)) == {type_: value for type_, (_, value) in TYPES.items()}
    assert {*nothing} == {None}


def test_values_that_no_other_engine_has_are_told_with_their_row(database: Database) -> None:
    database(
        "CREATE TABLE far (id int, r int, n numeric(9,2), d date, t timestamp, z timestamptz)",
        "INSERT INTO far VALUES (1, 1, 1, 'today', 'now', 'now'), (2, 2, 'NaN', null, null, null), (3, 3, null, 'infinity', null, null),"
        " (4, 4, null, '-infinity', null, null), (5, 5, null, null, '294276-12-31', null), (6, 6, null, null, null, '-infinity'),"
        " (7, 7, null, '0044-03-15 BC', null, null), (8, 8, null, null, 'infinity', null), (9, 9, null, null, null, '10000-01-01')",
    )
    found = database.read(table="far")
    rows, bad = found.landed.collect(), found.unreadable.collect()
    assert rows["id"].to_list() == [1]
    assert bad["_row"].to_list() == [2, 3, 4, 5, 6, 7, 8, 9]
    assert [text[1] for text in bad["_text"]] == list("23456789")
    assert bad["_text"][1] == "(3,3,,infinity,,)"
    assert bad["_why"][0] == "column 'n' holds a value that a numeric of other engines does not have"
    assert found.landed.select(pl.len()).collect().item() == 1


def test_a_query_and_a_table_of_odd_names(database: Database) -> None:
    database(
        'CREATE SCHEMA "S p"',
        'CREATE TABLE "S p"."T ""q" ("a b" int, _row2 int)',
        'INSERT INTO "S p"."T ""q" VALUES (1, 2)',
    )
    assert database.read(table='"S p"."T ""q"').rows.collect().rows() == [(1, 2)]
    assert database.read(query='SELECT "a b" + 1 AS n FROM "S p"."T ""q";').rows.collect().rows() == [(2,)]


def test_a_table_of_1600_columns(database: Database) -> None:
    names = [f"c{number}" for number in range(1600)]
    database(
        f"CREATE TABLE wide ({', '.join(f'{name} bool' for name in names)})", "INSERT INTO wide (c1599) VALUES (true)"
    )
    assert database.read(table="wide").rows.collect().select("c1599", "c0").rows() == [(True, None)]


def test_a_reading_is_one_state_of_the_database(database: Database) -> None:
    database("CREATE TABLE t AS SELECT i AS n FROM generate_series(1, 1000) i")
    found = database.read(table="t")
    database("DELETE FROM t WHERE n > 500", "UPDATE t SET n = -n")
    for _ in range(2):
        assert found.landed.select(pl.col("n").sum(), pl.len()).collect().row(0) == (500500, 1000)


@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        ({"table": "orderz"}, "wanted a table 'orderz' that this user sees, found none (nearest: orders)"),
        ({"table": "orders; drop table orders"}, "found none"),
        ({"table": "o\x00"}, "found none"),
        ({"query": "SELECT 1; DROP TABLE orders"}, "query: wanted one SELECT, got 2 statements"),
        ({"query": "DELETE FROM orders"}, "query: wanted one SELECT, got DELETE"),
        ({"query": "SELECT nope FROM orders"}, 'column "nope" does not exist'),
        ({"query": "WITH gone AS (DELETE FROM orders RETURNING *) SELECT * FROM gone"}, "wanted to read its columns"),
        ({"table": "orders", "incremental": {"by": "idd"}}, "wanted a column 'idd' to read by, found none (nearest: id)"),
        ({"table": "orders", "incremental": {"by": "name"}}, "wanted whole numbers or times in 'name', got text"),
        ({"table": "orders", "incremental": {"by": "id", "lag": "5m"}}, "wanted a number as the lag of numbers in 'id', got 5m"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_one_sentence(database: Database, said: dict[str, Any], wanted: str) -> None:
    database("CREATE TABLE orders (id int, name text)", "INSERT INTO orders VALUES (1, 'a')")
    with pytest.raises(SourceError) as told:
        database.read(**said).landed.collect()
    assert wanted in str(told.value)
    assert "\n" not in str(told.value)
    assert database.read(table="orders").rows.collect().height == 1, "nothing was changed"


def test_no_rights_and_a_value_that_fails_while_it_is_read(database: Database) -> None:
    database(
        "CREATE TABLE t AS SELECT i AS n FROM generate_series(1, 100000) i",
        f"DROP ROLE IF EXISTS {database.engine.url.database}",
        f"CREATE ROLE {database.engine.url.database} LOGIN PASSWORD '{PASSWORD}'",
    )
    with pytest.raises(SourceError, match="division by zero"):
        database.read(query="SELECT 1 / (n - 99999) AS q FROM t").landed.collect()
    poor = database.engine.url.set(username=database.engine.url.database, password=PASSWORD)
    try:
        with pytest.raises(SourceError, match="permission denied for table t") as told:
            read({"type": "postgres", "connection": poor.render_as_string(hide_password=False), "table": "t"})
        assert PASSWORD not in str(told.value)
    finally:
        database(f"DROP ROLE {database.engine.url.database}")


def test_a_server_that_is_not_there_is_tried_again_and_no_secret_is_told() -> None:
    with pytest.raises(Transient, match=r"postgresql://127\.0\.0\.1:1/shop: wanted to connect, got: ") as told:
        read({"type": "postgres", "connection": f"postgresql://ann:{PASSWORD}@127.0.0.1:1/shop", "table": "t"})
    assert PASSWORD not in str(told.value)
    assert "ann" not in str(told.value)


def test_a_server_that_ends_the_session_in_the_middle_is_a_transient_failure(database: Database) -> None:
    database("CREATE TABLE t AS SELECT i AS n, repeat('x', 200) AS x FROM generate_series(1, 400000) i")
    found = database.read(table="t")
    stream = found.landed.collect_batches(chunk_size=1000, maintain_order=True)
    next(stream)
    with psycopg2.connect(database.url.replace("+psycopg2", "")) as connection, connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    with pytest.raises(Transient, match="wanted to read its rows, got: "):
        found.landed.collect()
