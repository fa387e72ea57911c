"""A Parquet file into a table of PostgreSQL: `python -m dq_pipelines_tests.benchmarks.load URL TABLE PATH`."""

from __future__ import annotations

import json
import sys
import time

import polars as pl

if __name__ == "__main__":
    _, url, table, path = sys.argv
    began = time.perf_counter()
    rows = pl.read_parquet(path)
    rows.write_database(table, url, engine="adbc", if_table_exists="replace")
    print(json.dumps({"found": [rows.height], "seconds": time.perf_counter() - began}))
