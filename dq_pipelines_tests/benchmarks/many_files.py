"""Many small files: how the time of landing and judging grows with their number, in one batch and in batches of `max_files`.

`python -m dq_pipelines_tests.benchmarks.many_files FILES MAX_FILES` in a process of its own, which prints the seconds; 0 files
at most means all in one batch.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from dq_pipelines_tests.benchmarks.measure import measured

#: Files, and how many of them a run takes at most.
SIZES = ((1_000, 0), (4_000, 0), (4_000, 1_000), (100_000, 1_000))
SMALL_SIZES = ((100, 0), (400, 0), (400, 100))

_ABOUT = """## Many small files

CSVs of two rows each, from their landing to silver: one run of each. Seconds of the work alone, of CPU, and peak memory.

| files | a run takes | runs | work | CPU | CPU of a file | peak memory | rows |
|---:|---:|---:|---:|---:|---:|---:|---|"""


def sections(*, quick: bool) -> Iterator[tuple[str, bool]]:
    """The page's section line by line, each with whether what was found is right."""
    yield _ABOUT, True
    for files, most in SMALL_SIZES if quick else SIZES:
        run = measured("many_files", str(files), str(most))
        rows, runs = run.found
        good = rows == 2 * files
        yield (
            (
                f"| {files:,} | {f'{most:,}' if most else 'all'} | {runs} | {run.work:.1f} s | {run.cpu:.1f} s "
                f"| {1000 * run.cpu / files:.1f} ms | {run.memory:,.0f} MB | {'right' if good else f'{rows:,}'} |"
            ),
            good,
        )
    yield "", True


def refine_all(folder: Path, files: int, most: int) -> tuple[int, int, float]:
    """Rows in silver, runs and seconds."""
    from dq_pipelines import load_project
    from dq_pipelines.lake.tables import Lake
    from dq_pipelines.pipeline.runtime.table_run import TableRun
    from dq_pipelines.pipeline.silver.refinement import refine

    landing, config = folder / "landing", folder / "assets_config" / "bench"
    landing.mkdir()
    config.mkdir(parents=True)
    (config.parent / "project.yaml").write_text("name: bench\n", encoding="utf-8")
    source = f"source: {{type: csv, path: '{landing}/*.csv'}}\nmax_files: {most or 'null'}\n"
    (config / "many.yaml").write_text(f"{source}silver: {{columns: {{id: int64, price: int64}}}}\n", encoding="utf-8")
    for number in range(files):
        (landing / f"{number}.csv").write_text(f"id,price\n{number},1\n{number},2\n", encoding="utf-8")
    (table,) = load_project(config.parent)
    lake, runs, began = Lake.at(str(folder / "lake")), 0, time.perf_counter()
    while refine(TableRun(table, lake)) is not None:
        runs += 1
    return lake.table("silver/many").rows(), runs, time.perf_counter() - began


if __name__ == "__main__":
    _, wanted, at_most = sys.argv
    with tempfile.TemporaryDirectory() as scratch:
        rows, runs, seconds = refine_all(Path(scratch), int(wanted), int(at_most))
        print(json.dumps({"found": [rows, runs], "seconds": seconds}))
