"""Alerts follow the status of a table: what heals it closes them, and nothing else does."""

from __future__ import annotations

import signal
import subprocess
import sys

import dagster as dg
import pytest

from dq_pipelines.history.alerts.alert_book import AlertBook
from dq_pipelines.history.store.attempts import Attempts
from dq_pipelines.pipeline.quarantine.quarantine_status import RefusedRowFilter, set_status
from dq_pipelines.pipeline.replay.replay import replay
from dq_pipelines.pipeline.runtime.table_run import TableRun
from dq_pipelines.pipeline.silver import commit
from dq_pipelines_tests.orchestration.listening import Hook
from dq_pipelines_tests.orchestration.orders import land, table, tick
from dq_pipelines_tests.workshop import Workshop


def events(shop: Workshop) -> list[tuple[str, str]]:
    return sorted((alert.event, alert.name) for alert in AlertBook(shop.history).open())


@pytest.fixture
def told(orders: Workshop, web: Hook) -> Workshop:
    """A row was refused, and the channel knows."""
    table(orders, action="quarantine")
    land(orders, 1, 5, 500)
    assert orders.run("orders").success
    tick(orders)
    assert len(web.got) == 1
    return orders


def test_refused_rows_keep_their_alert_open_until_they_are_settled(told: Workshop, web: Hook) -> None:
    failing = ("check_failed", "amount__between")
    land(told, 2, 5)
    told.run("orders")  # a clean batch
    told.run_job("checks__orders")  # a re-check of published rows
    tick(told)
    assert events(told) == [failing]
    assert set_status(TableRun(told.project.tables["orders"], told.lake), RefusedRowFilter(), "dismissed", "ann") == 1
    tick(told)
    assert (events(told), web.titles[-1]) == ([], "demo: silver/orders: recovered")


def test_a_replay_that_publishes_them_is_a_recovery(told: Workshop, web: Hook) -> None:
    table(told, action="warn")
    replay(TableRun(told.project.tables["orders"], told.lake), by="ann")
    land(told, 2, 5)
    told.run("orders")
    tick(told)
    assert (events(told), web.titles[-1]) == ([], "demo: silver/orders: recovered")


def test_a_cancelled_run_is_no_alert(orders: Workshop, web: Hook, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        [run] = orders.instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED]))
        orders.instance.report_run_canceling(run)
        raise dg.DagsterExecutionInterruptedError("cancelled")

    monkeypatch.setattr(commit, "_publish", interrupted)
    land(orders, 1, 5)
    ran = orders.run("orders")
    run = orders.instance.get_run_by_id(ran.run_id)
    assert run is not None
    assert run.status is dg.DagsterRunStatus.CANCELED
    assert tick(orders) == "1 run read, 0 messages sent"
    assert web.got == []
    assert [one.outcome for one in Attempts(orders.history).last()] == ["cancelled"]


KILLED = """
import os, signal, sys
from pathlib import Path
from dq_pipelines.pipeline.silver import commit
from dq_pipelines_tests.workshop import Workshop

commit._publish = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
Workshop(Path(sys.argv[1])).run("orders")
"""


@pytest.mark.slow
def test_a_killed_run_is_told_once_and_so_is_the_next_success(orders: Workshop, web: Hook) -> None:
    land(orders, 1, 5)
    done = subprocess.run([sys.executable, "-c", KILLED, str(orders.root)], capture_output=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()[-2000:]
    tick(orders)
    tick(orders)
    assert web.titles == ["demo: silver/orders: run failed"]
    assert orders.run("orders").success
    tick(orders)
    assert (events(orders), web.titles[1:]) == ([], ["demo: silver/orders: recovered"])


def test_a_run_that_ended_before_a_step_began_is_an_attempt(orders: Workshop) -> None:
    table(orders, "returns")
    orders.table("both", "gold:\n  sql: select o.id from silver.orders o join silver.returns r using (id)\n")
    land(orders, 1, 500)
    land(orders, 1, 5, name="returns")
    orders.run("orders", "returns", "both")
    said = orders.tick("attempts")
    assert isinstance(said, dg.SkipReason)
    assert said.skip_message == "1 run read, 1 attempt recorded"
    [attempt] = Attempts(orders.history).last(["gold/both"])
    assert (attempt.outcome, attempt.said.startswith("the run ended before it: orders failed: ")) == ("waiting", True)
    said = orders.tick("attempts")
    assert isinstance(said, dg.SkipReason)
    assert said.skip_message == "0 runs read, 0 attempts recorded"
