"""How long the dashboard takes for a page about 10,000 runs: `python -m dq_pipelines_tests.benchmarks.dashboard [RUNS]`.

Two histories on SQLite: 15 tables that share the runs, and one table that has them all; 10 rules and 6 columns each.
Medians of requests after the first, of which each is a whole page through the app, in this process.
"""

from __future__ import annotations

import random
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from dq_pipelines.history.store.changes import mark_changed
from dq_pipelines.history.store.schema import ATTEMPTS, BATCH_METRICS, COLUMN_METRICS, RESULTS, VERDICTS
from dq_pipelines.history.store.verdicts import History
from dq_pipelines.lake.tables import Lake
from dq_pipelines.pipeline.runtime.stores import Stores

RULES, COLUMNS = 10, 6
#: Runs that one transaction writes.
_AT_ONCE = 2_000
PATHS = (
    "/",
    "/?days=all",
    "/tables/silver/t0?days=all&column=c1",
    "/tables/silver/t0/rules/check_0?days=all",
    "/pulse",
)


def fill(
    history: History, runs: int, tables: int, *, days: int = 365, rules: int = RULES, columns: int = COLUMNS
) -> None:
    """So many runs of so many tables within these days; some rules of each fail now and then, one always."""
    dice = random.Random(7)  # noqa: S311 - the same history each time
    began = datetime.now(UTC).replace(tzinfo=None) - timedelta(days=days)
    for start in range(1, runs + 1, _AT_ONCE):
        rows: dict[sa.Table, list[dict[str, Any]]] = {}
        for number in range(start, min(start + _AT_ONCE, runs + 1)):
            at = began + timedelta(days=days * number / (runs + 1))
            for table, some in _run(dice, number, f"silver/t{number % tables}", at, rules, columns).items():
                rows.setdefault(table, []).extend(some)
        with history.engine.begin() as connection:
            for table, some in rows.items():
                if some:
                    connection.execute(table.insert(), some)
            mark_changed(connection, {row["table"] for row in rows[VERDICTS]})


def _run(
    dice: random.Random, number: int, table: str, at: datetime, rules: int, columns: int
) -> dict[sa.Table, list[dict[str, Any]]]:
    """The rows of one run."""
    same = {"table": table, "batch": f"b-{number}", "run_id": f"{number:032x}", "partition": None, "started_at": at}
    results = []
    for rule in range(rules):
        wrong = 5 if rule == 0 or dice.random() < 0.05 else 0
        results.append({
            "verdict_id": number, "check": f"check_{rule}", "rule": f"expect_{rule}", "column": f"c{rule % COLUMNS}",
            "severity": "critical" if rule % 2 else "warning", "success": not wrong, "blocks": False,
            "element_count": 1000, "missing_count": 0, "unexpected_count": wrong, "observed_value": "null",
            "score": 1 - wrong / 1000,
        })  # fmt: skip
    return {
        VERDICTS: [same | {
            "id": number, "duration_seconds": 2.0, "rows_in": 1000, "published": 990, "refused": 8, "dropped": 2, "blocked": False,
        }],
        ATTEMPTS: [same | {
            "id": number, "ended_at": at + timedelta(seconds=2), "recheck": False, "outcome": "published", "said": "", "process": "",
        }],
        BATCH_METRICS: [{"verdict_id": number, "bytes": 10_000}],
        RESULTS: results,
        COLUMN_METRICS: [
            {
                "verdict_id": number, "column": f"c{place}", "place": place, "count": 1000, "null_count": 3,
                "mean": dice.gauss(50, 2), "standard_deviation": abs(dice.gauss(10, 1)), "outlier_count": 2,
            }
            for place in range(columns)
        ],
    }  # fmt: skip


@contextmanager
def counted(history: History) -> Iterator[list[tuple[str, Any]]]:
    """Every query that is asked of the history within this block, with its parameters."""
    asked: list[tuple[str, Any]] = []

    def ask(_connection: Any, _cursor: Any, statement: str, parameters: Any, _context: Any, _many: bool) -> None:
        asked.append((statement, parameters))

    sa.event.listen(history.engine, "before_cursor_execute", ask)
    try:
        yield asked
    finally:
        sa.event.remove(history.engine, "before_cursor_execute", ask)


def main() -> None:
    from starlette.testclient import TestClient

    from dq_pipelines.web.dashboard import Site, dashboard

    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    for tables in (15, 1):
        with tempfile.TemporaryDirectory() as folder:
            stores = Stores(Lake(f"{folder}/lake"), History(f"sqlite:///{folder}/h.db"))
            fill(stores.history, runs, tables)
            size = Path(f"{folder}/h.db").stat().st_size / 1e6
            print(f"\n{runs:,} runs of {tables} tables, {RULES} rules, {COLUMNS} columns: {size:.0f} MB")
            with TestClient(dashboard(Site(stores, f"{folder}/none"))) as client:
                for path in PATHS:
                    client.get(path)
                    seconds, cpu = [], []
                    for _ in range(7):
                        began, used = time.perf_counter(), time.process_time()
                        answer = client.get(path)
                        seconds.append(time.perf_counter() - began)
                        cpu.append(time.process_time() - used)
                    print(
                        f"{answer.status_code} {1000 * statistics.median(seconds):6.0f} ms, CPU "
                        f"{1000 * statistics.median(cpu):6.0f} ms, {len(answer.content) / 1000:6.0f} kB  {path}"
                    )


if __name__ == "__main__":
    main()
