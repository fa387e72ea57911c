"""The whole path: a CSV of lineitem to bronze, silver and quarantine, against a plain copy of it to Parquet.

`python -m dq_pipelines_tests.benchmarks.path once|twice|ours CSV` in a process of its own, which prints the seconds.
The tools are named after what they do: `once` and `twice` copy the file in Polars, `ours` refines it.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path

from dq_pipelines_tests.benchmarks.suite import RULES, UNIQUE

TYPES = {
    "l_orderkey": "int64", "l_partkey": "int64", "l_suppkey": "int64", "l_linenumber": "int32",
    "l_quantity": "decimal(15,2)", "l_extendedprice": "decimal(15,2)", "l_discount": "decimal(15,2)",
    "l_tax": "decimal(15,2)", "l_shipdate": "date", "l_commitdate": "date", "l_receiptdate": "date",
}  # fmt: skip


def copy(csv: Path, folder: Path, times: int) -> int:
    """The floor: read and written by Polars as it comes, once (or a second copy of what was written)."""
    import polars as pl

    pl.scan_csv(csv).sink_parquet(folder / "1.parquet")
    if times == 2:
        pl.scan_parquet(folder / "1.parquet").sink_parquet(folder / "2.parquet")
    return int(pl.scan_parquet(folder / f"{times}.parquet").select(pl.len()).collect().item())


def refine(csv: Path, folder: Path) -> int:
    """Ours: landed, cast, judged by the rules on rows, published; the rows in silver and quarantine together."""
    import yaml

    from dq_pipelines import load_project
    from dq_pipelines.lake.tables import Lake
    from dq_pipelines.pipeline.runtime.table_run import TableRun
    from dq_pipelines.pipeline.silver.refinement import refine

    config = folder / "assets_config" / "bench"
    config.mkdir(parents=True)
    rules = [{"type": kind, **arguments} for kind, arguments in RULES[:UNIQUE]]
    table = {"source": {"type": "csv", "path": str(csv)}, "silver": {"columns": TYPES, "rules": rules}}
    (config.parent / "project.yaml").write_text("name: bench\ndescription: The bench\n", encoding="utf-8")
    (config / "lineitem.yaml").write_text(yaml.safe_dump(table), encoding="utf-8")
    (described,) = load_project(config.parent)
    outcome = refine(TableRun(described, Lake.at(str(folder / "lake"))))
    assert outcome is not None
    return outcome.counts.published + outcome.counts.refused


if __name__ == "__main__":
    _, name, path = sys.argv
    with tempfile.TemporaryDirectory(dir=Path(path).parent) as scratch:
        began = time.perf_counter()
        rows = (
            refine(Path(path), Path(scratch))
            if name == "ours"
            else copy(Path(path), Path(scratch), 1 + (name == "twice"))
        )
        print(json.dumps({"found": [rows], "seconds": time.perf_counter() - began}))
