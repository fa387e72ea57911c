"""`dq serve` with each kind of its processes killed: runs continue without help, and no process is left behind."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
import psutil
import pytest

from dq_pipelines.web.dagster_client.supervision import Backoff
from dq_pipelines_tests.web.gateway_processes import of_home, of_kind, replaced
from dq_pipelines_tests.web.served import SLOW, serving
from dq_pipelines_tests.web.test_serving_dagster import until
from dq_pipelines_tests.workshop import Workshop

SALES = """
source: {type: csv, path: "{landing}/sales/*.csv"}
on_arrival: true
silver: {columns: {id: int64}}
"""
STEPS = "import time\ndef wait(rows):\n    time.sleep(60)\n    return rows\n"


@dataclass
class Service:
    """A gateway under trial."""

    shop: Workshop
    process: subprocess.Popen[str]
    address: str
    landed: int = 0

    @property
    def home(self) -> Path:
        return self.shop.root / ".dagster_home"

    def land(self) -> None:
        self.landed += 1
        self.shop.land(f"sales/{self.landed:04}.csv", f"id\n{self.landed}\n")

    @property
    def log(self) -> str:
        return (self.shop.root / "serve.log").read_text()

    def all_is_published(self) -> bool:
        return bool(self.shop.rows("silver/sales", "id") == list(range(1, self.landed + 1)))


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    shop = Workshop(tmp_path_factory.mktemp("supervised"))
    shop.table("sales", SALES)
    with serving(shop) as (process, address):
        yield Service(shop, process, address)
    assert of_home(shop.root / ".dagster_home") == []


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["code server's child", "code server", "daemon", "watcher"])
def test_killed_processes_are_restarted_and_runs_continue(service: Service, kind: str) -> None:
    until(lambda: bool(of_kind(service.home, kind)), f"a {kind}")
    old = of_kind(service.home, kind)[-1]
    old.kill()
    service.land()
    until(replaced(service.home, kind, old), f"another {kind}")
    until(service.all_is_published, "the file that has landed since is published", 240)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["code server's child", "code server"])
def test_a_hanging_process_is_killed_and_restarted(service: Service, kind: str) -> None:
    old = of_kind(service.home, kind)[-1]
    old.send_signal(signal.SIGSTOP)
    service.land()
    until(replaced(service.home, kind, old), f"another {kind}", 240)
    until(service.all_is_published, "the file that has landed since is published", 240)
    assert "has not answered for" in service.log


@pytest.mark.slow
def test_the_log_has_a_line_for_each_event_and_no_traceback_of_what_was_killed(service: Service) -> None:
    until(lambda: statuses(service.shop)[0] == dg.DagsterRunStatus.SUCCESS, "the last run has ended")
    assert "restarted in " in service.log
    assert " rows to silver/sales, 0 to quarantine" in service.log
    assert [line for line in service.log.splitlines() if " - DEBUG - " in line or "Traceback" in line] == []


@pytest.mark.slow
def test_a_second_ctrl_c_ends_it_at_once_with_all_that_it_has_started(tmp_path: Path) -> None:
    shop = Workshop(tmp_path)
    home = tmp_path / ".dagster_home"
    start_slow_run(shop)
    with serving(shop, ended=130) as (process, _):
        until(lambda: dg.DagsterRunStatus.STARTED in statuses(shop), "a run is started", 240)
        process.send_signal(signal.SIGINT)
        until(
            lambda: "1 run under way counts as failed" in (shop.root / "serve.log").read_text(),
            "it says what it ends",
            60,
        )
        process.send_signal(signal.SIGINT)
        process.wait(30)
        assert of_home(home) == []
    assert (shop.root / "serve.log").read_text().startswith("dq serve: stopping; press Ctrl-C again to stop at once\n")


def start_slow_run(shop: Workshop) -> None:
    """Write the project with a table whose run takes a minute."""
    shop.table("slow", SLOW + "on_arrival: true\n")
    (shop.root / "slow_steps.py").write_text(STEPS)
    shop.land("slow/a.csv", "id\n1\n")


def statuses(shop: Workshop) -> list[dg.DagsterRunStatus]:
    with dg.DagsterInstance.from_config(str(shop.root / ".dagster_home")) as instance:
        return [run.status for run in instance.get_runs()]


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_nothing_outlives_it_and_a_run_in_flight_has_failed(tmp_path: Path, how: signal.Signals) -> None:
    shop = Workshop(tmp_path)
    home = tmp_path / ".dagster_home"
    start_slow_run(shop)
    with serving(shop) as (process, _):
        until(lambda: dg.DagsterRunStatus.STARTED in statuses(shop), "a run is started", 180)
        started = {one.pid for one in of_home(home)}
        process.send_signal(how)
        process.wait(60)
        until(lambda: not of_home(home), "all its processes have ended", 40)
    assert not [pid for pid in started if psutil.pid_exists(pid) and psutil.Process(pid).status() != "zombie"]
    assert statuses(shop)[-1] == dg.DagsterRunStatus.FAILURE
    assert shop.rows("silver/slow") == []
    said = "1 run under way counts as failed, and is retried\n"
    assert (said in (shop.root / "serve.log").read_text()) == (how is signal.SIGTERM)


@pytest.mark.slow
def test_a_run_whose_processes_were_all_killed_has_failed_and_is_done_again(tmp_path: Path) -> None:
    shop = Workshop(tmp_path)
    home = tmp_path / ".dagster_home"
    start_slow_run(shop)
    with serving(shop):
        until(lambda: dg.DagsterRunStatus.STARTED in statuses(shop), "a run is started", 180)
        for kind in ("code server", "code server's child", "run"):
            for process in of_kind(home, kind):
                os.kill(process.pid, signal.SIGKILL)
        (tmp_path / "slow_steps.py").write_text(STEPS.replace("60", "0"))
        until(lambda: dg.DagsterRunStatus.FAILURE in statuses(shop), "the run is told to have failed", 60)
        until(lambda: shop.rows("silver/slow", "id") == [1], "its batch is published by another run", 240)


def test_pauses_double_and_a_long_life_resets_them() -> None:
    backoff = Backoff(first=1, longest=4, a_while=30)
    assert [backoff.after(lived) for lived in (100, 1, 1, 1, 31, 1)] == [1, 2, 4, 4, 1, 2]
