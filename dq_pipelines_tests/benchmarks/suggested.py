"""How good suggested rules are: on dirty files whose errors are known, which cells they flag; and how long a profile takes.

`python -m dq_pipelines_tests.benchmarks.suggested profile|suggest FILE` in a process of its own prints the seconds.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from dq_pipelines_tests.benchmarks.measure import Measurement, measured

#: The files with known errors that Raha and Baran are measured on, where their folders lie under `dirty` of the corpora.
PUBLIC = ("adult", "beers", "flights", "hospital", "movies", "rayyan", "tax")
CORPORA = Path(os.environ.get("DQ_CORPORA", "no corpora"))
#: One million rows of TPC-H's lineitem.
_SCALE = 1 / 6
#: What others are reported to reach without labels on the same files, and with labels of 20 rows.
_ABOUT = """## Suggested rules

What `dq suggest` says of a file whose errors are known, run on that very file: the cells that the rules flag beside those that
are wrong. A rule flags the column that it judges, in the rows that fail it. No label is given, and one set of
parameters serves all files. Published for hospital and beers: detectors without labels reach an F1 of up to about
0.6 and 0.9; Raha, with labels of 20 rows, 0.7 to 1.0.

| | cells | wrong | rules | flagged | precision | recall | F1 |
|---|---:|---:|---:|---:|---:|---:|---:|"""


@dataclass(frozen=True)
class Flagged:
    """What the suggested rules say of the cells of a dirty file."""

    cells: int
    wrong: int
    rules: int
    flagged: int
    #: flagged cells that are wrong
    right: int

    @property
    def precision(self) -> float:
        return self.right / self.flagged if self.flagged else 1.0

    @property
    def recall(self) -> float:
        return self.right / self.wrong if self.wrong else 1.0

    @property
    def f1(self) -> float:
        both = self.precision + self.recall
        return 2 * self.precision * self.recall / both if both else 0.0


def flagged(folder: Path) -> Flagged:
    """Suggest rules for `dirty.csv` of the folder, run them on it, and hold the cells that fail against `clean.csv`."""
    import polars as pl

    import dq_pipelines as dq
    from dq_pipelines.engine.results.result_format import ROW

    dirty, clean = (
        pl.read_csv(folder / f"{name}.csv", infer_schema=False).fill_null("") for name in ("dirty", "clean")
    )
    pairs = [(name, dirty[name], clean[other]) for name, other in zip(dirty.columns, clean.columns, strict=True)]
    wrong = {(row, name) for name, found, meant in pairs for row in (found != meant).arg_true()}
    rules = dq.suggest(folder / "dirty.csv")
    verdict = dq.validate(folder / "dirty.csv", rules, result_format="COMPLETE")
    cells = {
        (row[ROW], name)
        for result in verdict.results
        for row in result.unexpected_rows
        for name in result.rule.columns_judged
    }
    return Flagged(dirty.height * dirty.width, len(wrong), len(rules), len(cells), len(cells & wrong))


def sections(data: Path) -> Iterator[str]:
    """The page's section line by line; without the files, what a profile takes."""
    folder = CORPORA / "dirty"
    if folder.is_dir():
        yield _ABOUT
        there = sorted(path for path in folder.iterdir() if (path / "dirty.csv").is_file())
        for each in there:
            found = flagged(each)
            yield (
                f"| {each.name} | {found.cells:,} | {found.wrong:,} | {found.rules} | {found.flagged:,} "
                f"| {found.precision:.3f} | {found.recall:.3f} | {found.f1:.3f} |"
            )
        absent = [name for name in PUBLIC if name not in {path.name for path in there}]
        yield f"\nNot there, of the same source: {', '.join(absent)}.\n" if absent else ""
    else:
        print("DQ_CORPORA names no folder with the corpus dirty: suggested rules are left out")
    yield from _speed(data)


def _speed(data: Path) -> Iterator[str]:
    place = data / f"{_SCALE:g}"
    rows = int(measured("lineitem", str(place), str(_SCALE)).found[0])
    yield f"A profile of {rows:,} rows × 16 columns, and all suggestions for them, in processes of their own:\n"
    yield "| | whole process | work alone | CPU | peak memory |\n|---|---:|---:|---:|---:|"
    for title, what, file in (
        ("profile, Parquet", "profile", "lineitem.parquet"),
        ("profile, CSV", "profile", "lineitem.csv"),
        ("suggestions, Parquet", "suggest", "lineitem.parquet"),
        ("suggestions with types, CSV", "suggest", "lineitem.csv"),
    ):
        yield _line(title, measured("suggested", what, str(place / file)))
    yield ""


def _line(title: str, run: Measurement) -> str:
    return f"| {title} | {run.whole:.1f} s | {run.work:.1f} s | {run.cpu:.1f} s | {run.memory:,.0f} MB |"


def _profiled(what: str, file: str) -> int:
    from dq_pipelines.engine.backends.frames import frame_from
    from dq_pipelines.monitoring.profile import profile
    from dq_pipelines.monitoring.suggestions.table import suggested_table

    return profile(frame_from(file)).rows if what == "profile" else len(suggested_table(frame_from(file)).rules)


if __name__ == "__main__":
    _, what, file = sys.argv
    began = time.perf_counter()
    found = _profiled(what, file)
    print(json.dumps({"found": [found], "seconds": time.perf_counter() - began}))
