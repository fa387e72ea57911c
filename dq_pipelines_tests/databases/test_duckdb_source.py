"""DuckDB as a source: each type exactly, what no other engine holds, beside writers, and errors in one sentence."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from dq_pipelines.errors import SourceError, Transient
from dq_pipelines.sources import Reading, read


class Database:
    """A file of DuckDB for one test."""

    def __init__(self, path: Path) -> None:
        self.path, self.url = path, f"duckdb:///{path}"

    def __call__(self, *statements: str) -> None:
        with duckdb.connect(self.path) as connection:
            for statement in statements:
                connection.execute(statement)

    def read(self, **said: Any) -> Reading:
        return read({"type": "duckdb", "connection": self.url, **said})


@pytest.fixture
def database(tmp_path: Path) -> Database:
    return Database(tmp_path / "shop.duckdb")


TYPES = {
    "DECIMAL(38,4)": ("-12.3456", Decimal("-12.3456")),
    "HUGEINT": ("170141183460469231731687303715884105727", "170141183460469231731687303715884105727"),
    "UBIGINT": ("18446744073709551615", 18446744073709551615),
    "TINYINT": ("-128", -128),
    "DOUBLE": ("1.5e300", 1.5e300),
    "BOOLEAN": ("true", True),
    "DATE": ("9999-12-31", date(9999, 12, 31)),
    "TIMESTAMP": ("2026-03-29 02:30:00.123456", datetime(2026, 3, 29, 2, 30, 0, 123456)),  # noqa: DTZ001 - of no time zone
    "TIMESTAMP_S": ("2026-03-29 02:30:00", datetime(2026, 3, 29, 2, 30)),  # noqa: DTZ001
    "TIMESTAMPTZ": ("2026-03-29 02:30:00+02", datetime(2026, 3, 29, 0, 30, tzinfo=UTC)),
    "TIME": ("10:11:12.5", time(10, 11, 12, 500000)),
    "INTERVAL": ("1 day 2 hours", "1 day 02:00:00"),
    "VARCHAR": ("h'é\\x", "h'é\\x"),
    "BLOB": ("\\x00\\xFF", b"\x00\xff"),
    "UUID": ("00000000-0000-0000-0000-000000000001", "00000000-0000-0000-0000-000000000001"),
    "JSON": ('{"a": [1, 2.50]}', '{"a": [1, 2.50]}'),
    "INTEGER[][]": ("[[1,2],[3,NULL]]", "[[1,2],[3,null]]"),
    "STRUCT(a DECIMAL(38,8), b VARCHAR)": ("{'a': 12345678901234567890.12345678, 'b': x}", '{"a":12345678901234567890.12345678,"b":"x"}'),
    "ENUM('sad', 'happy')": ("happy", "happy"),
    "BIT": ("101", "101"),
}  # fmt: skip


def test_each_type_is_read_exactly(database: Database) -> None:
    columns = ", ".join(f'"c {number}" {type_}' for number, type_ in enumerate(TYPES))
    values = ", ".join(f"$q${text}$q$" for text, _ in TYPES.values())
    database(f"CREATE TABLE every ({columns})")
    database(f"INSERT INTO every VALUES ({values})", "INSERT INTO every DEFAULT VALUES")  # noqa: S608 - our own values
    first, nothing = database.read(table="every").rows.collect().rows()
    assert dict(zip(TYPES, first, strict=True)) == {type_: value for type_, (_, value) in TYPES.items()}
    assert {*nothing} == {None}


def test_nanoseconds_stay(database: Database) -> None:
    database("CREATE TABLE t AS SELECT TIMESTAMP_NS '2026-01-01 00:00:00.123456789' AS moment")
    assert database.read(table="t").rows.collect()["moment"].dt.nanosecond().to_list() == [123456789]


def test_values_that_no_other_engine_has_are_told_with_their_row(database: Database) -> None:
    database(
        "CREATE TABLE far (id INT, d DATE, t TIMESTAMP, z TIMESTAMPTZ, n TIMESTAMP_NS, c TIME)",
        "INSERT INTO far VALUES (1, '2026-01-01', '2026-01-01', '2026-01-01', '2026-01-01', '10:00'), (2, 'infinity', null, null, null, null),"
        " (3, '-infinity', null, null, null, null), (4, null, '290000-12-31', null, null, null), (5, null, null, '-infinity', null, null),"
        " (6, null, null, null, 'infinity', null), (7, null, null, null, null, '24:00:00'), (8, '0044-03-15 (BC)', null, null, null, null)",
    )
    found = database.read(table="far")
    assert found.landed.collect()["id"].to_list() == [1]
    bad = found.unreadable.collect()
    assert bad["_row"].to_list() == [2, 3, 4, 5, 6, 7, 8]
    assert "'d': infinity" in bad["_text"][0]
    assert bad["_why"][0] == "column 'd' holds a value that a DATE of other engines does not have"


def test_a_reading_is_one_state_and_writers_do_not_wait(database: Database) -> None:
    database("CREATE TABLE t AS SELECT range AS n FROM range(100000)")
    found = database.read(table="t")
    database("DELETE FROM t WHERE n > 5")
    for _ in range(2):
        assert found.landed.collect()["n"].to_list() == [*range(100000)]


@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        ({"table": "orderz"}, "wanted a table 'orderz', found none (nearest: orders)"),
        ({"query": "DELETE FROM orders"}, "query: wanted one SELECT, got DELETE"),
        ({"query": "SELECT nope FROM orders"}, 'Referenced column "nope" not found'),
        ({"query": "SELECT * FROM read_text('/etc/passwd')"}, "file system operations are disabled"),
        ({"query": "SELECT 1 // (id - id) AS n, error('no') FROM orders"}, "got: "),
        ({"table": "orders", "incremental": {"by": "name"}}, "wanted whole numbers or times in 'name', got VARCHAR"),
        ({"table": "orders", "incremental": {"by": "at"}}, "wanted whole numbers or times in 'at', got TIMESTAMP_NS"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_one_sentence(database: Database, said: dict[str, Any], wanted: str) -> None:
    database(
        'CREATE TABLE orders (id INT, name TEXT, "at" TIMESTAMP_NS)', "INSERT INTO orders VALUES (1, 'a', 'epoch')"
    )
    with pytest.raises(SourceError) as told:
        database.read(**said).landed.collect()
    assert wanted in str(told.value)
    assert "\n" not in str(told.value)


def test_a_process_that_writes_is_a_transient_failure(database: Database) -> None:
    database("CREATE TABLE t (n INT)")
    program = (
        f"import duckdb, sys; c = duckdb.connect({str(database.path)!r}); print('open', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        writer.stdout.readline()
        with pytest.raises(Transient, match="wanted to open it, got: Could not set lock on file"):
            database.read(table="t")
    assert database.read(table="t").rows.collect().is_empty()


def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    (tmp_path / "text.db").write_text("no database " * 1000)
    with pytest.raises(SourceError, match=r"text\.db: wanted to open it, got: "):
        read({"type": "duckdb", "connection": f"duckdb:///{tmp_path}/text.db", "table": "t"})
