"""Floe: a file to accepted and rejected rows by an entity in YAML. Its checks on a row are types and nulls."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import floe

from dq_pipelines_tests.benchmarks.path.outcome import Outcome
from dq_pipelines_tests.benchmarks.path.types import TYPES
from dq_pipelines_tests.benchmarks.suite import COLUMNS


def refine(source: Path, folder: Path) -> Outcome:
    config = folder / "floe.yml"
    config.write_text(json.dumps(entity(source, folder)), encoding="utf-8")  # JSON is YAML
    (report,) = floe.run(str(config)).entity_reports
    results, (file,) = report["results"], report["files"]
    nulls = {
        column["column"]: column["violations"]
        for rule in file["validation"]["rules"]
        if rule["rule"] == "not_null"
        for column in rule["columns"]
    }
    return [results["accepted_total"], results["rejected_total"], *(nulls.get(name, 0) for name in COLUMNS)]


def entity(source: Path, folder: Path) -> dict[str, Any]:
    kind = source.suffix[1:]
    return {
        "version": "0.3",
        "report": {"path": str(folder / "reports")},
        "entities": [
            {
                "name": "lineitem",
                "source": {
                    "format": kind,
                    "path": str(source),
                    **({"options": {"separator": ",", "header": True}} if kind == "csv" else {}),
                    "cast_mode": "strict",
                },
                "sink": {
                    "accepted": {
                        "format": "parquet", "path": str(folder / "accepted"), "options": {"compression": "zstd"},
                    },
                    "rejected": {"format": "csv", "path": str(folder / "rejected")},
                },
                "policy": {"severity": "reject"},
                "schema": {
                    "columns": [{"name": name, "type": _type(name), "nullable": False} for name in COLUMNS],
                },
            }
        ],
    }  # fmt: skip


def _type(name: str) -> str:
    """Its types have no decimal: `decimal` is another name of `number`, a float."""
    wanted = TYPES.get(name, "string")
    return "number" if wanted.startswith("decimal") else wanted
