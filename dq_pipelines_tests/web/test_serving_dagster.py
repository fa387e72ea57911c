"""`dq serve` with Dagster as a process: its UI, and its daemon, which is restarted and ends with the server."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

import dagster as dg
import pytest
from dagster._daemon.types import DaemonHeartbeat

from dq_pipelines.web.dagster_client.daemon import Daemon, daemon
from dq_pipelines_tests.web.conftest import build
from dq_pipelines_tests.web.served import dq, environment, serving
from dq_pipelines_tests.workshop import Workshop

pytestmark = pytest.mark.slow


def until(there: Callable[[], bool], what: str, seconds: float = 120) -> None:
    """Wait for something that is to come."""
    end = time.monotonic() + seconds
    while not there():
        assert time.monotonic() < end, f"not within {seconds} s: {what}"
        time.sleep(0.2)


def daemons(of: int) -> list[int]:
    """The process ids of the daemons that this process has started."""
    listed = subprocess.run(["ps", "-eww", "-o", "pid,ppid,args"], capture_output=True, text=True, check=True).stdout
    rows = [line.split(None, 2) for line in listed.splitlines()[1:]]
    return [int(pid) for pid, parent, command in rows if int(parent) == of and "daemon_child" in command]


def lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    return build(tmp_path_factory.mktemp("dagster"))


def beats(shop: Workshop) -> list[float]:
    with dg.DagsterInstance.from_config(str(shop.root / ".dagster_home")) as instance:
        return [beat.timestamp for beat in instance.get_daemon_heartbeats().values()]


def test_one_command_serves_the_ui_and_keeps_the_daemon_alive(shop: Workshop) -> None:
    with serving(shop) as (process, address):
        with urllib.request.urlopen(f"{address}/", timeout=60) as page:  # noqa: S310 - our own server
            assert "initialization-data" in page.read().decode()
        with urllib.request.urlopen(f"{address}/dashboard/", timeout=60) as page:  # noqa: S310 - our own server
            assert "Every table that has run is healthy" in page.read().decode()
        until(lambda: len(beats(shop)) > 3, "the daemon beats")
        [first] = daemons(process.pid)
        os.kill(first, signal.SIGKILL)
        until(lambda: daemons(process.pid) not in ([first], []), "the daemon is started again")
    assert "dq serve: the daemon ended (exit -9); it is restarted in 0.5 s\n" in (shop.root / "serve.log").read_text()
    assert daemons(process.pid) == []
    assert beats(shop) == [], "else the next server would take them for those of a daemon that lives"
    settings = (shop.root / ".dagster_home" / "dagster.yaml").read_text()
    assert "telemetry: {enabled: false}" in settings


def test_the_daemon_does_not_outlive_a_server_that_is_killed(shop: Workshop) -> None:
    with serving(shop) as (process, _):
        until(lambda: bool(daemons(process.pid)), "a daemon")
        [child] = daemons(process.pid)
        process.kill()
        process.wait(10)
        until(lambda: not lives(child), "the daemon has ended", 40)


def test_a_running_daemon_is_used(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        instance.add_daemon_heartbeat(DaemonHeartbeat(time.time() - 12, "SENSOR", "another", []))
        with daemon(instance, tmp_path / "workspace.yaml"):
            until(lambda: "a daemon runs already (heartbeat " in capfd.readouterr().err, "it is said")
            assert daemons(os.getpid()) == []
        assert list(instance.get_daemon_heartbeats()) == ["SENSOR"]


def test_a_daemon_is_alive_after_a_heartbeat_of_each_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance, subprocess.Popen(["sleep", "60"]) as child:
        monkeypatch.setattr("dq_pipelines.web.dagster_client.daemon.subprocess.Popen", lambda *_, **__: child)
        kept = Daemon(instance, tmp_path / "workspace.yaml")
        kept.look(threading.Event())
        kept._began -= 10
        seen = []
        for kind in sorted(instance.get_required_daemon_types()):
            seen.append(kept.failure.now is None)
            instance.add_daemon_heartbeat(DaemonHeartbeat(time.time(), kind, "ours", []))
            kept._listened -= 0.6  # the next look but one
            kept.look(threading.Event())
        assert (set(seen), kept.failure.now) == ({False}, None)
        child.kill()
        kept.end()


def test_without_a_daemon_there_is_none(shop: Workshop) -> None:
    (shop.root / "workspace.yaml").write_text("load_from: [{python_module: dq_pipelines.definitions}]\n")
    with serving(shop, "--no-daemon", "-w", "workspace.yaml") as (process, address):
        query = json.dumps(
            {"query": "{ locationStatusesOrError { ... on WorkspaceLocationStatusEntries { entries { name } } } }"}
        )
        asked = urllib.request.Request(f"{address}/graphql", query.encode(), {"content-type": "application/json"})  # noqa: S310
        with urllib.request.urlopen(asked, timeout=60) as answer:  # noqa: S310 - our own server
            entries = json.load(answer)["data"]["locationStatusesOrError"]["entries"]
        assert entries == [{"name": "dq_pipelines.definitions"}]
        assert daemons(process.pid) == []


def test_a_workspace_that_there_is_not_is_one_sentence(shop: Workshop) -> None:
    ran = subprocess.run(
        dq("serve", "--port", "0", "-w", "nosuch.yaml"), cwd=shop.root, env=environment(shop), capture_output=True,
        text=True, timeout=60, check=False,
    )  # fmt: skip
    said = "dq serve --workspace: wanted a file, found none at nosuch.yaml\n"
    assert (ran.returncode, ran.stdout, ran.stderr) == (2, "", said)
