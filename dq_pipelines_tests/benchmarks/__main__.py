"""`make bench`: time the main paths beside their limits and their peers, and write docs/performance.md.

All tools run in processes of their own, in turn, several times over, so that a slow minute of the machine
hits all of them alike; what counts is the ratio. It fails for wrong results only, never for a missed goal.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import os
import platform
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from dq_pipelines_tests.benchmarks import (
    detectors,
    judging,
    live,
    many_files,
    page,
    planted,
    project_size,
    suggested,
    workbooks,
)
from dq_pipelines_tests.benchmarks.column import against_cpp
from dq_pipelines_tests.benchmarks.growth import grown, made
from dq_pipelines_tests.benchmarks.measure import ROOT
from dq_pipelines_tests.benchmarks.path import sections as path
from dq_pipelines_tests.benchmarks.suite import RULES

#: Text of the page, and whether what was found is right.
Section = tuple[str, bool]


@dataclass(frozen=True)
class Bench:
    """What was asked for."""

    data: Path
    scale: float
    repeats: int
    quick: bool

    @property
    def folder(self) -> Path:
        return self.data / f"{self.scale:g}"

    @cached_property
    def rows(self) -> int:
        """The rows of lineitem, whose files are made where they are not there yet."""
        return made(self.data, self.scale)


def _right(lines: Iterable[str]) -> Iterator[Section]:
    return ((line, True) for line in lines)


def _suggestions(bench: Bench) -> Iterator[Section]:
    yield from _right(suggested.sections(bench.data))
    yield from _right(planted.sections(bench.data))


#: In the order of the page.
SECTIONS: dict[str, Callable[[Bench], Iterable[Section]]] = {
    "suite": lambda bench: judging.sections(bench.folder, bench.rows, bench.repeats),
    "path": lambda bench: path.sections(bench.data, bench.folder, bench.rows, bench.repeats, quick=bench.quick),
    "column": lambda bench: [against_cpp(bench.data, quick=bench.quick, repeats=bench.repeats)],
    "growth": lambda bench: grown(bench.data, quick=bench.quick),
    "files": lambda bench: many_files.sections(quick=bench.quick),
    "tables": lambda bench: project_size.sections(quick=bench.quick),
    "workbooks": lambda bench: workbooks.sections(quick=bench.quick),
    "anomalies": lambda _: _right(detectors.sections()),
    "suggestions": _suggestions,
    "live": lambda _: _right([live.section()]),
}
#: Left out of a quick run, unless `--only` names them: they take minutes, and compare with nothing.
SLOW = ("growth", "anomalies", "suggestions", "live")


def main(arguments: Sequence[str] | None = None) -> int:
    asked = _parser().parse_args(arguments)
    bench = Bench(
        asked.data, 0.1 if asked.quick else asked.scale, asked.repeats or (1 if asked.quick else 3), asked.quick
    )
    names = asked.only or [name for name in SECTIONS if not (bench.quick and name in SLOW)]
    text, right = [], True
    if not asked.only:
        text.append(f"{_HEAD.format(rows=bench.rows, rules=len(RULES))}\n{_machine()}")
        print(text[0], flush=True)
    for name in names:
        for section, good in SECTIONS[name](bench):
            print(section, flush=True)
            text.append(section)
            right &= good
    if not bench.quick and bench.scale == 1:
        page.put("\n".join(text))
    return 0 if right else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of the rows, fewer sections, and no page written")
    parser.add_argument("--only", choices=SECTIONS, action="append", help="this section alone; may be repeated")
    parser.add_argument("--scale", type=float, default=1, help="TPC-H scale factor: 1 is 6 million rows")
    parser.add_argument("--repeats", type=int, help="runs of each tool (3, quick 1); of GX, one on the seeded data")
    parser.add_argument("--data", type=Path, default=ROOT / ".bench", help="where the data are kept")
    return parser


def _machine() -> str:
    packages = [judging.TOOLS[name][1].replace("_", "-") for name in judging.installed() if name != "limit"]
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
