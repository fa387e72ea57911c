"""PostgreSQL as an engine: real tables of every type, where they lie; what a database must never notice."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import adbc_driver_postgresql.dbapi
import polars as pl
import pytest

import dq_pipelines as dq
from dq_pipelines.engine.backends.postgresql.backend import PostgreSQL
from dq_pipelines.engine.judge import judge
from dq_pipelines.errors import ConfigError, SourceError
from dq_pipelines.rules import rule_from
from dq_pipelines_tests.contracts.postgresql import server

pytestmark = pytest.mark.slow

EVERY_TYPE = """
CREATE SCHEMA "Real tables";
SET search_path = "Real tables";
CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
CREATE DOMAIN amount AS numeric(8,2);
CREATE TABLE "every" (
    "i2" smallint, "i4" int, "i8" bigint, "dec" numeric(10,2), "free" numeric, "domain" amount, "f4" real, "f8" float8,
    "txt" text, "var" varchar(9), "chr" char(4), "bit" boolean, "day" date, "hour" time, "ts" timestamp,
    "tz" timestamptz, "uuid" uuid, "json" json, "jsonb" jsonb, "ints" int[], "raw" bytea, "span" interval, "mood" mood,
    "net" inet, "odd ""name""; --" text
);
INSERT INTO "every" VALUES
    (1, 1, 1, 1.50, 1.125, 1.5, 0.1, 0.1, 'ä', 'a', 'ab', true, '2024-01-01', '10:00', '2024-01-01 10:00',
     '2024-01-01 10:00+02', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '{"a": 1}', '{"a": 1}', '{1,2}', '\\x01', '1 day',
     'sad', '10.0.0.1', 'x'),
    (2, 2, 9007199254740993, -1, 'NaN', 2, 'NaN', 'NaN', 'Z', '', 'b', false, '2024-02-29', '23:59:59.5',
     '2024-06-01', '2024-06-01 00:00+00', 'b0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '[]', '[]', '{}', '', '2 hours',
     'happy', '::1', 'y'),
    (2, 2, 9007199254740992, -1, 3, 2, 'Infinity', '-Infinity', 'a', '', 'b', false, '2024-02-29', '23:59:59.5',
     '2024-06-01', '2024-06-01 00:00+00', 'b0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '[]', '[]', '{}', '', '2 hours',
     'happy', '::1', 'y'),
    (null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null,
     null, null, null, null, null, null);
CREATE VIEW slow AS SELECT "i4", pg_sleep(20) IS NULL AS slept FROM "every";
CREATE TABLE bounds (day date, ts timestamp, n numeric);
INSERT INTO bounds VALUES ('infinity', '-infinity', 'Infinity');
"""


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """A database of its own on the server that all tests share."""
    name = f"real_{time.time_ns()}"
    with adbc_driver_postgresql.dbapi.connect(server(), autocommit=True) as connection, connection.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {name} TEMPLATE template0 LOCALE 'C' ENCODING 'UTF8'")
    there = server().replace("/postgres?", f"/{name}?")
    with adbc_driver_postgresql.dbapi.connect(there, autocommit=True) as connection, connection.cursor() as cursor:
        for statement in EVERY_TYPE.split(";\n"):
            if statement.strip():
                cursor.execute(statement)
    yield there
    with adbc_driver_postgresql.dbapi.connect(server(), autocommit=True) as connection, connection.cursor() as cursor:
        cursor.execute(f"DROP DATABASE {name} WITH (FORCE)")


TABLE = '"Real tables"."every"'
BOUNDS: dict[str, tuple[Any, Any]] = {
    "i2": (1, 1), "i4": (0, 1.5), "i8": (0, 9007199254740992), "dec": (0, 2), "free": (1.125, 2), "domain": (0, 1.5),
    "f4": (0.1, 1), "f8": (0.1, 1), "txt": ("A", "b"), "var": ("a", "b"), "chr": ("ab", "ab"), "bit": (1, 1),
    "day": ("2024-01-02", None), "hour": ("10:00", "11:00"), "ts": ("2024-02-01", None),
    "tz": ("2024-01-01T08:00:00+00:00", "2024-01-01T08:00:00+00:00"), "mood": ("a", "p"), "uuid": ("a", "b"),
}  # fmt: skip


def rules() -> list[dict[str, Any]]:
    names = [*BOUNDS, "json", "jsonb", "span", "net", "ints", "raw", 'odd "name"; --']
    found: list[dict[str, Any]] = []
    for name in names:
        found += [
            {"type": "expect_column_values_to_not_be_null", "column": name, "on_failure": "warn"},
            {"type": "expect_column_values_to_be_unique", "column": name, "on_failure": "warn"},
            {
                "type": "expect_column_values_to_be_in_set",
                "column": name,
                "value_set": ["a", 1, 2, "sad", "2024-01-01"],
            },
            {"type": "expect_column_value_lengths_to_equal", "column": name, "value": 1},
            {"type": "expect_column_values_to_match_regex", "column": name, "regex": r"^\w+$"},
            {"type": "expect_column_unique_value_count_to_be_between", "column": name, "max_value": 1},
            {"type": "expect_column_min_to_be_between", "column": name},
            {"type": "expect_column_max_to_be_between", "column": name},
            {"type": "expect_column_sum_to_be_between", "column": name},
            {"type": "expect_column_mean_to_be_between", "column": name},
            {"type": "expect_column_most_common_value_to_be_in_set", "column": name, "value_set": ["a"]},
            {"type": "expect_column_values_to_be_of_type", "column": name, "type_": "str"},
        ]
    for name, (low, high) in BOUNDS.items():
        more = {"min_value": low, "max_value": high}
        found.append({"type": "expect_column_values_to_be_between", "column": name, **more})
    return found


def test_every_type_is_judged_as_polars_judges_the_rows_read_out(address: str) -> None:
    there = dq.validate(TABLE, rules(), engine=address)
    engine = PostgreSQL(address)
    rows = engine.rows(engine.open(TABLE)).collect()
    here = dq.validate(rows, rules())
    for one, other in zip(there.results, here.results, strict=True):
        told = {key: getattr(one, key) for key in ("success", "element_count", "missing_count", "unexpected_count")}
        known = {key: getattr(other, key) for key in told}
        assert told == known, one
        assert one.error == other.error
        assert (
            one.observed_value == pytest.approx(other.observed_value, nan_ok=True)
            if isinstance(other.observed_value, float)
            else one.observed_value == other.observed_value
        ), one
        assert one.engine == "postgresql" or one.note, one


def test_values_come_out_whole(address: str) -> None:
    engine = PostgreSQL(address)
    rows = engine.rows(engine.open(TABLE)).collect()
    assert rows.height == 4
    assert rows["free"].to_list()[0] == pl.Series(["1.125"]).cast(pl.Decimal(38, 3))[0]
    assert rows["i8"].to_list()[1] == 9007199254740993
    assert rows["chr"].to_list()[:2] == ["ab", "b"]
    assert rows["ints"].to_list()[0] == [1, 2]
    assert rows["tz"].dtype == pl.Datetime("us", "UTC")
    assert rows["uuid"][0] == "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"


@pytest.mark.parametrize(("column", "sentence"), [("day", "infinity"), ("ts", "infinity"), ("n", "cannot hold")])
def test_a_value_that_nobody_else_has_is_said_when_it_is_read_out(address: str, column: str, sentence: str) -> None:
    engine = PostgreSQL(address)
    frame = engine.open('"Real tables".bounds').select(column)
    with pytest.raises(SourceError, match=sentence):
        list(engine.batches(frame))
    rule = {"type": "expect_column_values_to_not_be_null", "column": column}
    assert dq.validate('"Real tables".bounds', [rule], engine=address).success


@pytest.mark.parametrize("name", ["every", "no.such.table", "a; DROP TABLE x", '"', "Real tables.every", ""])
def test_a_table_that_is_not_there_is_said_and_no_sql_is_run(address: str, name: str) -> None:
    with pytest.raises(SourceError):
        dq.validate(name, [], engine=address)


def test_the_numbers_of_all_rules_are_one_statement(address: str) -> None:
    asked: list[str] = []

    class Watched(PostgreSQL):
        def _asked(self, query: str, *parameters: Any) -> Any:
            asked.append(query)
            return super()._asked(query, *parameters)

    engine = Watched(address)
    known = [rule_from(rule) for rule in rules() if "most_common" not in rule["type"]]
    scan = engine.scan(engine.open(TABLE), known).with_measures()
    asked.clear()
    (numbers,) = engine.query(scan.numbers())
    assert len(asked) == 1
    assert numbers["rows"] == 4


def test_nothing_can_be_written_and_nothing_is_left_behind(address: str) -> None:
    engine = PostgreSQL(address)
    with pytest.raises(SourceError, match="read-only"):
        engine._asked('DELETE FROM "Real tables"."every"')
    loaded = judge(engine.scan(engine.open(pl.LazyFrame({"x": [1]})), [])).scan
    with pytest.raises(SourceError, match="read-only"):
        engine._asked('DELETE FROM "Real tables"."every"')
    assert loaded.kept.collect().height == 1
    left = "SELECT relname::text FROM pg_class WHERE relname LIKE '%dq_%' AND relpersistence <> 't'"
    assert PostgreSQL(address)._rows(left) == []


def test_what_a_verdict_says_is_of_one_moment(address: str) -> None:
    engine = PostgreSQL(address)
    engine._asked("SELECT 1")
    rule = rule_from({"type": "expect_column_values_to_be_between", "column": "i4", "max_value": 1})
    verdict = judge(engine.scan(engine.open(TABLE), [rule]))
    with adbc_driver_postgresql.dbapi.connect(address, autocommit=True) as connection, connection.cursor() as cursor:
        cursor.execute('INSERT INTO "Real tables"."every" ("i4") VALUES (77)')
        try:
            assert verdict.results[0].unexpected_count == verdict.scan.refused.collect().height == 2
        finally:
            cursor.execute('DELETE FROM "Real tables"."every" WHERE "i4" = 77')


def test_a_slow_query_ends_when_it_is_stopped(address: str) -> None:
    engine = PostgreSQL(address)
    frame = engine.open('"Real tables".slow')
    threading.Timer(0.5, engine.stop).start()
    with pytest.raises(SourceError, match="canceling"):  # or else it sleeps to its end, and gives rows
        engine.records(frame.select("slept"))
    assert engine._rows("SELECT 1") == [(1,)]


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://bob:s3cr%2Ft@127.0.0.1:1/db",
        "postgresql://bob:s3cr%2Ft@nowhere.invalid/db",
        "postgresql://bob:s3cr%2Ft@127.0.0.1:port/db",
        "postgresql://bob@127.0.0.1:1/db?password=s3cr/t",
        "postgres://bob:s3cr%2Ft@[::1/db",
        "postgrsql://bob:s3cr%2Ft@host/db",
    ],
)
def test_a_password_is_in_no_message(url: str) -> None:
    with pytest.raises((SourceError, ConfigError)) as failure:
        dq.validate("x", [], engine=url)
    for secret in ("s3cr%2Ft", "s3cr/t"):
        assert secret not in str(failure.value)


def test_metadata_tell_the_engine_and_not_its_address(address: str) -> None:
    verdict = dq.validate(TABLE, [{"type": "expect_table_row_count_to_equal", "value": 4}], engine=address)
    assert verdict.success
    assert address not in str(verdict.to_json_dict())
    assert verdict.meta["engine"] == "postgresql"


def test_memory_is_bounded_by_the_batch_when_rows_are_read_out(address: str) -> None:
    engine = PostgreSQL(address)
    rows = pl.LazyFrame({"x": pl.int_range(0, 120_000, eager=True)})
    batches = [batch.height for batch in engine.batches(engine.open(rows))]
    assert sum(batches) == 120_000
    assert max(batches) <= 50_000


def test_dates_are_written_for_postgresql_whoever_wrote_sql_before() -> None:
    """Sqlglot remembers what its writers could do when they first wrote, and ibis teaches them when it is imported."""
    code = """if True:
        import sqlglot
        sqlglot.parse_one("SELECT 1").sql("postgres")
        import datetime, ibis, narwhals as nw
        from dq_pipelines.engine.backends.postgresql.sql import written
        rows = nw.from_native(ibis.table({"day": "date"}, name="rows"))
        print(written(rows.filter(nw.col("day") > datetime.date(2024, 1, 2)), {}))
    """
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert "MAKE_DATE(2024, 1, 2)" in told
