"""TPC-H lineitem, clean and with seeded faults: the data of the bench.

Run as a program it makes one folder's files: `python -m dq_pipelines_tests.benchmarks.lineitem FOLDER SCALE [clean]`.
"""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import date
from pathlib import Path

import polars as pl

from dq_pipelines_tests.benchmarks.suite import COLUMNS, EVERY, KEY, ROW_RULES, RULES, UNIQUE

CLEAN, FAULTY, CSV = "lineitem.parquet", "lineitem_faulty.parquet", "lineitem.csv"

#: A text that fits no set and no regex, one that is too long, and a date and a number below every bound.
STRANGE, LONG, EARLY, LOW = "§ no such text §", "x" * 60, date(1970, 1, 1), -1


def make(folder: Path, scale: float, *, clean_only: bool = False) -> None:
    """Put the three files into `folder`, each whole or not at all; with `clean_only`, the clean one alone."""
    folder.mkdir(parents=True, exist_ok=True)
    maker = str(Path(sys.executable).parent / "tpchgen-cli")
    command = [maker, "parquet", f"--scale-factor={scale}", "--tables=lineitem"]
    if not (folder / CLEAN).exists():
        subprocess.run([*command, f"--output-dir={folder}"], check=True, capture_output=True)
    if clean_only:
        return
    clean = pl.scan_parquet(folder / CLEAN)
    _write(with_faults(clean), folder / FAULTY)
    _write(with_faults(clean), folder / CSV)


def _write(rows: pl.LazyFrame, path: Path) -> None:
    if path.exists():
        return
    part = path.with_suffix(".part")
    if path.suffix == ".csv":
        rows.sink_csv(part)
    else:
        rows.sink_parquet(part, compression="snappy", row_group_size=120_000)  # as tpchgen-cli writes it
    part.rename(path)


def with_faults(clean: pl.LazyFrame) -> pl.LazyFrame:
    """The rows with one fault in every so many for each rule on rows; see `suite.truth`."""
    row, schema = pl.col("_row"), clean.collect_schema()

    def broken(rule: int, name: str) -> pl.Expr:
        kind, _ = RULES[rule]
        match kind:
            case "expect_column_values_to_not_be_null":
                return pl.lit(None, dtype=schema[name])
            case "expect_column_values_to_be_between":
                return pl.lit(EARLY if schema[name] == pl.Date else LOW).cast(schema[name])
            case "expect_column_value_lengths_to_be_between":
                return pl.lit(LONG)
            case "expect_column_pair_values_a_to_be_greater_than_b":
                return pl.col("l_shipdate")
            case "expect_compound_columns_to_be_unique":
                return pl.col(name).shift(1)
        return pl.lit(STRANGE)

    def faulty(name: str) -> pl.Expr:
        expr = pl.col(name)
        for rule in (index for index in range(ROW_RULES) if name in _where(index)):
            once = rule < len(COLUMNS) and name in KEY
            here = row == 2 * rule if once else row % EVERY == 2 * rule
            expr = pl.when(here).then(broken(rule, name)).otherwise(expr)
        return expr.alias(name)

    return clean.with_row_index("_row").select(faulty(name) for name in COLUMNS)


def _where(rule: int) -> tuple[str, ...]:
    """The columns that a rule's fault is put into."""
    _, arguments = RULES[rule]
    return KEY if rule == UNIQUE else (str(arguments.get("column", arguments.get("column_A"))),)


if __name__ == "__main__":
    make(Path(sys.argv[1]), float(sys.argv[2]), clean_only="clean" in sys.argv[3:])
    rows = pl.scan_parquet(Path(sys.argv[1]) / CLEAN).select(pl.len()).collect().item()
    print(json.dumps({"found": [rows], "seconds": 0}))
