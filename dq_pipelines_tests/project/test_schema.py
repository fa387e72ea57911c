"""The JSON Schema says what the models say: it takes every sample, both forms of a rule, and refuses what they refuse."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from dq_pipelines.config.yaml_file import read_yaml
from dq_pipelines.engine.json_values import plain
from dq_pipelines.project.schema import schemas
from dq_pipelines.rules import rule_classes

SCHEMAS = schemas()
TABLE = Draft202012Validator(SCHEMAS["table.json"])
SOURCE = {"type": "csv", "path": "x"}


def wrong(value: Any) -> list[str]:
    return [error.message for error in TABLE.iter_errors(value)]


@pytest.mark.parametrize("name", SCHEMAS)
def test_it_is_a_schema(name: str) -> None:
    Draft202012Validator.check_schema(SCHEMAS[name])


def test_every_sample_is_taken(checkout: Path) -> None:
    found = sorted((checkout / "assets_config").rglob("*.yaml"))
    assert found
    for path in found:
        schema = SCHEMAS["project.json" if path.name == "project.yaml" else "table.json"]
        # An editor sees a date as text.
        value = plain(read_yaml(path, environment={}).value)
        assert [error.message for error in Draft202012Validator(schema).iter_errors(value)] == [], path


RULE = {"type": "expect_column_values_to_be_between", "column": "x", "min_value": 1}
GX = {
    "type": "expect_column_values_to_be_between",
    "kwargs": {"column": "x", "min_value": 1, "batch_id": "b"},
    "meta": {},
    "severity": "info",
}

TAKEN: tuple[dict[str, Any], ...] = (
    {"source": SOURCE},
    {
        "source": SOURCE,
        "silver": {"columns": {"a": "int64", "b": {"type": "decimal(12,2)", "from": "B"}, "c": "decimal(3)"}},
    },
    {"source": SOURCE, "silver": {"rules": [RULE, GX]}},
    {"source": SOURCE, "silver": {"rules": "suites/orders.json"}},
    {"source": SOURCE, "silver": {"transform": [{"sql": "select * from self"}, {"deduplicate": {"by": ["a"]}}]}},
    {"gold": {"sql": "select 1", "rules": [RULE]}, "automation": "eager"},
)
REFUSED: tuple[dict[str, Any], ...] = (
    {},
    {"source": {"type": "csv"}},
    {"source": {"type": "cvs", "path": "x"}},
    {"source": SOURCE, "sliver": {}},
    {"source": SOURCE, "silver": {"columns": {"a": "int46"}}},
    {"source": SOURCE, "silver": {"columns": {"a": {"typ": "int64"}}}},
    {"source": SOURCE, "silver": {"rules": [{**RULE, "type": "expect_x"}]}},
    {"source": SOURCE, "silver": {"rules": [{**RULE, "min_valu": 1}]}},
    {"source": SOURCE, "silver": {"rules": [{"type": RULE["type"], "min_value": 1}]}},
    {"source": SOURCE, "silver": {"rules": [{**GX, "kwargs": {"min_value": 1}}]}},
    {"source": SOURCE, "silver": {"rules": [{**GX, "kwargs": {"column": "x", "oops": 1}}]}},
    {"source": SOURCE, "silver": {"rules": "suites/orders.yaml"}},
    {"source": SOURCE, "silver": {"transform": [{"filter": "a", "derive": {}}]}},
    {"gold": {"sql": "select 1"}, "source": SOURCE},
)


@pytest.mark.parametrize("value", TAKEN)
def test_taken(value: dict[str, Any]) -> None:
    assert wrong(value) == []


@pytest.mark.parametrize("value", REFUSED)
def test_refused(value: dict[str, Any]) -> None:
    assert wrong(value)


@pytest.mark.parametrize("name", rule_classes())
def test_every_example_of_a_rule_is_taken(name: str) -> None:
    for example in rule_classes()[name].examples:
        for rule in ({"type": name, **example.kwargs}, {"type": name, "kwargs": dict(example.kwargs)}):
            assert wrong({"source": SOURCE, "silver": {"rules": [plain(rule)]}}) == []


def test_remarks_and_docstrings_reach_the_editor() -> None:
    definitions = SCHEMAS["table.json"]["$defs"]
    said = "the landed column, if it has another name; of several the first that has a value, such as `[new, old]`"
    assert definitions["Column"]["properties"]["from"]["description"] == said
    assert definitions["ValuesNotNull"]["description"].startswith("Every value is present")
