"""One table that grows old: how the CPU time of a batch changes with the number of batches before it.

`python -m dq_pipelines_tests.benchmarks.many_batches BATCHES append|merge [PARTITIONS]` in a process of its own, which prints the
CPU seconds of the batches in windows. Each batch is one file of ten rows, and all files stay in the landing folder.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import mean, median

#: Batches to a window.
WINDOW = 50
ROWS = 10


def seconds_by_batch(folder: Path, batches: int, mode: str) -> Iterator[float]:
    """CPU seconds of the whole process for each batch, from the landing of its file to silver."""
    from dq_pipelines import load_project
    from dq_pipelines.lake.tables import Lake
    from dq_pipelines.pipeline.runtime.table_run import TableRun
    from dq_pipelines.pipeline.silver.refinement import refine

    landing, config = folder / "landing", folder / "assets_config" / "bench"
    landing.mkdir()
    config.mkdir(parents=True)
    (config.parent / "project.yaml").write_text("name: bench\n", encoding="utf-8")
    silver = "columns: {id: int64, price: int64}, rules: [{type: expect_column_values_to_not_be_null, column: price}]"
    keys = ", keys: [id]" if mode == "merge" else ""
    (config / "old.yaml").write_text(
        f"source: {{type: csv, path: '{landing}/*.csv'}}\nsilver: {{{silver}{keys}}}\n", encoding="utf-8"
    )
    (table,) = load_project(config.parent)
    lake = Lake.at(str(folder / "lake"))
    for batch in range(batches):
        # Half of the keys of a batch are those of the batch before.
        first = batch * ROWS // 2
        lines = "".join(f"{number},{batch}\n" for number in range(first, first + ROWS))
        (landing / f"{batch:06}.csv").write_text(f"id,price\n{lines}", encoding="utf-8")
        began = time.process_time()
        outcome = refine(TableRun(table, lake))
        yield time.process_time() - began
        assert outcome is not None
        assert outcome.counts.published == ROWS
    rows = lake.table("silver/old").rows()
    assert rows == (batches * ROWS if mode == "append" else (batches + 1) * ROWS // 2), rows


def windows(seconds: Sequence[float]) -> Iterator[str]:
    """One line per window, and how the last ones compare with the early ones."""
    for start in range(0, len(seconds), WINDOW):
        part = seconds[start : start + WINDOW]
        yield f"{start:>6,} to {start + len(part):>6,}: mean {mean(part):.3f} s, median {median(part):.3f}, most {max(part):.3f}"
    early, late = mean(seconds[50:150]), mean(seconds[-100:])
    typical = median(seconds)
    yield f"batches 50 to 150: {early:.3f} s; the last 100: {late:.3f} s, {late / early:.2f} of it"
    yield f"median {typical:.3f} s; batches over 1.5 of it, after the first five: {sum(s > 1.5 * typical for s in seconds[5:])}"


if __name__ == "__main__":
    _, wanted, how = sys.argv
    with tempfile.TemporaryDirectory() as scratch:
        measured = []
        for number, took in enumerate(seconds_by_batch(Path(scratch), int(wanted), how)):
            measured.append(took)
            if number % 100 == 99:
                print(f"{number + 1}: {took:.3f}", file=sys.stderr)
    print("\n".join(windows(measured)))
    print(json.dumps([round(each, 3) for each in measured]))
