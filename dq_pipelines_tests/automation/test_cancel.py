"""Terminate in the UI: a run in the midst of a long scan ends within two seconds, is CANCELED, and publishes nothing."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from dq_pipelines_tests.workshop import Workshop

ROOT = Path(__file__).parents[2]
#: Seconds from the moment that the request to terminate is answered.
PATIENCE = 2.0

WIDE = """
    source: {type: csv, path: "{landing}/wide.csv"}
    silver:
      columns: {id: int64, text: string}
      rules:
        - {type: expect_column_values_to_be_unique, column: text}
REGEXES
"""
REGEXES = "\n".join(
    f'        - {{type: expect_column_values_to_not_match_regex, column: text, regex: "(a|b+)([0-9]x?){{{n}}}$"}}'
    for n in range(1, 40)
)
#: A look-behind is judged by Python itself, text by text.
SLOW = """
    source: {type: csv, path: "{landing}/wide.csv"}
    silver:
      rules:
        - {type: expect_column_values_to_match_regex, column: text, regex: "(?<=t)(e|x|t|-|[0-9])*(?!z)-[0-9]+$"}
"""
PAIRS = """
    gold:
      sql: |
        select count(*) as pairs from silver.small a, silver.small b, silver.small c
        where hash(a.n + b.n * c.n) % 1000003 = 7
"""

pytestmark = pytest.mark.slow


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


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    workshop = Workshop(tmp_path_factory.mktemp("cancel"))
    workshop.table("wide", WIDE.replace("REGEXES", REGEXES))
    workshop.table("slow", SLOW)
    workshop.table("small", 'source: {type: csv, path: "{landing}/small.csv"}\nsilver: {columns: {n: int64}}')
    workshop.table("pairs", PAIRS)
    workshop.land("small.csv", "n\n" + "".join(f"{n}\n" for n in range(20_000)))
    rows = pl.select(id=pl.int_range(6_000_000)).lazy().with_columns(text="text-" + pl.col("id").cast(pl.String))
    rows.sink_csv(workshop.landing / "wide.csv")
    return workshop


@pytest.fixture(scope="module")
def served(shop: Workshop) -> Iterator[Served]:
    home = shop.root / "dagster_home"
    home.mkdir()
    # No queue: that would want a daemon beside the webserver.
    (home / "dagster.yaml").write_text(
        "telemetry: {enabled: false}\n"
        "run_coordinator: {module: dagster.core.run_coordinator, class: DefaultRunCoordinator}\n",
        encoding="utf-8",
    )
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
    command: list[str | Path] = [
        Path(sys.executable).parent / "dagster-webserver",
        "-m",
        "dq_pipelines.definitions",
        "-p",
        str(port),
    ]
    log = shop.root / "webserver.log"
    with (
        log.open("wb") as out,
        subprocess.Popen(command, cwd=shop.root, env=environment, stdout=out, stderr=subprocess.STDOUT) as webserver,
    ):
        served = Served(port)
        try:
            served.wait_until_up()
            yield served
        finally:
            webserver.terminate()
            webserver.wait(60)
            shutil.rmtree(shop.landing)


def wait_for(served: Served, run: str, *wanted: str, seconds: float) -> float:
    """Seconds until the run has one of these statuses."""
    begun = time.monotonic()
    while (status := served.status(run)) not in wanted:
        assert time.monotonic() - begun < seconds, f"after {seconds} s the run is {status}, wanted {wanted}"
        assert status not in ("SUCCESS", "FAILURE", "CANCELED"), f"the run is {status}, wanted {wanted}"
        time.sleep(0.05)
    return time.monotonic() - begun


def step_has_begun(shop: Workshop, key: str) -> bool:
    """Whether the table's stage is there: the scan is about to begin or has begun."""
    return any((Path(shop.lake.root) / key).glob("*"))


@pytest.mark.parametrize("table", ["wide", "slow", "pairs"])
def test_a_terminated_run_is_canceled_and_publishes_nothing(shop: Workshop, served: Served, table: str) -> None:
    key = "gold/pairs" if table == "pairs" else f"silver/{table}"
    if table == "pairs":
        wait_for(served, served.launch(["bronze/small", "silver/small", "quarantine/small"]), "SUCCESS", seconds=60)
    before = shop.versions()
    keys = [key] if table == "pairs" else [f"{layer}/{table}" for layer in ("bronze", "silver", "quarantine")]
    run = served.launch(keys)
    wait_for(served, run, "STARTED", seconds=60)
    until = time.monotonic() + 60
    while table != "pairs" and not step_has_begun(shop, key) and time.monotonic() < until:
        time.sleep(0.05)
    time.sleep(2)  # in the midst of it
    assert served.status(run) == "STARTED", "the scan was over before it could be cancelled: make it longer"
    served.terminate(run)
    wait_for(served, run, "CANCELED", seconds=PATIENCE)
    assert shop.versions() == before
    # A file that was being written may stay, named by no commit: the next run of the batch removes it (`test_killed`).
