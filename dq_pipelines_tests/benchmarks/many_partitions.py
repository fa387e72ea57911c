"""A table of many partitions: what it costs to land one more file of one of them.

`python -m dq_pipelines_tests.benchmarks.many_partitions PARTITIONS append|merge` in a process of its own, which prints the CPU
seconds of the runs in JSON. Each partition is a day with one file, landed by a run of its own.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from statistics import median

#: Runs that are measured: each lands a second file of another day.
RUNS = 20
START = date(2020, 1, 1)


def seconds_by_run(folder: Path, partitions: int, mode: str) -> Iterator[float]:
    """CPU seconds of the whole process for each of the last runs."""
    from dq_pipelines import load_project
    from dq_pipelines.lake.tables import Lake
    from dq_pipelines.pipeline.runtime.table_run import TableRun
    from dq_pipelines.pipeline.silver.refinement import refine

    landing, config = folder / "landing", folder / "assets_config" / "bench"
    config.mkdir(parents=True)
    (config.parent / "project.yaml").write_text("name: bench\n", encoding="utf-8")
    keys = ", keys: [id]" if mode == "merge" else ""
    (config / "parted.yaml").write_text(
        f"source: {{type: csv, path: '{landing}/*/*.csv'}}\n"
        f"partitions: {{type: daily, start: {START}}}\n"
        f"silver: {{columns: {{id: int64, price: int64}}{keys}}}\n",
        encoding="utf-8",
    )
    (table,) = load_project(config.parent)
    lake = Lake.at(str(folder / "lake"))
    for number in range(partitions + RUNS):
        day = (START + timedelta(days=number if number < partitions else number % partitions)).isoformat()
        (landing / day).mkdir(parents=True, exist_ok=True)
        (landing / day / f"{number:06}.csv").write_text(f"id,price\n{number},1\n{number + 1},2\n", encoding="utf-8")
        began = time.process_time()
        outcome = refine(TableRun(table, lake, day))
        took = time.process_time() - began
        assert outcome is not None
        assert outcome.counts.published == 2
        if number >= partitions:
            yield took


if __name__ == "__main__":
    _, count, how = sys.argv
    with tempfile.TemporaryDirectory() as scratch:
        seconds = list(seconds_by_run(Path(scratch), int(count), how))
    print(json.dumps({"partitions": int(count), "median": round(median(seconds), 4), "most": round(max(seconds), 4)}))
