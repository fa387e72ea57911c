"""Dagster as it is deployed: a webserver, a daemon where one is wanted, and each run in a process of its own."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dq_pipelines_tests.workshop import Workshop

ROOT = Path(__file__).parents[2]


class Served:
    """Dagster's own webserver, which launches each run in a process of its own."""

    def __init__(self, port: int) -> None:
        self.address = f"http://127.0.0.1:{port}/graphql"

    def ask(self, query: str, **variables: Any) -> dict[str, Any]:
        body = json.dumps({"query": query, "variables": variables}).encode()
        request = urllib.request.Request(self.address, body, {"Content-Type": "application/json"})  # noqa: S310 our own
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 as above
            said: dict[str, Any] = json.load(answer)
        assert "errors" not in said, said
        data: dict[str, Any] = said["data"]
        return data

    def wait_until_up(self) -> None:
        until = time.monotonic() + 120
        while time.monotonic() < until:
            try:
                if self.ask("{ repositoriesOrError { ... on RepositoryConnection { nodes { name } } } }"):
                    return
            except (urllib.error.URLError, ConnectionError, TimeoutError):
                time.sleep(0.3)
        raise AssertionError("the webserver did not answer within two minutes")

    def launch(self, keys: list[str]) -> str:
        selector = {
            "repositoryName": "__repository__",
            "repositoryLocationName": "dq_pipelines.definitions",
            "jobName": "__ASSET_JOB",
            "assetSelection": [{"path": key.split("/")} for key in keys],
        }
        said = self.ask(
            """mutation($params: ExecutionParams!) { launchRun(executionParams: $params) {
                 __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message }
                 ... on RunConfigValidationInvalid { errors { message } } } }""",
            params={"selector": selector, "mode": "default"},
        )["launchRun"]
        assert said["__typename"] == "LaunchRunSuccess", said
        return str(said["run"]["runId"])

    def status(self, run: str) -> str:
        said = self.ask("query($id: ID!) { runOrError(runId: $id) { ... on Run { status } } }", id=run)
        return str(said["runOrError"]["status"])

    def terminate(self, run: str) -> None:
        said = self.ask(
            "mutation($id: String!) { terminateRun(runId: $id) { __typename ... on PythonError { message } } }", id=run
        )["terminateRun"]
        assert said["__typename"] == "TerminateRunSuccess", said


@contextmanager
def serving(shop: Workshop, settings: str, *, daemon: bool = False) -> Iterator[Served]:
    """The workshop's project served with these settings of Dagster's, its records under `dagster_home`."""
    home = shop.root / "dagster_home"
    home.mkdir()
    (home / "dagster.yaml").write_text("telemetry: {enabled: false}\n" + settings, encoding="utf-8")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "DAGSTER_HOME": str(home),
        "DQ_CONFIG": str(shop.root / "assets_config"),
        "DQ_LAKE": shop.lake.root,
        "DQ_LANDING": str(shop.landing),
    }
    tools = Path(sys.executable).parent
    module = ["-m", "dq_pipelines.definitions"]
    commands: list[list[str | Path]] = [[tools / "dagster-webserver", *module, "-p", str(port)]]
    if daemon:
        commands.append([tools / "dagster-daemon", "run", *module])
    with contextlib.ExitStack() as stack:
        for command in commands:
            out = stack.enter_context((shop.root / f"{Path(command[0]).name}.log").open("wb"))
            process = stack.enter_context(
                subprocess.Popen(command, cwd=shop.root, env=environment, stdout=out, stderr=subprocess.STDOUT)
            )
            stack.callback(process.wait, 60)
            stack.callback(process.terminate)
        served = Served(port)
        served.wait_until_up()
        yield served
