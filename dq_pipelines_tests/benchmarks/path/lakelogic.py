"""LakeLogic: a contract with types, required fields and row rules in SQL; accepted and quarantined rows to Parquet.

It runs in an environment of its own (`environment.py`): imports nothing of ours but the suite.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from lakelogic import DataProcessor

from dq_pipelines_tests.benchmarks.path.outcome import ROW_RULES, Outcome
from dq_pipelines_tests.benchmarks.path.types import TYPES
from dq_pipelines_tests.benchmarks.suite import COLUMNS, RULES


def refine(source: Path, folder: Path) -> Outcome:
    contract = folder / "contract.yaml"
    contract.write_text(json.dumps(described(source, folder)), encoding="utf-8")  # JSON is YAML
    processor = DataProcessor(str(contract), engine="polars")
    result = processor.run_source()
    processor.materialize(result.good, result.bad)
    return [result.good_count, result.bad_count]


def described(source: Path, folder: Path) -> dict[str, Any]:
    conditions = [_condition(*RULES[rule]) for rule in ROW_RULES[len(COLUMNS) :]]
    return {
        "version": "1.0.0",
        "dataset": "lineitem",
        "info": {"title": "lineitem", "owner": "bench", "target_layer": "silver"},
        "source": {"type": "landing", "path": str(source), "format": source.suffix[1:]},
        "model": {"fields": [{"name": name, "type": _type(name), "required": True} for name in COLUMNS]},
        "quality": {
            "row_rules": [{"name": f"rule_{number}", "sql": sql} for number, sql in enumerate(conditions, len(COLUMNS))]
        },
        "materialization": {"strategy": "append", "target_path": str(folder / "silver"), "format": "parquet"},
        "quarantine": {"enabled": True, "target": str(folder / "quarantine")},
    }


def _type(name: str) -> str:
    wanted = TYPES.get(name, "string")
    return {"int64": "bigint", "int32": "integer"}.get(wanted, wanted)


def _condition(kind: str, arguments: dict[str, Any]) -> str:
    """What must hold of a row, in SQL; a null is for `required` to refuse."""
    column, low, high = arguments.get("column"), arguments.get("min_value"), arguments.get("max_value")
    match kind:
        case "expect_column_values_to_be_between":
            holds = f"{column} BETWEEN {_literal(low)} AND {_literal(high)}"
        case "expect_column_values_to_be_in_set":
            holds = f"{column} IN ({', '.join(map(_quoted, arguments['value_set']))})"
        case "expect_column_values_to_match_regex":
            holds = f"REGEXP_LIKE({column}, {_quoted(arguments['regex'])})"
        case "expect_column_value_lengths_to_be_between":
            holds = f"LENGTH({column}) BETWEEN {low} AND {high}"
        case _:
            first, second = arguments["column_A"], arguments["column_B"]
            return f"{first} > {second} OR {first} IS NULL OR {second} IS NULL"
    return f"{holds} OR {column} IS NULL"


def _literal(bound: Any) -> str:
    return f"DATE '{bound}'" if isinstance(bound, str) else str(bound)


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
