"""However long the history, a page has as many points and asks as many queries, and finds what it wants by an index.

How long that takes is measured by `dq_pipelines_tests.benchmarks.dashboard`.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from dq_pipelines.history.store.verdicts import History
from dq_pipelines.lake.tables import Lake
from dq_pipelines.pipeline.runtime.stores import Stores
from dq_pipelines.web.dashboard import Site, dashboard
from dq_pipelines.web.dashboard.overview import SPARKS
from dq_pipelines.web.dashboard.table_summary import POINTS
from dq_pipelines_tests.benchmarks.dashboard import counted, fill

pytestmark = pytest.mark.slow

PATHS = ("/?days=all", "/tables/silver/t0?days=all&column=c1", "/tables/silver/t0/rules/check_1?days=all")


def stores(folder: Path, runs: int, tables: int) -> Stores:
    made = Stores(Lake(f"{folder}/lake"), History(f"sqlite:///{folder}/{runs}-{tables}.db"))
    fill(made.history, runs, tables)
    return made


def asked(of: Stores, path: str) -> tuple[str, list[tuple[str, Any]]]:
    """A page, and the queries that it took: on its own, so that nothing was asked before."""
    with TestClient(dashboard(Site(of, "none"))) as client, counted(of.history) as queries:
        answer = client.get(path)
    assert answer.status_code == 200
    return answer.text, queries


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("tables", [1, 5])
def test_a_long_history_has_no_more_points_and_queries_than_a_short_one(path: str, tables: int, tmp_path: Path) -> None:
    (_, few), (long, many) = (asked(stores(tmp_path, runs, tables), path) for runs in (30, 3_000))
    most = max(POINTS, SPARKS)
    drawn = [json.loads(block) for block in re.findall(r'class="chart-data"[^>]*>(.*?)</script>', long, re.DOTALL)]
    assert drawn
    for chart in drawn:
        assert all(len(series["x"]) <= most for series in chart["series"])
    # Of 3,000 runs each is in a point.
    told = [text for chart in drawn for series in chart["series"] if series["name"] in ("healthy", "warning", "failing", "good", "bad", "met", "silver/t0")
            for text in series["text"]]  # fmt: skip
    counts = [int(found[1].replace(",", "")) for text in told if (found := re.match(r"([\d,]+) runs", text))]
    assert sum(counts) % (3_000 // tables) == 0 < sum(counts)
    # Rules that fail are asked for by table, and in a short history a table may be without.
    assert abs(len(many) - len(few)) <= tables
    assert len(many) <= 20 + tables


@pytest.mark.parametrize("path", PATHS)
def test_no_query_reads_all_results(path: str, tmp_path: Path) -> None:
    of = stores(tmp_path, 500, 5)
    _, queries = asked(of, path)
    with of.history.engine.connect() as connection:
        for statement, parameters in queries:
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters).all()
            scanned = [step[-1] for step in plan if re.match(r"SCAN dq_(results|column_metrics)(?! USING)", step[-1])]
            assert scanned == [], statement
