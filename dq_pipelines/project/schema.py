"""Generates the JSON Schema of a project's files from the models, so that editors complete and check YAML.

It covers the models, with their short forms. Only `dq check` finds faults between files or within a value (a
regex, SQL, a name that another file has).
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, TypeAdapter
from pydantic.json_schema import models_json_schema

from dq_pipelines.config.model import Strict
from dq_pipelines.config.remarks import prose, remarks
from dq_pipelines.project.tables import GoldTable, LandedTable, ProjectSettings
from dq_pipelines.rules import rule_classes
from dq_pipelines.rules.core.base import Rule
from dq_pipelines.transforms.types import TypeName

Schema = dict[str, Any]

_DRAFT = "https://json-schema.org/draft/2020-12/schema"
#: A custom expectation class, which Great Expectations evaluates: `module:Class`.
_OF_THE_USER = r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$"
_RULES: Schema = {
    "anyOf": [
        {"type": "array", "items": {"$ref": "#/$defs/AnyRule"}},
        {"type": "string", "pattern": r"\.json$", "description": "A suite of Great Expectations, beside this file"},
    ]
}


def schemas() -> dict[str, Schema]:
    """File name to schema: `table.json` for tables, `project.json` for `project.yaml`."""
    return {"project.json": _head("project.yaml", _project()), "table.json": _head("A table", _table())}


def schema_of(model: type[BaseModel]) -> Schema:
    """The schema of one model, with its docstring and the comments on its fields as descriptions."""
    schema: Schema = _plain(_described(model.model_json_schema(), model))
    return schema


def _head(title: str, schema: Schema) -> Schema:
    return {"$schema": _DRAFT, "title": title, **schema}


def _project() -> Schema:
    return schema_of(ProjectSettings)


def _table() -> Schema:
    _, whole = models_json_schema([(LandedTable, "validation"), (GoldTable, "validation")])
    models = {model.__name__: model for model in _models(Strict)}
    definitions = {
        name: _described(schema, models[name]) if name in models else schema for name, schema in whole["$defs"].items()
    }
    rules = rule_classes()
    for rule in set(rules.values()):
        definitions[rule.__name__] = _either_form(definitions[rule.__name__], rule)
    for layer in ("Silver", "Gold"):
        definitions[layer]["properties"]["rules"] = _RULES
    columns = definitions["Silver"]["properties"]["columns"]
    columns["additionalProperties"] = {"anyOf": [TypeAdapter(TypeName).json_schema(), {"$ref": "#/$defs/Column"}]}
    definitions["AnyRule"] = _any_rule(rules)
    return {
        "type": "object",
        "if": {"required": ["gold"]},
        "then": {"$ref": "#/$defs/GoldTable"},
        "else": {"$ref": "#/$defs/LandedTable"},
        "$defs": {name: _plain(schema) for name, schema in sorted(definitions.items())},
    }


def _models(base: type[BaseModel]) -> list[type[BaseModel]]:
    return [each for model in base.__subclasses__() for each in (model, *_models(model))]


def _described(schema: Schema, model: type[BaseModel]) -> Schema:
    """`schema` with the model's docstring and the comments on its fields."""
    descriptions = {
        model.model_fields[name].alias or name: text
        for name, text in remarks(model).items()
        if name in model.model_fields
    }
    properties = {
        name: {**item, "description": descriptions[name]} if name in descriptions else item
        for name, item in schema.get("properties", {}).items()
    }
    return {**schema, "description": prose(model), "properties": properties}


def _either_form(schema: Schema, rule: type[Rule]) -> Schema:
    """A rule flat, or as GX writes it, with its arguments under `kwargs`."""
    arguments = {name: item for name, item in schema["properties"].items() if name not in rule.policy}
    required = [name for name in schema.get("required", []) if name in arguments]
    kwargs = {
        "type": "object",
        "properties": {**arguments, "batch_id": {}},
        "required": required,
        "additionalProperties": False,
    }
    return {
        **schema,
        "properties": {**schema["properties"], "kwargs": kwargs, "rendered_content": {}},
        "required": ["type"],
        "anyOf": [{"required": required}, {"required": ["kwargs"]}],
    }


def _any_rule(rules: dict[str, type[Rule]]) -> Schema:
    """A branch for each `type`, so that an editor shows only the errors of that rule."""
    branches = [
        {
            "if": {"properties": {"type": {"const": name}}, "required": ["type"]},
            "then": {"$ref": f"#/$defs/{rule.__name__}"},
        }
        for name, rule in rules.items()
    ]
    return {
        "type": "object",
        "properties": {"type": {"type": "string", "anyOf": [{"enum": list(rules)}, {"pattern": _OF_THE_USER}]}},
        "required": ["type"],
        "allOf": branches,
    }


#: Keys from pydantic that no editor uses: names of Python's fields, and an OpenAPI keyword.
_NOISE = ("title", "discriminator")


def _plain(schema: Any, *, names: bool = False) -> Any:
    """`schema` without `_NOISE`; `names`: its keys are names of properties, not keywords."""
    if isinstance(schema, list):
        return [_plain(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        key: _plain(item, names=not names and key == "properties")
        for key, item in schema.items()
        if names or key not in _NOISE
    }
