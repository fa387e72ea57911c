"""Tools in turn on one file, each in a process of its own, as a table beside the first of them, and goals for a ratio."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from dq_pipelines_tests.benchmarks.measure import Measurement, measured, median


@dataclass(frozen=True)
class Goal:
    """At most so many times the CPU of what a tool is compared with. A missed goal is told, and fails nothing."""

    #: what is compared
    title: str
    most: float

    def line(self, run: Measurement, beside: Measurement) -> str:
        ratio = run.cpu / beside.cpu
        return f"Goal, {self.title}: at most {self.most:.2f} × by CPU. {'Met' if ratio <= self.most else 'Missed'}: {ratio:.2f} ×.\n"


def in_turn(
    names: Iterable[str],
    module: str,
    data: Path,
    repeats: int,
    *,
    once: Iterable[str] = (),
    pythons: Mapping[str, Path] | None = None,
) -> dict[str, Measurement]:
    """The medians of each tool; those in `once` run in the first turn only, those in `pythons` in another environment."""
    runs: dict[str, list[Measurement]] = {name: [] for name in names}
    for turn in range(repeats):
        for name, done in runs.items():
            if turn == 0 or name not in once:
                tool, *options = name.split()
                done.append(measured(module, tool, str(data), *options, python=(pythons or {}).get(name)))
                print(f"{name}: {done[-1].whole:.2f} s, CPU {done[-1].cpu:.2f} s, {done[-1].memory:.0f} MB", flush=True)
    return {name: median(done) for name, done in runs.items()}


def table(title: str, names: Mapping[str, str], of: Mapping[str, Measurement], results: Mapping[str, str]) -> str:
    limit = next(iter(of.values()))
    lines = [
        f"## {title}\n",
        "| | whole process | × | work alone | CPU | × | peak memory | results |",
        "|---|---:|---:|---:|---:|---:|---:|---|",
    ]
    for name, run in of.items():
        lines.append(
            f"| {names[name]} | {run.whole:.2f} s | {run.whole / limit.whole:.2f} | {run.work:.2f} s | {run.cpu:.2f} s "
            f"| {run.cpu / limit.cpu:.2f} | {run.memory:,.0f} MB | {results[name]} |"
        )
    return "\n".join([*lines, ""])
