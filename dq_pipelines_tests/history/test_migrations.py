"""Databases of earlier releases are brought up to date once and keep their rows; those of a newer one are refused."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import closing
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.schema import CreateIndex, CreateTable

from dq_pipelines.config.schema_versions import Schema
from dq_pipelines.errors import PublishError
from dq_pipelines.history.queries.status_cache import StatusCache
from dq_pipelines.history.store.migrations import SCHEMA
from dq_pipelines.history.store.records import ResultRecord, VerdictRecord
from dq_pipelines.history.store.schema import ALERTS, METADATA, VERDICTS
from dq_pipelines.history.store.verdicts import History
from dq_pipelines_tests.history.test_store import VERDICT

#: The tables as releases made them: the first that had a history, the first with metrics, the first with alerts, version 1,
#: and version 2.
EARLIER = sorted((Path(__file__).parent / "schemas").glob("*.sql"))
ROWS = """
    INSERT INTO dq_verdicts ("table", batch, run_id, started_at, duration_seconds, rows_in, published, refused, dropped,
        blocked) VALUES ('silver/sales', 'b-1', 'r-1', '2026-01-02 03:04:05.000000', 1.5, 10, 9, 1, 0, 0);
    INSERT INTO dq_results (verdict_id, "check", rule, severity, success, blocks, score, observed_value)
        VALUES (1, 'c', 'expect_column_values_to_not_be_null', 'critical', 0, 0, 0.9, '3');
"""


@pytest.fixture(params=["sqlite", "postgresql"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database of each kind."""
    found = request.getfixturevalue("postgres") if request.param == "postgresql" else f"sqlite:///{tmp_path}/history.db"
    return str(found)


def again(connection: sa.Connection, one: VerdictRecord) -> None:
    """Write a verdict once more, beside the store, which replaces what it knows."""
    row = {name: value for name, value in asdict(one).items() if name not in ("results", "metrics")}
    connection.execute(VERDICTS.insert().values(**row))


def verdict(batch: str) -> VerdictRecord:
    return replace(VERDICT, batch=batch)


@pytest.fixture(params=EARLIER, ids=lambda path: path.stem)
def earlier(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A database of an earlier release, with a verdict in it."""
    path = tmp_path / "history.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(request.param.read_text() + ROWS)
    return path


def copy_of(path: Path) -> Path:
    """What is kept of a database before it is brought up to date."""
    return path.with_name(f"{path.name}.before-version-{SCHEMA.version}")


def columns(path: Path) -> set[tuple[str, str]]:
    engine = sa.create_engine(f"sqlite:///{path}")
    inspector = sa.inspect(engine)
    return {(table, each["name"]) for table in inspector.get_table_names() for each in inspector.get_columns(table)}


def test_an_earlier_release_is_brought_up_to_date_and_its_rows_stay(earlier: Path) -> None:
    before = columns(earlier)
    history = History(f"sqlite:///{earlier}")
    (found,) = history.of_table("silver/sales")
    assert (found.batch, found.rows_in, found.results[0].score) == ("b-1", 10, 0.9)
    assert found.started_at == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert list(StatusCache(history).all()) == ["silver/sales"]
    history.record(verdict("b-2"))
    fresh = History(f"sqlite:///{earlier.parent}/fresh.db")
    with fresh.engine.connect():  # which makes its tables
        assert fresh.of_table("silver/sales") == []
    assert columns(earlier) == columns(earlier.parent / "fresh.db")
    assert columns(copy_of(earlier)) == before


def test_a_run_has_a_verdict_of_each_partition_and_of_each_only_one(earlier: Path) -> None:
    history = History(f"sqlite:///{earlier}")
    for partition in (None, "mon", "tue", None, "mon", "tue"):
        history.record(replace(verdict(""), partition=partition))
    found = history.of_run(VERDICT.run_id)
    assert [(one.partition, len(one.results)) for one in found] == [
        (partition, len(VERDICT.results)) for partition in (None, "mon", "tue")
    ]
    for one in found:
        with pytest.raises(sa.exc.IntegrityError), history.engine.begin() as connection:
            again(connection, one)
    with history.engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM dq_verdicts WHERE id = 1")
        left = connection.exec_driver_sql("SELECT count(*) FROM dq_results WHERE verdict_id = 1").scalar()
    assert left == 0, "what refers to a verdict goes with it"


def test_it_is_done_once(earlier: Path) -> None:
    History(f"sqlite:///{earlier}").of_table("x")
    copy = copy_of(earlier)
    copy.unlink()
    History(f"sqlite:///{earlier}").of_table("x")
    assert not copy.exists()


def test_two_that_begin_at_once_do_it_once(earlier: Path) -> None:
    calls, errors = list[int](), list[BaseException]()

    def counted(connection: sa.Connection) -> None:
        calls.append(1)
        SCHEMA.migrations[-1](connection)

    schema = Schema(SCHEMA.store, METADATA, (*SCHEMA.migrations[:-1], counted))

    def begin() -> None:
        try:
            schema.prepare(
                sa.create_engine(f"sqlite:///{earlier}", connect_args={"timeout": 30}, poolclass=sa.NullPool)
            )
        except BaseException as error:  # noqa: BLE001 - told by the assertion
            errors.append(error)

    threads = [threading.Thread(target=begin) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (errors, calls) == ([], [1])


def test_a_migration_that_fails_changes_nothing(earlier: Path) -> None:
    def breaks(connection: sa.Connection) -> None:
        connection.exec_driver_sql("ALTER TABLE dq_verdicts ADD COLUMN half VARCHAR")
        raise RuntimeError

    before = columns(earlier)
    with pytest.raises(RuntimeError):
        Schema(SCHEMA.store, METADATA, (*SCHEMA.migrations, breaks)).prepare(sa.create_engine(f"sqlite:///{earlier}"))
    assert columns(earlier) == before


def test_a_newer_release_is_refused(history: History) -> None:
    with history.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE dq_schema_versions SET version = 99 WHERE store = 'history'")
    try:
        with pytest.raises(
            PublishError, match=rf"wanted tables of version {SCHEMA.version} or older, got version 99 of a newer"
        ) as error:
            _ = History(history.url).engine
        assert "\n" not in str(error.value)
    finally:
        with history.engine.begin() as connection:
            connection.exec_driver_sql("UPDATE dq_schema_versions SET version = 3 WHERE store = 'history'")


def test_postgresql_is_brought_up_to_date(postgres: str) -> None:
    history = History(postgres)
    history.record(verdict("b-1"))
    with history.engine.begin() as connection:  # as a release before versions, actions and re-checks left it
        connection.exec_driver_sql("DROP TABLE dq_schema_versions, dq_attempts")
        connection.exec_driver_sql("ALTER TABLE dq_results DROP COLUMN action, DROP COLUMN mostly, DROP COLUMN remark")
        connection.exec_driver_sql("ALTER TABLE dq_verdicts DROP COLUMN replaces")
        connection.exec_driver_sql("DROP INDEX dq_verdicts_once_in_table, dq_verdicts_once_in_partition")
        once = 'ADD CONSTRAINT dq_verdicts_once UNIQUE ("table", batch, run_id)'
        connection.exec_driver_sql(f"ALTER TABLE dq_verdicts {once}")
    history.engine.dispose()
    today = History(postgres)
    for partition in (None, "mon", "tue", "tue"):
        today.record(replace(verdict("b-2"), partition=partition))
    found = today.of_table(VERDICT.table)
    wanted = [("b-2", "tue"), ("b-2", "mon"), ("b-2", None), ("b-1", VERDICT.partition)]
    assert [(one.batch, one.partition) for one in found] == wanted
    for one in found:
        with pytest.raises(sa.exc.IntegrityError), today.engine.begin() as connection:
            again(connection, one)
    today.engine.dispose()


def test_checks_have_the_names_of_today(store_url: str) -> None:
    """Results and alerts of version 4 are found by the names that checks have now; nothing else of them changes."""
    history, between = History(store_url), "expect_column_values_to_be_between"
    results = [
        ResultRecord(name, rule, column, "critical", success=False, blocks=False, unexpected_count=3, score=0.5)
        for name, rule, column in (
            (f"{between}__amount", between, "amount"),
            (f"{between}__amount_2", between, "amount"),
            (f"{between}__a_2", between, "a_2"),
            ("expect_compound_columns_to_be_unique__a__b", "expect_compound_columns_to_be_unique", "a, b"),
            ("expect_table_row_count_to_equal", "expect_table_row_count_to_equal", None),
            ("cast__Größe (m)", "cast", "Größe (m)"),
            ("rows_accounted_for", "rows_accounted_for", None),
            ("anomaly_mean_amount", "anomaly", "amount"),
        )
    ]
    for table in ("silver/sales", "silver/returns"):
        history.record(replace(VERDICT, table=table, results=tuple(results)))
    alerts = [("silver/sales", f"{between}__amount_2"), ("silver/gone", f"{between}__amount"), ("silver/sales", "")]
    row = {"event": "check_failed", "severity": "critical", "count": 1, "said": "", "run_id": "r", "closed_by": ""}
    with history.engine.begin() as connection:
        for about, name in alerts:
            connection.execute(ALERTS.insert().values(about=about, name=name, opened_at=VERDICT.started_at, **row))
        connection.exec_driver_sql("UPDATE dq_schema_versions SET version = 4 WHERE store = 'history'")
    history.engine.dispose()
    today = History(store_url)
    names = [
        "amount__between", "amount__between_2", "a_2__between", "a__b__compound_columns_unique", "row_count_equal",
        "Gr_e_m___cast", "rows_accounted_for", "anomaly_mean_amount",
    ]  # fmt: skip
    for table in ("silver/sales", "silver/returns"):
        [found] = today.of_table(table)
        wanted = {name: replace(result, check=name) for name, result in zip(names, results, strict=True)}
        assert {one.check: one for one in found.results} == wanted
        as_landed = replace(VERDICT, table=table, results=tuple(results)).as_json()
        assert VerdictRecord.from_json(as_landed).results == tuple(wanted.values()), "the verdicts in commits follow"
    with today.engine.connect() as connection:
        assert [each.name for each in connection.execute(sa.select(ALERTS).order_by(ALERTS.c.number))] == [
            "amount__between_2", "amount__between", "",
        ]  # fmt: skip
    today.engine.dispose()


def test_who_changes_the_tables_adds_a_migration() -> None:
    """The tables of today's version, column by column: a database that has this version is taken as it is."""
    import hashlib

    dialect = sa.create_engine("sqlite://").dialect
    told = [str(CreateTable(table).compile(dialect=dialect)) for table in METADATA.sorted_tables]
    told += sorted(
        str(CreateIndex(index).compile(dialect=dialect)) for table in METADATA.sorted_tables for index in table.indexes
    )
    digest = hashlib.sha256("\n".join(told).encode()).hexdigest()[:16]
    assert (SCHEMA.version, digest) == (5, "8b75bd07654eab69"), (
        "add a migration to history/store/migrations.py, and then this digest"
    )


def test_a_file_that_is_replaced_while_it_is_open_is_opened_anew(tmp_path: Path) -> None:
    path = tmp_path / "history.db"
    history = History(f"sqlite:///{path}")
    history.record(verdict("b-1"))
    path.rename(tmp_path / "away.db")
    assert history.of_table(verdict("b-1").table) == []
    history.record(verdict("b-2"))
    (tmp_path / "away.db").replace(path)
    assert [each.batch for each in history.of_table(verdict("b-1").table)] == ["b-1"]
