"""A project of a thousand tables beside one of one: a run of one table, its later runs, and loading them all.

`python -m dq_pipelines_tests.benchmarks.project_size FOLDER hello|run|grow|later|load` in a process of its own, which prints what it did.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from shutil import rmtree

from dq_pipelines_tests.benchmarks import page_times
from dq_pipelines_tests.benchmarks.measure import Measurement, measured, median
from dq_pipelines_tests.benchmarks.table_project import RULES, write_project

TABLES, FEW = 1_000, 100
#: Verdicts of each table, for pages.
VERDICTS = 100
REPEATS = 3
#: Batches before a later run: the logs of the table's layers have checkpoints by then.
BATCHES = 30
#: The goals: at most so many times as much CPU as the line above it: a run as against an empty asset; a run of many batches as against the
#: first; a run among many tables; loading a table among ten times as many.
MOST_OF_EMPTY, MOST_LATER, MOST_AMONG_MANY, MOST_PER_TABLE = 2.0, 1.2, 1.2, 1.5

_ABOUT = f"""## Many tables

`dagster asset materialize` of an empty asset of Dagster's, and of one small table with {RULES} rules in a project of one table and
of many, and after {BATCHES} batches; then `dq_pipelines.definitions` with all tables, as a code server loads it. Medians of CPU of whole
processes; × is the ratio to the line above, of loading that of the CPU of a table.

| | tables | CPU | × | limit | |
|---|---:|---:|---:|---:|---|"""

_HELLO = """
import dagster as dg


@dg.asset
def empty() -> None: ...


defs = dg.Definitions(assets=[empty], executor=dg.in_process_executor)
"""


def sections(*, quick: bool) -> Iterator[tuple[str, bool]]:
    """The page's section line by line, each with whether what was found is right."""
    many = FEW if quick else TABLES
    yield _ABOUT, True
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        for tables in (1, many // 10, many):
            write_project(folder / str(tables), tables)
        (folder / "1" / "hello.py").write_text(_HELLO, encoding="utf-8")
        write_project(folder / "old", 1)
        measured("project_size", str(folder / "old"), "grow")
        hello = _median(folder / "1", "hello")
        yield _line("an empty asset", 0, hello.cpu, None, 0, hello.found == [0])
        one, among = (_median(folder / str(tables), "run") for tables in (1, many))
        yield _line("one table", 1, one.cpu, one.cpu / hello.cpu, MOST_OF_EMPTY, one.found == [2])
        later = _median(folder / "old", "later")
        right = later.found == [2 * (BATCHES + REPEATS)]
        yield _line(f"one table after {BATCHES} batches", 1, later.cpu, later.cpu / one.cpu, MOST_LATER, right)
        yield _line("one table among many", many, among.cpu, among.cpu / one.cpu, MOST_AMONG_MANY, among.found == [2])
        base, some, all_ = (_median(folder / str(tables), "load") for tables in (1, many // 10, many))
        per_table = [(run.cpu - base.cpu) / (run.found[0] - 1) for run in (some, all_)]
        yield _line("load all", some.found[0], some.cpu, None, 0, some.found[0] >= many // 10)
        ratio = per_table[1] / per_table[0]
        yield _line("load all", all_.found[0], all_.cpu, ratio, MOST_PER_TABLE, all_.found[0] >= many)
        yield from page_times.sections(folder / str(many), tables=many, verdicts=many * VERDICTS)
    yield "", True


def _median(folder: Path, verb: str) -> Measurement:
    return median([measured("project_size", str(folder), verb) for _ in range(REPEATS)])


def _line(what: str, tables: int, cpu: float, ratio: float | None, goal: float, right: bool) -> tuple[str, bool]:
    times, most, met = (
        ("", "", "") if ratio is None else (f"{ratio:.2f}", f"{goal:g}", "met" if ratio <= goal else "missed")
    )
    return (
        f"| {what} | {tables or ''} | {cpu:.2f} s | {times} | {most} | {met} | {'right' if right else 'WRONG'} |",
        right,
    )


def grow(folder: Path) -> int:
    """The rows of a table after so many batches, one after the other."""
    from dq_pipelines import load_project
    from dq_pipelines.lake.tables import Lake
    from dq_pipelines.pipeline.runtime.table_run import TableRun
    from dq_pipelines.pipeline.silver.refinement import refine

    table, lake = load_project(folder / "assets_config").tables["t0"], Lake.at(str(folder / "lake"))
    for _ in range(BATCHES):
        refine(TableRun(table, lake))
        land(folder)
    return lake.table("silver/t0").rows()


def land(folder: Path) -> None:
    """Write one more file of three rows with keys of their own."""
    landing = folder / "landing" / "t0"
    number = len(list(landing.iterdir()))
    head, *rows = (landing / "day.csv").read_text(encoding="utf-8").splitlines()
    lines = [head, *(f"{number}{row}" for row in rows)]
    (landing / f"{number}.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")


def done(folder: Path, verb: str) -> int:
    """The rows that runs published, or the tables that were loaded."""
    if verb == "grow":
        return grow(folder)
    if verb == "load":
        from dq_pipelines.definitions import defs

        keys = defs.resolve_asset_graph().materializable_asset_keys
        return sum(key.path[0] in ("silver", "gold") for key in keys)
    from dagster._cli import main as dagster

    where = ["-f", "hello.py"] if verb == "hello" else ["-m", "dq_pipelines.definitions"]
    sys.argv = ["dagster", "asset", "materialize", *where, "--select", "empty" if verb == "hello" else "silver/t0"]
    try:
        dagster()  # type: ignore[no-untyped-call]
    except SystemExit as end:
        if end.code:
            raise
    if verb == "hello":
        return 0
    from dq_pipelines.lake.tables import Lake

    return Lake.at(str(folder / "lake")).table("silver/t0").rows()


if __name__ == "__main__":
    _, place, asked = sys.argv
    root = Path(place)
    for made in () if asked == "later" else ("lake", "home"):
        rmtree(root / made, ignore_errors=True)
    (root / "home").mkdir(exist_ok=True)
    (root / "home" / "dagster.yaml").write_text("telemetry: {enabled: false}\n", encoding="utf-8")
    names = {"DQ_CONFIG": "assets_config", "DQ_LAKE": "lake", "DQ_STATE": "state", "DAGSTER_HOME": "home"}
    os.environ.update({name: str(root / folder) for name, folder in names.items()})
    os.chdir(root)
    began = time.perf_counter()
    found = done(root, asked)
    if asked == "later":
        land(root)
    print(json.dumps({"found": [found], "seconds": time.perf_counter() - began}))
