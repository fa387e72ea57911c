"""How much CPU the server takes for its pages about many tables, at first and then after each verdict.

`python -m dq_pipelines_tests.benchmarks.page_times FOLDER TABLES VERDICTS` in a process of its own, which prints it. The folder has a
project as `table_project` writes it, and keeps the lake and the history that are made for it.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from shutil import copytree
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from dq_pipelines_tests.benchmarks.measure import measured
from dq_pipelines_tests.benchmarks.table_project import RULES

if TYPE_CHECKING:
    from dq_pipelines.pipeline.runtime.stores import Stores

#: The most CPU seconds of a page.
MOST = 1.0
REPEATS = 5

_ABOUT = """
Pages about {tables:,} tables, each with rows in the lake, and {verdicts:,} verdicts of {rules} rules on SQLite. CPU of the server: of its warm-up,
where an earlier server has stored the counts of the lake; of the first view of a page after it; and the median of views, each after another verdict.

| | first | then | goal | | results |
|---|---:|---:|---:|---|---|"""


def sections(folder: Path, *, tables: int, verdicts: int) -> Iterator[tuple[str, bool]]:
    """The lines of the page about times of pages, each with whether the page was right."""
    yield _ABOUT.format(tables=tables, verdicts=verdicts, rules=RULES), True
    for name, first, then, is_right in measured("page_times", str(folder), str(tables), str(verdicts)).found:
        said = "right" if is_right else "WRONG"
        if then is None:
            yield f"| {name} | {first:.2f} s | | | | {said} |", is_right
            continue
        goal = "met" if max(first, then) <= MOST else "missed"
        yield f"| {name} | {first:.2f} s | {then:.2f} s | {MOST:g} s | {goal} | {said} |", is_right


def _stores(folder: Path, tables: int, verdicts: int) -> Stores:
    """A lake of one table that is really landed, and its copies; a history of so many verdicts on them."""
    from dq_pipelines.history.store.verdicts import History
    from dq_pipelines.lake.tables import Lake
    from dq_pipelines.pipeline.runtime.stores import Stores
    from dq_pipelines_tests.benchmarks.dashboard import fill

    measured("project_size", str(folder), "run")
    for layer in ("bronze", "silver", "quarantine"):
        for number in range(1, tables):
            copytree(folder / "lake" / layer / "t0", folder / "lake" / layer / f"t{number}")
    history = History(f"sqlite:///{folder}/history.db")
    fill(history, verdicts, tables, days=100, rules=RULES, columns=0)
    return Stores(Lake(str(folder / "lake")), history)


def times(folder: Path, tables: int, verdicts: int) -> list[tuple[str, float, float | None, bool]]:
    """By page: CPU seconds at first and then, and whether it is right; before them, the warm-up."""
    from dq_pipelines.web.app import application
    from dq_pipelines.web.dashboard import Site
    from dq_pipelines.web.dashboard.table_page import TABS
    from dq_pipelines.web.warm_up import warm_up

    stores, config = _stores(folder, tables, verdicts), str(folder / "assets_config")
    Site(stores, config).lake.now([f"silver/t{number}" for number in range(tables)])
    with _cpu() as spent:
        warm_up(application(site := Site(stores, config)), site)
    found: list[tuple[str, float, float | None, bool]] = [("Warm-up", spent[0], None, len(site.latest()) == tables)]
    for name, path, is_right in (
        ("Overview", "/dashboard/", lambda text: f"{tables:,} of {tables:,} tables need attention" in text),
        ("Overview, a domain", "/dashboard/?domain=d01&sort=score", lambda text: "Show all tables" in text),
        ("Catalog", "/dashboard/catalog", lambda text: "<svg" in text),
        ("Catalog, a domain by name", "/dashboard/catalog?domain=d01&sort=table", lambda text: "Show all tables" in text),
        ("Table", "/dashboard/tables/silver/t1", lambda text: "silver/t1" in text),
        *((f"Table, {tab}", f"/dashboard/tables/silver/t1?tab={tab}", lambda text: "silver/t1" in text) for tab in TABS),
        ("Search", "/dashboard/search?q=amount", lambda text: "t1" in text),
        ("Quarantine", "/dashboard/quarantine", lambda text: "silver/t1" in text),
        ("Alerts", "/dashboard/alerts", lambda text: "alert" in text),
        ("Pipelines", "/dashboard/pipelines", lambda text: "t1" in text),
        ("Pipeline", "/dashboard/pipelines/t1", lambda text: "expect_" in text),
        ("Rule", "/dashboard/tables/silver/t1/rules/check_1", lambda text: "expect_1" in text),
        ("`/api/v1/tables?limit=1000`", "/api/v1/tables?limit=1000", lambda text: len(json.loads(text)["items"]) >= min(tables, 1000)),
        ("`/api/v1/quality/scores`", "/api/v1/quality/scores", lambda text: len(json.loads(text)["tables"]) == tables),
        ("`/metrics`", "/metrics", lambda text: "dq_table_status" in text),
    ):  # fmt: skip
        found.append((name, *_times_of(Site(stores, config), path, is_right)))
    return found


def _times_of(site: Any, path: str, is_right: Callable[[str], bool]) -> tuple[float, float, bool]:
    from starlette.testclient import TestClient

    from dq_pipelines.web.app import application
    from dq_pipelines.web.warm_up import warm_up

    warm_up(app := application(site), site)
    with TestClient(app, base_url="http://127.0.0.1", client=("127.0.0.1", 1)) as client:
        client.get("/health")
        with _cpu() as first:
            text = client.get(path).text
        right, last = is_right(text), site.stores.history.latest("silver/t1")
        then = []
        for _ in range(REPEATS):
            site.stores.history.record(
                replace(last, batch=f"b-{uuid4()}", run_id=uuid4().hex, started_at=datetime.now(UTC))
            )
            with _cpu() as again:
                text = client.get(path).text
            right &= is_right(text)
            then += again
    return first[0], statistics.median(then), right


@contextmanager
def _cpu() -> Iterator[list[float]]:
    """The CPU seconds of this process within the block."""
    used: list[float] = []
    began = time.process_time()
    yield used
    used.append(time.process_time() - began)


if __name__ == "__main__":
    _, place, tables, verdicts = sys.argv
    os.environ["DQ_STATE"] = f"{place}/state"
    began = time.perf_counter()
    found = times(Path(place), int(tables), int(verdicts))
    print(json.dumps({"found": found, "seconds": time.perf_counter() - began}))
