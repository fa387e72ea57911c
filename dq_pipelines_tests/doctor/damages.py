"""Damages that are planted in an installation, each a function; what `dq doctor` must say and do of each is in the table."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import polars as pl
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.remote_origin import (
    RegisteredCodeLocationOrigin,
    RemoteInstigatorOrigin,
    RemoteRepositoryOrigin,
)
from dagster._core.scheduler.instigation import InstigatorState, InstigatorStatus, TickData, TickStatus
from dagster._utils.error import SerializableErrorInfo  # type: ignore[attr-defined]

from dq_pipelines.history.store.attempts import Attempt, Attempts
from dq_pipelines.pipeline.runtime.processes import this_process
from dq_pipelines_tests.doctor.conftest import Patient
from dq_pipelines_tests.workshop import delta_of

Plant = Callable[[Patient], None]


@dataclass(frozen=True)
class Damage:
    """What is planted, what must be found, and what makes the installation right again."""

    plant: Plant
    #: the examination that finds it
    examination: str
    #: words of the finding
    words: tuple[str, ...]
    severity: str = "error"
    #: whether `--repair` repairs it
    repairs: bool = False
    #: what a person does after it (or instead), as the remedy says
    heal: Plant = lambda patient: patient.run("orders", "totals")


# --- the lake --------------------------------------------------------------------------------------


def newest_commit(patient: Patient, key: str) -> Path:
    return max((patient.lake / key / "_delta_log").glob("*.json"))


def data_file(patient: Patient, key: str) -> Path:
    """The first file that the table names."""
    name = delta_of(patient.shop().lake.table(key)).get_add_actions(flatten=True)["path"][0].as_py()
    return patient.lake / key / str(name)


def empty_commit(patient: Patient) -> None:
    newest_commit(patient, "silver/orders").write_bytes(b"")


def half_commit(patient: Patient) -> None:
    path = newest_commit(patient, "bronze/orders")
    path.write_bytes(path.read_bytes()[:100])


def half_commit_of_gold(patient: Patient) -> None:
    path = newest_commit(patient, "gold/totals")
    path.write_bytes(path.read_bytes()[:100])


def torn_checkpoint(patient: Patient) -> None:
    delta_of(patient.shop().lake.table("silver/orders")).create_checkpoint()
    path = next((patient.lake / "silver/orders/_delta_log").glob("*.checkpoint.parquet"))
    path.write_bytes(path.read_bytes()[:200])


def lost_commit(patient: Patient) -> None:
    newest_commit(patient, "quarantine/orders").unlink()


def lost_silver_file(patient: Patient) -> None:
    data_file(patient, "silver/orders").unlink()


def lost_gold_file(patient: Patient) -> None:
    data_file(patient, "gold/totals").unlink()


def lost_bronze_file(patient: Patient) -> None:
    data_file(patient, "bronze/orders").unlink()


def torn_quarantine_file(patient: Patient) -> None:
    path = data_file(patient, "quarantine/orders")
    path.write_bytes(path.read_bytes()[:100])


def unnamed_file(patient: Patient) -> None:
    folder = patient.lake / "silver/orders/b-dead/1"
    folder.mkdir(parents=True)
    pl.DataFrame({"id": [99], "amount": [99]}).write_parquet(folder / "0.parquet")


def table_of_no_yaml(patient: Patient) -> None:
    pl.DataFrame({"id": [1]}).write_delta(str(patient.lake / "silver/old"))


def killed_claim(patient: Patient) -> None:
    unnamed_file(patient)
    (patient.lake / ".claims/orders").write_text('["silver/orders", "b-dead", null]\n')


def torn_claim(patient: Patient) -> None:
    (patient.lake / ".claims/orders").write_bytes(b'\xff\0["silver/or')


def folder_for_claim(patient: Patient) -> None:
    (patient.lake / ".claims/orders").unlink()
    (patient.lake / ".claims/orders").mkdir()


def torn_aside(patient: Patient) -> None:
    (patient.lake / ".aside").mkdir(exist_ok=True)
    (patient.lake / ".aside/orders.json").write_bytes(b'[{"uri": "x", "ver')


def _quarantined(patient: Patient, **cells: str) -> None:
    table = patient.shop().lake.table("quarantine/orders")
    row = table.scan().head(1).with_columns(pl.lit(value).alias(name) for name, value in cells.items()).collect()
    row.write_delta(table.uri, mode="append")


def row_without_batch(patient: Patient) -> None:
    _quarantined(patient, _batch="b-never", _id="b-never:x:1")


def row_twice(patient: Patient) -> None:
    _quarantined(patient)


def odd_status(patient: Patient) -> None:
    _quarantined(patient, _status="opne", _id="another")


# --- the history -----------------------------------------------------------------------------------


def _sql(patient: Patient, *statements: str) -> None:
    with closing(sqlite3.connect(patient.history)) as connection:
        for statement in statements:
            connection.execute(statement)
        connection.commit()


def empty_history(patient: Patient) -> None:
    for beside in patient.root.glob("history.db-*"):
        beside.unlink()
    patient.history.write_bytes(b"")


def garbage_history(patient: Patient) -> None:
    patient.history.write_bytes(os.urandom(9_000))


def newer_history(patient: Patient) -> None:
    _sql(patient, "UPDATE dq_schema_versions SET version = 99")


def older_history(patient: Patient) -> None:
    _sql(patient, "DROP TABLE dq_schema_versions", "DROP TABLE dq_alerts_told", "DROP TABLE dq_alerts")


def lost_verdict(patient: Patient) -> None:
    _sql(
        patient,
        "PRAGMA foreign_keys = ON",
        "DELETE FROM dq_verdicts WHERE id = (SELECT max(id) FROM dq_verdicts WHERE \"table\" = 'silver/orders')",
    )


def verdict_without_commit(patient: Patient) -> None:
    history = patient.shop().history
    last = history.latest("silver/orders")
    assert last is not None
    history.record(replace(last, batch="b-0123456789abcdef", run_id="lost"))


def attempt_of_the_dead(patient: Patient) -> None:
    machine = this_process().rsplit(":", 2)[0]
    begun = Attempt("silver/orders", None, "run-dead", datetime.now(UTC), recheck=False, process=f"{machine}:999999:1")
    Attempts(patient.shop().history).record(begun)


def future_verdict(patient: Patient) -> None:
    history = patient.shop().history
    last = history.latest("silver/orders")
    assert last is not None
    history.record(replace(last, run_id="future", started_at=datetime.now(UTC) + timedelta(days=3)))


# --- beside them -----------------------------------------------------------------------------------


def open_state(patient: Patient) -> None:
    (patient.state / "token.key").chmod(0o644)


def damaged_records(patient: Patient) -> None:
    path = max(patient.home.rglob("*.db"), key=lambda each: each.stat().st_size)
    for beside in path.parent.glob(f"{path.name}-*"):
        beside.unlink()
    content = path.read_bytes()
    path.write_bytes(content[:4096] + os.urandom(len(content) - 4096))


def lost_records(patient: Patient) -> None:
    patient.home.rename(patient.root / "away")


def no_dagster_yaml(patient: Patient) -> None:
    (patient.home / "dagster.yaml").unlink()


def forgotten_partitions(patient: Patient) -> None:
    with dg.DagsterInstance.from_config(str(patient.home)) as instance:
        instance.delete_dynamic_partition("visits_files", "a")


def failing_sensor(patient: Patient) -> None:
    """What the daemon writes when a sensor's function raises."""
    place = RegisteredCodeLocationOrigin("here")
    origin = RemoteInstigatorOrigin(RemoteRepositoryOrigin(place, "__repository__"), "orders_sensor")
    with dg.DagsterInstance.from_config(str(patient.home)) as instance:
        state = InstigatorState(origin, InstigatorType.SENSOR, InstigatorStatus.RUNNING)
        instance.add_instigator_state(state)
        error = SerializableErrorInfo("landing does not answer\n", [], "SourceError")
        instance.create_tick(
            TickData(
                origin.get_id(), "orders_sensor", InstigatorType.SENSOR, TickStatus.FAILURE, 1.0,
                selector_id=origin.get_selector().get_id(), error=error,
            )
        )  # fmt: skip


def broken_yaml(patient: Patient) -> None:
    path = patient.root / "assets_config/shop/orders.yaml"
    path.write_text(path.read_text().replace("columns:", "colunms:"))


def _nothing(_: Patient) -> None:
    """The finding is all there is to it."""


def _rerun(patient: Patient) -> None:
    patient.run("orders", "totals", mode="rerun")


def _land_again(patient: Patient) -> None:
    (patient.lake / "bronze/orders").rename(patient.root / "away")
    _rerun(patient)


def _history_away(patient: Patient) -> None:
    patient.history.rename(patient.root / "away.db")
    patient.run("orders", "totals")
    patient.diagnosed(repair=True)  # visits have not run since


def _records_anew(patient: Patient) -> None:
    if patient.home.exists():
        patient.home.rename(patient.root / "damaged")
    patient.home.mkdir()
    patient.run("orders", "totals")


DAMAGES = [
    Damage(empty_commit, "logs", ("wanted the actions of version 1 of silver/orders", "0 bytes"), repairs=True),
    Damage(half_commit, "logs", ("bronze/orders", "torn file of 100 bytes"), repairs=True, heal=_rerun),
    Damage(half_commit_of_gold, "logs", ("gold/totals", "torn file"), repairs=True),
    Damage(torn_checkpoint, "logs", ("wanted a whole checkpoint of silver/orders",), repairs=True),
    Damage(table_of_no_yaml, "logs", ("silver/old is described by no YAML",), "info"),
    Damage(lost_silver_file, "data files", ("silver/orders names, got none", "mode: rerun"), heal=_rerun),
    Damage(lost_gold_file, "data files", ("gold/totals names, got none", "materialize gold/totals")),
    Damage(
        lost_bronze_file, "data files", ("bronze/orders names, got none", "move bronze/orders away"), heal=_land_again
    ),
    Damage(torn_quarantine_file, "data files", ("got one of 100 bytes instead of",), repairs=True, heal=_rerun),
    Damage(
        unnamed_file, "staging", ("1 data files are named by no version (b-dead/1/0.parquet",), "warning", repairs=True
    ),
    Damage(killed_claim, "claims", ("was killed and has left 1 stage noted",), "info", repairs=True),
    Damage(torn_claim, "claims", ("1 of its 1 line cannot be read",), "warning", repairs=True),
    Damage(folder_for_claim, "claims", ("got a folder",), repairs=True),
    Damage(torn_aside, "inputs aside", ("cannot be read",), "warning", repairs=True),
    Damage(lost_commit, "ledgers", ("quarantine has lost a commit", "mode: rerun"), heal=_rerun),
    Damage(row_without_batch, "quarantine", ("of batches that bronze does not know (b-never",), heal=_rerun),
    Damage(row_twice, "quarantine", ("are there more than once",), heal=_rerun),
    Damage(odd_status, "quarantine", ("have the status 'opne'",), heal=_rerun),
    Damage(empty_history, "history", ("0 bytes",), repairs=True),
    Damage(garbage_history, "history", ("is damaged: file is not a database", "dq backup"), heal=_history_away),
    Damage(newer_history, "history", ("got version 99 of a newer dq_pipelines",), heal=_nothing),
    Damage(older_history, "history", ("its tables are of version 0",), "warning", repairs=True),
    Damage(lost_verdict, "verdicts", ("history lacks the verdicts on 1 published batch ",), repairs=True),
    Damage(verdict_without_commit, "verdicts", ("its log does not know (b-0123456789abcdef",), heal=_nothing),
    Damage(attempt_of_the_dead, "attempts", ("run run-dead began", "its process is gone"), "warning", repairs=True),
    Damage(future_verdict, "clock", ("which is in the future",), "warning", heal=_nothing),
    Damage(open_state, "permissions", ("got 644", "chmod 600"), repairs=True),
    Damage(damaged_records, "dagster", ("Dagster's records are damaged",), heal=_records_anew),
    Damage(lost_records, "dagster", ("got none: no run can begin",), heal=_records_anew),
    Damage(no_dagster_yaml, "dagster", ("no dagster.yaml",), "warning", repairs=True),
    Damage(forgotten_partitions, "dagster", ("has forgotten 1 of its partitions (a,",), "warning", repairs=True),
    Damage(failing_sensor, "ticks", ("its last tick failed: landing does not answer",), heal=_nothing),
    Damage(broken_yaml, "configuration", ("'colunms'",), heal=_nothing),
]
