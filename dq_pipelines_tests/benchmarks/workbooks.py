"""Refused rows out to a workbook and back in: `dq quarantine export` and `import` of rows that are all mended.

`python -m dq_pipelines_tests.benchmarks.workbooks ROWS export|import` in a process of its own, which prints what it did.
"""

from __future__ import annotations

import json
import re
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile

from dq_pipelines_tests.benchmarks.measure import measured

ROWS, FEW = 100_000, 2_000

_ABOUT = """## Refused rows in a workbook

Rows of eight columns that a rule refuses, to an `.xlsx` and, each mended, back. The process has made the rows before, too: seconds
of the work alone count.

| | rows | work | peak memory | rows done |
|---|---:|---:|---:|---|"""

_TABLE = """
source: {type: csv, path: '%s/*.csv'}
silver:
  keys: [id]
  columns: {id: int64, amount: int64, day: date, price: "decimal(12,2)"}
  rules: [{type: expect_column_values_to_be_between, column: amount, min_value: 0}]
"""
#: The cells of the column `amount`, which is the fourth.
_AMOUNT = re.compile(rb'<c r="D(\d+)" s="(\d+)" t="inlineStr"><is><t xml:space="preserve">-(\d+)</t></is></c>')


def sections(*, quick: bool) -> Iterator[tuple[str, bool]]:
    """The page's section line by line, each with whether what was found is right."""
    rows = FEW if quick else ROWS
    yield _ABOUT, True
    for verb in ("export", "import"):
        run = measured("workbooks", str(rows), verb)
        good = run.found == [rows]
        said = "right" if good else f"{run.found[0]:,}"
        yield f"| {verb} | {rows:,} | {run.work:.1f} s | {run.memory:,.0f} MB | {said} |", good
    yield "", True


def taken(folder: Path, rows: int, verb: str) -> tuple[int, float]:
    """Rows that were exported, or imported and published, and seconds."""
    from dq_pipelines import load_project
    from dq_pipelines.lake.tables import Lake
    from dq_pipelines.pipeline.exchange.corrections_exchange import ReturnedFile, export, import_corrections
    from dq_pipelines.pipeline.runtime.table_run import TableRun
    from dq_pipelines.pipeline.silver.refinement import refine

    landing, config = folder / "landing", folder / "assets_config" / "bench"
    landing.mkdir()
    config.mkdir(parents=True)
    (config.parent / "project.yaml").write_text("name: bench\n", encoding="utf-8")
    (config / "orders.yaml").write_text(_TABLE % landing, encoding="utf-8")
    with (landing / "a.csv").open("w", encoding="utf-8") as file:
        file.write("id,amount,day,price,name,note,city,size\n")
        for number in range(rows):
            file.write(f"{number},-{number % 77 + 1},2026-02-01,{number}.25,name {number},note {number % 999},city,M\n")
    (table,) = load_project(config.parent)
    work, path = TableRun(table, Lake.at(str(folder / "lake"))), folder / "out.xlsx"
    refine(work)
    began = time.perf_counter()
    exported = export(TableRun(table, work.lake), path)
    if verb == "export":
        return exported, time.perf_counter() - began
    mended = _mended(path)
    began = time.perf_counter()
    done = import_corrections(TableRun(table, work.lake), ReturnedFile.read(mended), by="bench")
    return len(done.replayed.published), time.perf_counter() - began


def _mended(path: Path) -> Path:
    """A copy of a workbook in which each amount is a positive number."""
    copy = path.with_name("mended.xlsx")
    with ZipFile(path) as book, ZipFile(copy, "w", ZIP_DEFLATED, compresslevel=1) as out:
        for item in book.infolist():
            content = book.read(item)
            if item.filename.endswith("/sheet1.xml"):
                content = _AMOUNT.sub(rb'<c r="D\1" s="\2"><v>\3</v></c>', content)
            out.writestr(item, content)
    return copy


if __name__ == "__main__":
    _, wanted, asked = sys.argv
    with tempfile.TemporaryDirectory() as scratch:
        found, seconds = taken(Path(scratch), int(wanted), asked)
        print(json.dumps({"found": [found], "seconds": seconds}))
