"""Rules on text that must parse as JSON, as a date, or as a date in one format."""

from __future__ import annotations

import json
import re
from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal

import narwhals as nw
from pydantic import AfterValidator, PlainValidator

from dq_pipelines.config.model import shown
from dq_pipelines.errors import RuleError
from dq_pipelines.rules.core.auxiliary_queries import ByText, ReadsAsDate, ReadsAsJson, validator_of
from dq_pipelines.rules.core.base import Example
from dq_pipelines.rules.core.column_value import Value
from dq_pipelines.rules.core.columns import Columns
from dq_pipelines.rules.core.on_rows import ColumnRule


class ReadableRule(ColumnRule):
    """A rule on whether Python can parse each text; a subclass gives the auxiliary query."""

    def auxiliary_query(self) -> ByText:
        raise NotImplementedError

    def holds(self, value: Value) -> nw.Expr:
        raise NotImplementedError("Python parses the texts outside of the scan")

    def fails(self, columns: Columns) -> nw.Expr:
        value = columns[self.column]
        if value.family not in ("text", "unknown"):
            raise RuleError(f"column '{value.name}' is {value.dtype}: wanted text, as it was before it was converted")
        return (~columns.answer(self.auxiliary_query())).fill_null(False)


class ValuesJsonParseable(ReadableRule):
    """Every value is JSON for Python's `json` (which accepts NaN and Infinity too)."""

    type: Literal["expect_column_values_to_be_json_parseable"]
    title_template: ClassVar[str] = "{column} is JSON"

    examples: ClassVar[tuple[Example, ...]] = (
        Example({"x": ['{"a": 1}', "[1, 2]", "3", None]}, {"column": "x"}, {"success": True, "missing_count": 1}),
        Example({"x": ["{'a': 1}", "", "[1, 2]"]}, {"column": "x"}, {"unexpected_count": 2}),
    )

    def auxiliary_query(self) -> ReadsAsJson:
        return ReadsAsJson(self.column)


def _schema(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"wanted a JSON Schema, got {shown(value)}")
    validator_of(value)
    return value


#: A JSON Schema as a mapping.
JsonSchema = Annotated[dict[str, Any], PlainValidator(_schema, json_schema_input_type=dict[str, Any])]


class ValuesMatchJsonSchema(ReadableRule):
    """Every value is JSON that is valid for `json_schema`; text that is not JSON fails."""

    type: Literal["expect_column_values_to_match_json_schema"]
    title_template: ClassVar[str] = "{column} is JSON of the declared schema"
    json_schema: JsonSchema

    examples: ClassVar[tuple[Example, ...]] = (
        Example(
            {"x": ['{"a": 1}', '{"a": "1"}', "{}", None]},
            {"column": "x", "json_schema": {"properties": {"a": {"type": "integer"}}, "required": ["a"]}},
            {"unexpected_count": 2, "missing_count": 1},
        ),
        Example({"x": ["1", "[]"]}, {"column": "x", "json_schema": {}}, {"success": True}),
        Example({"x": ["1", "{"]}, {"column": "x", "json_schema": {"type": "integer"}}, {"unexpected_count": 1}),
    )

    def auxiliary_query(self) -> ReadsAsJson:
        return ReadsAsJson(self.column, json.dumps(self.json_schema))


class ValuesDateutilParseable(ReadableRule):
    """Every value is a date, or a date and time, in any format that Python's `dateutil` can parse."""

    type: Literal["expect_column_values_to_be_dateutil_parseable"]
    title_template: ClassVar[str] = "{column} is a date"

    examples: ClassVar[tuple[Example, ...]] = (
        Example(
            {"x": ["2026-01-31", "Jan 31st 2026", "3pm", None]}, {"column": "x"}, {"success": True, "missing_count": 1}
        ),
        Example({"x": ["31.02.2026", "soon", "2026-01-01"]}, {"column": "x"}, {"unexpected_count": 2}),
    )

    def auxiliary_query(self) -> ReadsAsDate:
        return ReadsAsDate(self.column)


def _format(value: str) -> str:
    now = datetime(2026, 12, 31, 23, 59, 58, 123456)  # noqa: DTZ001 - any moment serves
    try:
        datetime.strptime(now.strftime(value), value)  # noqa: DTZ007 - the format says whether it has a zone
    except (ValueError, re.error) as error:
        raise ValueError(f"strftime_format {value!r} is none that dates can be read by: {error}") from None
    return value


class ValuesMatchStrftime(ReadableRule):
    """Every value is a date in the format `strftime_format`, as parsed by Python's `strptime`."""

    type: Literal["expect_column_values_to_match_strftime_format"]
    title_template: ClassVar[str] = "{column} is a date of the format {strftime_format}"
    #: such as `%Y-%m-%d`
    strftime_format: Annotated[str, AfterValidator(_format)]

    examples: ClassVar[tuple[Example, ...]] = (
        Example(
            {"x": ["2026-01-31", "2026-31-01", None]},
            {"column": "x", "strftime_format": "%Y-%m-%d"},
            {"unexpected_count": 1, "missing_count": 1},
        ),
        Example({"x": ["31/1/26 04PM"]}, {"column": "x", "strftime_format": "%d/%m/%y %I%p"}, {"success": True}),
    )

    def auxiliary_query(self) -> ReadsAsDate:
        return ReadsAsDate(self.column, self.strftime_format)
