"""The whole path of lineitem, from a file to bronze, silver and quarantine with metrics, beside a query by hand and peers.

And what its stages cost: the CPU that a run saves when a switch of YAML leaves one out.
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from dq_pipelines_tests.benchmarks.comparison import Goal, in_turn, table
from dq_pipelines_tests.benchmarks.measure import Measurement
from dq_pipelines_tests.benchmarks.path import environment
from dq_pipelines_tests.benchmarks.path.outcome import NOT_NULL, ROW_RULES, is_right

CSV, PARQUET = "lineitem.csv", "lineitem_faulty.parquet"


@dataclass(frozen=True)
class Tool:
    title: str
    #: the rules that it can judge, as positions in `suite.RULES`
    judged: tuple[int, ...] = ROW_RULES
    files: tuple[str, ...] = (CSV, PARQUET)


#: By module of this folder; ratios are to the first.
TOOLS = {
    "by_hand": Tool("Polars by hand: the same outcome"),
    "copy": Tool("Polars: a copy to Parquet (the floor)", judged=()),
    "ours": Tool("dq_pipelines"),
    "floe": Tool("Floe 0.7.0", judged=NOT_NULL, files=(CSV,)),
    "lakelogic": Tool("LakeLogic 1.84.0, Polars", files=(CSV,)),
}
GOAL = Goal("the whole path beside the query by hand", 1.35)

_ABOUT = f"""The rows land in bronze, are cast to their types, judged by {len(ROW_RULES)} rules on rows, measured, and published to silver or refused to
quarantine. The query by hand has the same outcome, but for sketches of distinct values and quantiles, and knows these columns and rules only.
The copy judges nothing. A peer's result is right when it kept and refused the rows that the rules which it can express refuse.
"""
_PEERS = f"""- Floe judges {len(NOT_NULL)} of the {len(ROW_RULES)} rules: its checks on a row are types and nulls. It has no decimals (they become floats), keeps no bronze,
  measures no columns, and writes refused rows as CSV with the checks that they fail. It counts failing rows per column. Its reader of
  Parquet refuses decimals, so that it takes the CSV alone.
- LakeLogic judges all {len(ROW_RULES)} rules, as required fields and conditions in SQL. It casts to the same types and writes accepted and refused rows to
  Parquet, the refused with the rules that they fail. A contract is one layer: this one keeps no bronze, and measures no columns. It wants Polars
  and DuckDB before 2 and Rich before 15, so that it runs in an environment of its own, with Polars 1. It reads Parquet too, which is left out
  for its time, and it runs in the first turn only.
"""

#: What is left out: its title, the run without it, and the run that this is compared with (both options of `path.ours`).
STAGES = {
    "distinct values, quantiles and outliers": ("sketches", "nothing"),
    "all metrics of columns": ("metrics", "nothing"),
    "quarantine and its reasons (`on_failure: drop`)": ("quarantine", "nothing"),
    "rules, and with them quarantine": ("rules", "nothing"),
    "rules and metrics": ("rules_and_metrics", "nothing"),
    "casts to types, of a run without rules and metrics": ("casts_too", "rules_and_metrics"),
}


def installed(data: Path) -> list[str]:
    """The tools that can run here."""
    there = {"floe": importlib.util.find_spec("floe") is not None, "lakelogic": environment.is_made(data)}
    return [name for name in TOOLS if there.get(name, True)]


def sections(data: Path, folder: Path, rows: int, repeats: int, *, quick: bool) -> Iterator[tuple[str, bool]]:
    """The page's sections, each with whether what ours and the query by hand found is right. A quick run installs nothing."""
    if not quick:
        environment.make(data)
    tools = installed(data)
    for name in TOOLS.keys() - tools:
        print(f"{TOOLS[name].title} is not installed: left out")
    for file, what in ((CSV, "a CSV"), (PARQUET, "Parquet")):
        names = [name for name in tools if file in TOOLS[name].files]
        # LakeLogic takes as long as all others together.
        pythons = {"lakelogic": environment.python(data)}
        of = in_turn(names, "path", folder / file, repeats, once=["lakelogic"], pythons=pythons)
        wrong = {name for name, run in of.items() if not is_right(run.found, rows, TOOLS[name].judged)}
        results = {name: _result(name, wrong, of[name]) for name in of}
        text = table(f"The whole path: {what} of {rows:,} rows", {name: TOOLS[name].title for name in of}, of, results)
        heading, rest = text.split("\n\n", 1)
        about = f"{_ABOUT}\n{_turns(repeats)}" if file == CSV else _turns(repeats)
        yield f"{heading}\n\n{about}\n{rest}", not wrong & {"by_hand", "copy", "ours"}
        yield GOAL.line(of["ours"], of["by_hand"]), True
        if file == CSV:
            yield _PEERS, True
    yield _stages(folder / CSV, rows, repeats)


def _turns(repeats: int) -> str:
    """How surely the figures are known: where others use the machine, CPU is surer than time."""
    return f"Turns: {repeats}. Load of the machine at the end: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores.\n"


def _result(name: str, wrong: set[str], run: Measurement) -> str:
    if name in wrong:
        return f"wrong: {run.found[:2]}"
    return f"right, {len(TOOLS[name].judged)} of {len(ROW_RULES)} rules"


def _stages(csv: Path, rows: int, repeats: int) -> tuple[str, bool]:
    """What a run saves without each stage, in one section."""
    options = list(dict.fromkeys(["nothing", *(option for pair in STAGES.values() for option in reversed(pair))]))
    runs = in_turn([f"ours {option}" for option in options], "path", csv, repeats)
    of = {option: runs[f"ours {option}"] for option in options}
    whole = of["nothing"]
    lines = [
        "## What the stages of the whole path cost\n",
        f"dq_pipelines, the CSV of {rows:,} rows: the CPU of a run without a stage, left out by a switch of YAML, and what it saves of the",
        f"{whole.cpu:.2f} s of the whole run. Stages share work, so that the savings do not add up.\n",
        _turns(repeats),
        "| without | CPU | saves | of the whole | peak memory |",
        "|---|---:|---:|---:|---:|",
    ]
    for title, (without, beside) in STAGES.items():
        saved = of[beside].cpu - of[without].cpu
        lines.append(
            f"| {title} | {of[without].cpu:.2f} s | {saved:.2f} s | {100 * saved / whole.cpu:.0f} % | {of[without].memory:,.0f} MB |"
        )
    rest = of["casts_too"]
    lines.append(f"| all of these: what remains lands and publishes text | {rest.cpu:.2f} s | | | |")
    without_rules = {option for option in options if "rules" in option or option == "casts_too"}
    right = all(
        run.found == [rows, 0] if option in without_rules else is_right(run.found, rows) for option, run in of.items()
    )
    return "\n".join([*lines, ""]), right
