"""Ours, as a table in YAML: landed, cast, judged by the rules on rows, measured, published.

An option names a switch of YAML that leaves a stage out: see `WITHOUT`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from dq_pipelines import load_project
from dq_pipelines.lake.tables import Lake
from dq_pipelines.pipeline.runtime.table_run import TableRun
from dq_pipelines.pipeline.silver import refinement
from dq_pipelines_tests.benchmarks.path.outcome import Outcome, rules
from dq_pipelines_tests.benchmarks.path.types import TYPES

NO_METRICS: dict[str, Any] = {"metrics": {"columns": []}}
#: Name to the keys of the table that leave a stage out; keys of `silver` replace those of the whole table.
WITHOUT: dict[str, dict[str, Any]] = {
    "nothing": {},
    "sketches": {"metrics": {"sketches": False}},
    "metrics": NO_METRICS,
    "quarantine": {"silver": {"rules": rules(on_failure="drop")}},
    "rules": {"silver": {"rules": []}},
    "rules_and_metrics": {"silver": {"rules": []}, **NO_METRICS},
    "casts_too": {"silver": {"rules": [], "columns": {}}, **NO_METRICS},
}


def refine(source: Path, folder: Path, without: str = "nothing") -> Outcome:
    """The outcome; what rules drop counts as refused."""
    config = folder / "assets_config" / "bench"
    config.mkdir(parents=True)
    (config.parent / "project.yaml").write_text("name: bench\ndescription: The bench\n", encoding="utf-8")
    (config / "lineitem.yaml").write_text(yaml.safe_dump(table(source, WITHOUT[without])), encoding="utf-8")
    (described,) = load_project(config.parent)
    outcome = refinement.refine(TableRun(described, Lake.at(str(folder / "lake"))))
    assert outcome is not None
    counts = outcome.counts
    refused = counts.refused + counts.dropped_by_rules
    return [
        counts.published,
        refused,
        *(each.unexpected_count or 0 for each in outcome.results if not each.rule.internal),
    ]


def table(source: Path, changes: dict[str, Any]) -> dict[str, Any]:
    silver = {"columns": TYPES, "rules": rules(), **changes.get("silver", {})}
    return {"source": {"type": source.suffix[1:], "path": str(source)}, **changes, "silver": silver}
