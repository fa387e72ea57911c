"""SQLite as a source: each value exactly, whatever its column declares, beside writers, and errors in one sentence."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dq_pipelines.databases.sqlite_values import form_of, in_form, microseconds
from dq_pipelines.errors import SourceError, Transient
from dq_pipelines.sources import Reading, read, source_from


class Database:
    """A file of SQLite for one test."""

    def __init__(self, path: Path) -> None:
        self.path, self.url = path, f"sqlite:///{path}"

    def __call__(self, *statements: str) -> None:
        with sqlite3.connect(self.path) as connection:
            for statement in statements:
                connection.execute(statement)
        connection.close()

    def read(self, **said: Any) -> Reading:
        return read({"type": "sqlite", "connection": self.url, **said})


@pytest.fixture
def database(tmp_path: Path) -> Database:
    return Database(tmp_path / "a shop?.db".replace("?", "%"))


VALUES = st.one_of(
    st.none(), st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False), st.text(st.characters(codec="utf-8"), max_size=5), st.binary(max_size=4)
)  # fmt: skip
DECLARED = ("INTEGER", "VARCHAR(3)", "DOUBLE", "BLOB", "DECIMAL(10,2)", "DATETIME", "BOOLEAN", "")


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(rows=st.lists(st.tuples(*[VALUES] * len(DECLARED)), max_size=5), wal=st.booleans())
def test_each_value_is_read_exactly(tmp_path: Path, rows: list[tuple[object, ...]], wal: bool) -> None:
    path = tmp_path / "every.db"
    path.unlink(missing_ok=True)
    connection = sqlite3.connect(path)
    connection.execute(f"PRAGMA journal_mode = {'wal' if wal else 'delete'}")
    connection.execute(f"CREATE TABLE every ({', '.join(f'c{number} {one}' for number, one in enumerate(DECLARED))})")
    connection.executemany(f"INSERT INTO every VALUES ({', '.join('?' * len(DECLARED))})", rows)  # noqa: S608
    connection.commit()
    expected = connection.execute("SELECT * FROM every").fetchall()
    found = read({"type": "sqlite", "connection": f"sqlite:///{path}", "table": "every"})
    got, types = found.rows.collect().rows(), found.rows.collect_schema()
    assert found.unreadable.collect().is_empty()
    connection.close()
    for row, stored in zip(got, expected, strict=True):
        for value, original, dtype in zip(row, stored, types.values(), strict=True):
            # Text of numbers is read back by Python: it has all of their digits.
            if dtype == pl.String and isinstance(original, int | float):
                assert type(original)(value) == original
            elif dtype == pl.String and isinstance(original, bytes):
                assert value == f"X'{original.hex().upper()}'"
            else:
                assert value == original


def test_columns_are_typed_by_what_they_declare_if_all_values_are_of_it(database: Database) -> None:
    database(
        "CREATE TABLE t (i INT, r REAL, x TEXT, b BLOB, d DECIMAL(10,2), mixed INT, u)",
        "INSERT INTO t VALUES (1, 2, 'x', x'00ff', 10.5, 9223372036854775807, 1), (2, 2.5, 'h' || char(0), null, 10, 9223372036854775808, 2)",
    )
    rows = database.read(table="t").rows.collect()
    assert [str(dtype) for dtype in rows.dtypes] == [
        "Int64",
        "Float64",
        "String",
        "Binary",
        "String",
        "String",
        "Int64",
    ]
    assert rows["mixed"].to_list() == ["9223372036854775807", "9.223372036854776e+18"]
    assert rows["x"].to_list() == ["x", "h\x00"]
    assert rows["d"].to_list() == ["10.5", "10"]


def test_text_that_is_no_utf_8_is_told_with_its_row(database: Database) -> None:
    database("CREATE TABLE t (n INT, x TEXT)", "INSERT INTO t VALUES (1, 'a'), (2, CAST(x'ff41' AS TEXT)), (3, 'b')")
    found = database.read(table="t")
    assert found.landed.collect()["n"].to_list() == [1, 3]
    (bad,) = found.unreadable.collect().rows()
    assert bad[1:] == (2, "(2,\\xffA)", "column 'x' holds text that is no UTF-8")


def test_order_is_the_same_whatever_columns_are_read(database: Database) -> None:
    database("CREATE TABLE t (n INT, x TEXT)", "CREATE INDEX by_x ON t (x)", "INSERT INTO t VALUES (1, 'b'), (2, 'a')")
    found = database.read(table="t")
    assert found.landed.select("x", "_row").collect().rows() == [("b", 1), ("a", 2)]


@pytest.mark.parametrize("mode", ["wal", "delete"])
def test_a_reading_is_one_state_and_writers_do_not_wait(database: Database, mode: str) -> None:
    database(f"PRAGMA journal_mode = {mode}", "CREATE TABLE t (n INT)", "INSERT INTO t VALUES (1), (2)")
    found = database.read(table="t")
    with sqlite3.connect(database.path, timeout=0) as writer:
        writer.execute("DELETE FROM t WHERE n = 1")
    writer.close()
    for _ in range(2):
        assert found.landed.collect()["n"].to_list() == [1, 2]


def test_a_query_a_view_and_odd_names(database: Database) -> None:
    database(
        'CREATE TABLE "T ""q" ("a b" INT)', 'INSERT INTO "T ""q" VALUES (1)', 'CREATE VIEW v AS SELECT * FROM "T ""q"'
    )
    assert database.read(table='main.T "q').rows.collect().rows() == [(1,)]
    assert database.read(table="V").rows.collect().rows() == [(1,)]
    assert database.read(query='SELECT "a b" + 1 AS n FROM "T ""q";').rows.collect().rows() == [(2,)]


@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        ({"table": "orderz"}, "wanted a table 'orderz', found none (nearest: orders)"),
        ({"query": "SELECT 1; DROP TABLE orders"}, "query: wanted one SELECT, got 2 statements"),
        ({"query": "SELECT nope FROM orders"}, "wanted to read its columns, got: no such column: nope"),
        ({"table": "orders", "incremental": {"by": "idd"}}, "wanted a column 'idd' to read by, found none (nearest: id)"),
        ({"table": "orders", "incremental": {"by": "name"}}, "wanted whole numbers or times in 'name', got text"),
        ({"table": "orders", "incremental": {"by": "at"}}, "in 'at', got '0000-00-00 00:00:00' and '0000-00-00T00:00:00'"),
        ({"table": "orders", "incremental": {"by": "amount"}}, "wanted whole numbers or times in 'amount', got integer and real"),
        ({"table": "orders", "incremental": {"by": "id", "lag": "5m"}}, "wanted a number as the lag of numbers in 'id', got 5m"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_one_sentence(database: Database, said: dict[str, Any], wanted: str) -> None:
    database(
        "CREATE TABLE orders (id INT, name TEXT, at DATETIME, amount DECIMAL)",
        "INSERT INTO orders VALUES (1, 'a', '2026-01-01 10:00:00', 1), (2, 'b', '2026-01-01T10:00:00', 1.5)",
    )
    with pytest.raises(SourceError) as told:
        database.read(**said).landed.collect()
    assert wanted in str(told.value)
    assert "\n" not in str(told.value)


def test_files_that_are_no_database(tmp_path: Path) -> None:
    (tmp_path / "text.db").write_text("no database " * 100)
    for url, wanted in [
        (f"sqlite:///{tmp_path}/text.db", "wanted to open it, got: file is not a database"),
        (f"sqlite:///{tmp_path}/none.db", "wanted a file of a database, found none"),
        (f"sqlite:///{tmp_path}", "wanted a file of a database, found a folder"),
        ("sqlite://user:planted-secret@host/x.db", "wanted sqlite:///path of a file"),
    ]:
        with pytest.raises(SourceError) as told:
            read({"type": "sqlite", "connection": url, "table": "t"})
        assert wanted in str(told.value)
        assert "planted-secret" not in str(told.value)
    assert not (tmp_path / "none.db").exists()


def test_a_file_outside_of_the_places_is_refused(database: Database, tmp_path: Path) -> None:
    database("CREATE TABLE t (n INT)")
    (tmp_path / "in").mkdir()
    (tmp_path / "in/link.db").symlink_to(database.path)
    for url in (database.url, f"sqlite:///{tmp_path}/in/link.db", f"sqlite:///{tmp_path}/in/../x.db"):
        source = source_from({"type": "sqlite", "connection": url, "table": "t"}).confined_to([f"{tmp_path}/in"])
        with pytest.raises(SourceError, match="wanted a place below"):
            source.inputs()


def test_a_writer_that_holds_the_file_is_a_transient_failure(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dq_pipelines.databases.sqlite._PATIENCE", 0.1)
    database("CREATE TABLE t (n INT)")
    writer = sqlite3.connect(database.path)
    writer.execute("BEGIN EXCLUSIVE")
    with pytest.raises(Transient, match="database is locked"):
        database.read(table="t")
    writer.close()


@pytest.mark.parametrize(
    "text", ["2026-01-02", "2026-01-02T03:04:05.120Z", "2026-01-02 03:04:05", "0001-01-01 00:00:00+00:00"]
)
def test_moments_keep_their_form(text: str) -> None:
    form = form_of(text)
    assert form is not None
    assert in_form(microseconds(text), form) == text


@pytest.mark.parametrize(
    "text", ["2026-13-02", "2026-01-02 03:04:05+02:00", "2026-01-02 3:04", "20260102", 5, None, "٢٠٢٦-01-02"]
)
def test_what_cannot_be_compared_has_no_form(text: object) -> None:
    assert form_of(text) is None
