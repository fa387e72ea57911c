"""`dq.validate` and its peers on lineitem in Parquet: 39 rules, faulty rows and clean ones, beside a query by hand."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path

from dq_pipelines_tests.benchmarks.comparison import Goal, in_turn, table
from dq_pipelines_tests.benchmarks.suite import RULES, truth

#: Module of a tool, what it is called, the package that it needs; the limit comes first.
TOOLS = {
    "limit": ("Polars by hand (the limit)", "polars"),
    "ours": ("dq_pipelines", "dq_pipelines"),
    "pointblank": ("Pointblank, lazy Polars", "pointblank"),
    "pandera": ("Pandera, lazy Polars", "pandera"),
    "gx": ("Great Expectations, pandas", "great_expectations"),
}
GOAL = Goal(f"{len(RULES)} rules beside the query by hand", 1.10)


def installed() -> list[str]:
    """The tools whose packages are there."""
    return [name for name, (_, package) in TOOLS.items() if importlib.util.find_spec(package)]


def sections(folder: Path, rows: int, repeats: int) -> Iterator[tuple[str, bool]]:
    """The page's sections, each with whether ours and the limit found what was seeded."""
    tools = installed()
    for name in TOOLS.keys() - tools:
        print(f"{TOOLS[name][0]} is not installed (pip install -e '.[bench]'): left out")
    for title, file, faulty in (
        ("Seeded faults", "lineitem_faulty.parquet", True),
        ("Clean", "lineitem.parquet", False),
    ):
        judging = [name for name in tools if faulty or name != "gx"]
        # GX takes as long as all others together.
        of = in_turn(judging, "run", folder / file, repeats, once=["gx"])
        wanted = truth(rows, faulty=faulty)
        wrong = {name: sum(a != b for a, b in zip(run.found, wanted, strict=True)) for name, run in of.items()}
        results = {name: f"{count} of {len(RULES)} wrong" if count else "right" for name, count in wrong.items()}
        text = table(f"{title}: {rows:,} rows", {name: TOOLS[name][0] for name in of}, of, results)
        yield text, not wrong["ours"] and not wrong["limit"]
        yield GOAL.line(of["ours"], of["limit"]), True
