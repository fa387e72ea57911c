"""Mean, standard deviation and outliers of a CSV of one column: `python -m dq_pipelines_tests.benchmarks.column TOOL CSV`.

The program to reach is `cpp/metrics.cpp`, which maps the file and parses it in one thread, compiled here. Seconds are those of
the work alone: a process that measures runs has its libraries loaded.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from dq_pipelines_tests.benchmarks.measure import Measurement, measured, median

TOOLS = {
    "cpp": "C++17, mapped, one thread",
    "ours": "dq_pipelines",
    "duckdb": "DuckDB",
    "pandas": "pandas",
}
ROWS = 10_000_000

Found = tuple[int, float, float, int]


def against_cpp(data: Path, *, quick: bool, repeats: int) -> tuple[str, bool]:
    """The tools in turn: a section of the page, and whether ours finds what the program finds."""
    rows = ROWS // 10 if quick else ROWS
    csv = data / f"column_{rows}.csv"
    if not csv.exists():
        write(csv, rows)
    tools = {name: title for name, title in TOOLS.items() if name != "cpp" or shutil.which("g++")}
    runs: dict[str, list[Measurement]] = {name: [] for name in tools}
    for _ in range(repeats):
        for name, done in runs.items():
            done.append(measured("column", name, str(csv)))
            print(f"{name}: {done[-1].work:.3f} s", flush=True)
    of = {name: median(done) for name, done in runs.items()}
    first = next(iter(of.values()))
    lines = [
        f"## Metrics of one column: a CSV of {rows:,} rows\n",
        "Mean, standard deviation, and values more than 3 standard deviations from the mean.\n",
        "| | work alone | × | peak memory | outliers |",
        "|---|---:|---:|---:|---:|",
        *(
            f"| {tools[name]} | {run.work:.3f} s | {run.work / first.work:.2f} | {run.memory:,.0f} MB | {run.found[3]:,} |"
            for name, run in of.items()
        ),
    ]
    if "cpp" not in tools:
        lines.append("\nNo g++ here: the C++ program is left out.")
    return "\n".join([*lines, ""]), same(of["ours"].found, first.found)


def write(csv: Path, rows: int) -> None:
    """Numbers around 100, seeded, with four places."""
    import numpy as np
    import polars as pl

    csv.parent.mkdir(parents=True, exist_ok=True)
    values = np.round(np.random.default_rng(7).normal(100, 15, rows), 4)
    pl.DataFrame({"value": values}).write_csv(csv)


def same(one: list[float], other: list[float]) -> bool:
    """Whether both have the same counts, and moments to ten digits."""
    close = all(abs(a - b) <= 1e-10 * abs(b) for a, b in zip(one[1:3], other[1:3], strict=True))
    return close and (one[0], one[3]) == (other[0], other[3])


def cpp(csv: str) -> tuple[Found, float]:
    """The program, compiled anew; its own seconds, without the start of a process."""
    source = Path(__file__).parent / "cpp" / "metrics.cpp"
    with tempfile.TemporaryDirectory() as folder:
        program = f"{folder}/metrics"
        subprocess.run(["g++", "-O3", "-march=native", "-std=c++17", "-o", program, str(source)], check=True)
        said = subprocess.run([program, csv], check=True, capture_output=True, text=True).stdout.split()
    return (int(said[0]), float(said[1]), float(said[2]), int(said[3])), float(said[4])


def timed(work: Callable[[str], Found], csv: str) -> tuple[Found, float]:
    began = time.perf_counter()
    return work(csv), time.perf_counter() - began


def ours(csv: str) -> Found:
    from dq_pipelines.monitoring.metrics.file_metrics import metrics_of_file

    (found,) = metrics_of_file(csv)
    return found.count, found.mean or 0.0, found.standard_deviation or 0.0, found.outlier_count or 0


def duckdb(csv: str) -> Found:
    from duckdb import connect

    with connect() as connection:
        connection.execute("CREATE TABLE t AS SELECT * FROM read_csv(?)", [csv])
        found = connection.execute(
            "SELECT count(value), avg(value), stddev_samp(value), count(*) FILTER (abs(value - m) > 3 * s)"
            " FROM t, (SELECT avg(value) AS m, stddev_samp(value) AS s FROM t)"
        ).fetchall()[0]
    return int(found[0]), float(found[1]), float(found[2]), int(found[3])


def pandas(csv: str) -> Found:
    from pandas import read_csv

    values = read_csv(csv)["value"]
    mean, deviation = float(values.mean()), float(values.std())
    return len(values), mean, deviation, int(((values - mean).abs() > 3 * deviation).sum())


if __name__ == "__main__":
    _, name, path = sys.argv
    if name == "cpp":
        found, seconds = cpp(path)
    else:
        __import__({"ours": "dq_pipelines.monitoring.metrics.file_metrics"}.get(name, name))
        found, seconds = timed({"ours": ours, "duckdb": duckdb, "pandas": pandas}[name], path)
    print(json.dumps({"found": found, "seconds": seconds}))
