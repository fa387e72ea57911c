"""The score of the Pollock benchmark (Vitagliano et al., VLDB 2023) for our CSV source. Not a test by itself.

Run `DQ_CORPORA=… python -m dq_pipelines_tests.sources.pollock` for a table of what falls short.
A file's score is success plus precision, recall and F1 of its header, records and cells: ten at most.
"""

from __future__ import annotations

import csv
import json
import os
import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from dq_pipelines.errors import SourceError
from dq_pipelines.sources.csv import Csv

Table = list[list[str]]


def told(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """What a benchmark's description of a dialect is in the words of our source; "" there means: not said."""
    said: dict[str, Any] = {
        "encoding": "utf-8" if parameters["encoding"] == "ascii" else parameters["encoding"],
        "header_rows": int(parameters["header_lines"]),
        "skip_rows": int(parameters["preamble_lines"]),
        "skip_footer": int(parameters["footnote_lines"]),
    }
    for ours, theirs in {
        "delimiter": "delimiter",
        "quote": "quotechar",
        "escape": "escapechar",
        "newline": "row_delimiter",
        "column_names": "column_names",
    }.items():
        if parameters[theirs]:
            said[ours] = parameters[theirs]
    return said


def loaded(path: Path, settings: Mapping[str, Any]) -> Table:
    """The header and the rows that our source lands; nulls are empty, as in the clean files."""
    source = Csv.model_validate({"type": "csv", "path": str(path), **settings})
    rows = source.read(source.inputs()).rows.collect(engine="streaming")
    return [rows.columns, *([cell or "" for cell in row] for row in rows.iter_rows())]


def _measures(wanted: Iterable[str], got: Iterable[str]) -> list[float]:
    want, have = Counter(wanted), Counter(got)
    both = (want & have).total()
    if not want:
        return [1.0, 1.0, 1.0]
    if not both:
        return [0.0, 0.0, 0.0]
    precision, recall = both / want.total(), both / have.total()  # the benchmark's own naming
    return [precision, recall, 2 * precision * recall / (precision + recall)]


def score(clean: Sequence[Sequence[str]], got: Sequence[Sequence[str]]) -> float:
    if not clean:
        return 10.0
    header = _measures(clean[0], got[0])
    records = _measures(("".join(row) for row in clean[1:]), ("".join(row) for row in got[1:]))
    cells = _measures((cell for row in clean for cell in row), (cell for row in got for cell in row))
    return 1.0 + sum(header) + sum(records) + sum(cells)


def scores(corpus: Path, *, tell: bool) -> dict[str, float]:
    """The score of each file of the corpus, told its dialect or nothing."""
    found: dict[str, float] = {}
    for path in sorted((corpus / "csv").iterdir()):
        settings: dict[str, Any] = {}
        if tell:
            settings = told(json.loads((corpus / "parameters" / f"{path.name}_parameters.json").read_text()))
        with (corpus / "clean" / path.name).open(newline="", encoding="utf-8-sig") as clean:
            wanted = list(csv.reader(clean))
        try:
            found[path.name] = score(wanted, loaded(path, settings))
        except SourceError as error:
            sys.stderr.write(f"{error}\n")
            found[path.name] = 0.0
    return found


def main() -> None:
    corpus = Path(os.environ["DQ_CORPORA"]) / "pollock"
    for tell in (True, False):
        found = scores(corpus, tell=tell)
        mean = sum(found.values()) / len(found)
        sys.stdout.write(f"{'told' if tell else 'untold'}: {mean:.4f} of 10, {len(found)} files\n")
        for name, points in sorted(found.items(), key=lambda item: item[1]):
            if points < float(os.environ.get("BELOW", "9.96")):
                sys.stdout.write(f"  {points:.3f} {name}\n")


if __name__ == "__main__":
    main()
