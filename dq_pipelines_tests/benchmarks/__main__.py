"""`make bench`: time the main paths beside their limits and their peers, and write docs/performance.md.

All tools run in processes of their own, in turn, several times over, so that a slow minute of the machine
hits all of them alike; what counts is the ratio.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import importlib.util
import os
import platform
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from dq_pipelines_tests.benchmarks import detectors, live, many_files, planted, project_size, suggested, workbooks
from dq_pipelines_tests.benchmarks.column import against_cpp
from dq_pipelines_tests.benchmarks.growth import grown
from dq_pipelines_tests.benchmarks.measure import ROOT, Measurement, measured, median
from dq_pipelines_tests.benchmarks.suite import RULES, truth

#: Module of a tool, what it is called, the package that it needs; the limit comes first.
TOOLS = {
    "limit": ("Polars by hand (the limit)", "polars"),
    "ours": ("dq_pipelines", "dq_pipelines"),
    "pointblank": ("Pointblank, lazy Polars", "pointblank"),
    "pandera": ("Pandera, lazy Polars", "pandera"),
    "gx": ("Great Expectations, pandas", "great_expectations"),
}
PATHS = {
    "once": "Polars: CSV to Parquet (the floor)",
    "twice": "… and the Parquet copied",
    "ours": "dq_pipelines: CSV to bronze, silver, quarantine",
}
PAGE = ROOT / "docs" / "performance.md"


def main(arguments: Sequence[str] | None = None) -> int:
    asked = _parser().parse_args(arguments)
    scale = 0.1 if asked.quick else asked.scale
    folder = asked.data / f"{scale:g}"
    rows = measured("lineitem", str(folder), str(scale)).found[0]
    tools = installed()
    for name in TOOLS.keys() - tools:
        print(f"{TOOLS[name][0]} is not installed (pip install -e '.[bench]'): left out")
    text = [_HEAD.format(rows=rows, rules=len(RULES)), _machine(tools)]
    right = True
    for title, file, faulty in (
        ("Seeded faults", "lineitem_faulty.parquet", True),
        ("Clean", "lineitem.parquet", False),
    ):
        judging = [name for name in tools if faulty or name != "gx"]
        of = _in_turn(judging, "run", folder / file, asked.repeats)
        wanted = truth(rows, faulty=faulty)
        wrong = {name: sum(a != b for a, b in zip(run.found, wanted, strict=True)) for name, run in of.items()}
        right &= not wrong["ours"] and not wrong["limit"]
        text.append(_table(f"{title}: {rows:,} rows", {name: TOOLS[name][0] for name in of}, of, wrong))
    of = _in_turn(PATHS, "path", folder / "lineitem.csv", asked.repeats)
    wrong = {name: int(run.found != [rows]) for name, run in of.items()}
    right &= not any(wrong.values())
    text.append(_table(f"The whole path: a CSV of {rows:,} rows", PATHS, of, wrong))
    section, good = against_cpp(asked.data, quick=asked.quick, repeats=asked.repeats)
    text.append(section)
    right &= good
    for line, good in grown(asked.data, quick=asked.quick):
        print(line, flush=True)
        text.append(line)
        right &= good
    sized = [*many_files.sections(quick=asked.quick), *project_size.sections(quick=asked.quick)]
    for line, good in (*sized, *workbooks.sections(quick=asked.quick)):
        print(line, flush=True)
        text.append(line)
        right &= good
    for line in (*detectors.sections(), *suggested.sections(asked.data), *planted.sections(asked.data)):
        print(line, flush=True)
        text.append(line)
    if not asked.quick:
        text.append(live.section())
    page = "\n".join(text)
    print(page)
    if not asked.quick and asked.scale == 1:
        PAGE.write_text(page, encoding="utf-8")
    return 0 if right else 1


def installed() -> list[str]:
    """The tools whose packages are there."""
    return [name for name, (_, package) in TOOLS.items() if importlib.util.find_spec(package)]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of the rows, and no page written")
    parser.add_argument("--scale", type=float, default=1, help="TPC-H scale factor: 1 is 6 million rows")
    parser.add_argument("--repeats", type=int, default=3, help="runs of each tool; of GX, one on the seeded data")
    parser.add_argument("--data", type=Path, default=ROOT / ".bench", help="where the data are kept")
    return parser


def _in_turn(names: Iterable[str], module: str, data: Path, repeats: int) -> dict[str, Measurement]:
    runs: dict[str, list[Measurement]] = {name: [] for name in names}
    for turn in range(repeats):
        for name, done in runs.items():
            if turn == 0 or name != "gx":  # which takes as long as all others together
                done.append(measured(module, name, str(data)))
                print(f"{name}: {done[-1].whole:.2f} s, CPU {done[-1].cpu:.2f} s, {done[-1].memory:.0f} MB", flush=True)
    return {name: median(done) for name, done in runs.items()}


def _table(title: str, names: Mapping[str, str], of: Mapping[str, Measurement], wrong: Mapping[str, int]) -> str:
    limit = next(iter(of.values()))
    lines = [
        f"## {title}\n",
        "| | whole process | × | work alone | CPU | × | peak memory | results |",
        "|---|---:|---:|---:|---:|---:|---:|---|",
    ]
    for name, run in of.items():
        said = "right" if not wrong[name] else f"{wrong[name]} of {len(RULES)} wrong"
        lines.append(
            f"| {names[name]} | {run.whole:.2f} s | {run.whole / limit.whole:.2f} | {run.work:.2f} s | {run.cpu:.2f} s "
            f"| {run.cpu / limit.cpu:.2f} | {run.memory:,.0f} MB | {said} |"
        )
    return "\n".join([*lines, ""])


def _machine(tools: Sequence[str]) -> str:
    packages = [TOOLS[name][1].replace("_", "-") for name in tools if name != "limit"]
    versions = [f"{name} {importlib.metadata.version(name)}" for name in ("polars", "narwhals", *packages)]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (
        f"Machine: {platform.machine()}, {os.cpu_count()} cores, {memory:.0f} GiB, {platform.system()}; "
        f"Python {platform.python_version()}, {', '.join(versions)}.\n"
    )


_HEAD = """# Performance

Written by `make bench`; do not edit. TPC-H lineitem, {rows:,} rows × 16 columns, and {rules} rules: 16 on nulls, 9 on
ranges, 4 on sets, a regex, lengths, a pair of dates, a compound key, and mean, standard deviation, least, greatest,
sum and count. Medians of runs in turn, each in a process of its own, bytecode compiled, files in the page cache.
× is the ratio to the first line; CPU is user and system, which other work on the machine disturbs less.
"""

if __name__ == "__main__":
    sys.exit(main())
