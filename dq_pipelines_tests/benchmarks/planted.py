"""Suggested rules on DQBench 1.0: three tables with planted errors, scored by the benchmark's own rule, column by column.

`python -m dq_pipelines_tests.benchmarks.planted` prints the section alone.
"""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dq_pipelines_tests.benchmarks.measure import ROOT

if TYPE_CHECKING:
    import polars as pl
    from dqbench.models import DQBenchFinding

_ABOUT = """## Planted errors

What `dq.suggest` says of the three tables of DQBench 1.0, run on those very tables. A rule that some rows break, or that fails,
is a finding in the column that it judges; of several columns, in the one that it suspects. A column counts once, whatever is
found in it. The score weighs the F1 of the tiers by 20, 40 and 40 %. Published for GoldenCheck: 89.8.

| | rows | columns with errors | found | false | precision | recall | F1 | seconds |
|---|---:|---:|---:|---:|---:|---:|---:|---:|"""
_TIERS = {1: "basics", 2: "realistic", 3: "adversarial"}


def is_installed() -> bool:
    """Whether the benchmark's package is there."""
    return importlib.util.find_spec("dqbench") is not None


def findings(path: Path) -> list[DQBenchFinding]:
    """The benchmark's adapter: what the rules that are suggested for a file find in it."""
    from dqbench.models import DQBenchFinding

    import dq_pipelines as dq

    found = []
    for result in dq.validate(path, dq.suggest(path)).results:
        if result.success and not result.unexpected_count:
            continue
        meta = result.rule.meta or {}
        columns = (meta["suspect"],) if "suspect" in meta else result.rule.columns_judged
        found += [
            DQBenchFinding(
                name, result.rule.severity, result.rule.type, result.rule.description or "", meta["confidence"]
            )
            for name in columns
        ]
    return found


def sections(data: Path) -> Iterator[str]:
    """The page's section line by line; nothing where the benchmark is not installed."""
    if not is_installed():
        print("dqbench is not installed (pip install -e '.[bench]'): planted errors are left out")
        return
    yield _ABOUT
    results = []
    for number, name in _TIERS.items():
        tier, line = scored(number, data)
        results.append(tier)
        yield f"| {number}: {name} | {line}"
    from dqbench.models import Scorecard

    score = Scorecard("dq_pipelines", "", results).dqbench_score
    yield f"| **score** | | | | | | | **{score:.1f}** | |\n"


def scored(number: int, data: Path) -> tuple[Any, str]:
    """A tier's result as the benchmark has it, and the cells of its line after the first."""
    from dqbench.scorer import score_tier

    path, truth = _tier(number, data / "dqbench")
    began = time.perf_counter()
    found = findings(path)
    seconds = time.perf_counter() - began
    tier = score_tier(found, truth, number, seconds, 0.0)
    names, planted = {each.column for each in found}, set(truth.planted_columns)
    false = names & set(truth.clean_columns)
    return tier, (
        f"{truth.rows:,} | {len(planted)} | {len(names & planted)} | {len(false)} "
        f"| {tier.precision:.3f} | {tier.recall:.3f} | {tier.f1:.3f} | {seconds:.1f} |"
    )


def _tier(number: int, folder: Path) -> tuple[Path, Any]:
    """A tier's file, made by the benchmark's generator where it is not there yet, and its answer sheet."""
    from dqbench.ground_truth import GroundTruth

    path, answers = folder / f"tier{number}.csv", folder / f"tier{number}.json"
    if not answers.is_file():
        generate: Callable[[], tuple[pl.DataFrame, GroundTruth]] = getattr(
            importlib.import_module(f"dqbench.generator.tier{number}"), f"generate_tier{number}"
        )
        rows, truth = generate()
        folder.mkdir(parents=True, exist_ok=True)
        rows.write_csv(path)
        answers.write_text(truth.model_dump_json(), encoding="utf-8")
    return path, GroundTruth.model_validate_json(answers.read_text(encoding="utf-8"))


if __name__ == "__main__":
    for line in sections(ROOT / ".bench"):
        print(line, flush=True)
