"""Converts the standard's library metrics to rules.

A limit of zero failing rows becomes a row rule. Any other limit becomes a query on the whole batch, since rows that the
contract allows must not be refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dq_pipelines.config.sql_text import identifier, literal
from dq_pipelines.errors import nearest
from dq_pipelines.monitoring.contracts.limits import Limits
from dq_pipelines.monitoring.contracts.part import Part

Rule = dict[str, Any]

#: Names of the metrics in earlier versions of the standard.
_EARLIER = {
    "nullCheck": "nullValues", "duplicateCount": "duplicateValues", "validValues": "invalidValues",
    "countCheck": "rowCount", "uniqueCheck": "duplicateValues",
}  # fmt: skip
METRICS = ("nullValues", "missingValues", "invalidValues", "duplicateValues", "rowCount")


class Untranslatable(Exception):
    """Raised for a check that no rule can express; the message is the reason."""


def rules_of(part: Part, column: str | None, limits: Limits) -> list[Rule]:
    """Converts a library check to rules. Raises Untranslatable where no rule can express it."""
    key = "metric" if "metric" in part else "rule"
    named = part.text(key) or ""
    metric = _EARLIER.get(named, named)
    if metric not in METRICS:
        if key == "metric":
            part.wrong("metric", f"unknown metric '{named}'{nearest(named, METRICS)}")
        raise Untranslatable(f"'{named}' is no metric of the standard{nearest(named, METRICS)}")
    percent = _percent(part)
    if metric == "rowCount":
        if percent:
            raise Untranslatable("a number of rows has no percentage")
        return [_row_count(limits)]
    if metric == "duplicateValues":
        return [_duplicates(part, column, limits, percent=percent)]
    if column is None:
        raise Untranslatable(f"{metric} needs a property, and this check has none")
    makers = {"nullValues": _nulls, "missingValues": _missing, "invalidValues": _invalid}
    return makers[metric](part, column, limits, percent=percent)


def _percent(part: Part) -> bool:
    unit = part.text("unit")
    if unit not in (None, "rows", "percent"):
        raise Untranslatable(f"the unit '{unit}' is neither rows nor percent")
    return unit == "percent"


def _row_count(limits: Limits) -> Rule:
    if limits.given.keys() == {"mustBe"}:
        return {"type": "expect_table_row_count_to_equal", "value": int(limits.given["mustBe"])}
    bounds = limits.bounds
    if bounds is None or any(isinstance(value, float) and value % 1 for value in bounds.values()):
        return _query("count(*)", limits)
    whole = {key: value if isinstance(value, bool) else int(value) for key, value in bounds.items()}
    return {"type": "expect_table_row_count_to_be_between", **whole}


def _nulls(_: Part, column: str, limits: Limits, *, percent: bool) -> list[Rule]:
    if limits.is_none:
        return [{"type": "expect_column_values_to_not_be_null", "column": column}]
    return [_query(_counted(f"{identifier(column)} IS NULL", percent=percent), limits)]


def _missing(part: Part, column: str, limits: Limits, *, percent: bool) -> list[Rule]:
    values = _argument(part, "missingValues") or [None]
    texts = [value for value in values if value is not None]
    if limits.is_none:
        null: list[Rule] = [{"type": "expect_column_values_to_not_be_null", "column": column}]
        other = {"type": "expect_column_values_to_not_be_in_set", "column": column, "value_set": texts}
        return [*(null if None in values else []), *([other] if texts else [])]
    tests = [f"{identifier(column)} IS NULL"] if None in values else []
    tests += [f"CAST({identifier(column)} AS varchar) IN ({_literals(texts)})"] if texts else []
    return [_query(_counted(" OR ".join(tests), percent=percent), limits)]


def _invalid(part: Part, column: str, limits: Limits, *, percent: bool) -> list[Rule]:
    values, pattern = _argument(part, "validValues"), _argument(part, "pattern")
    rules: list[Rule] = []
    tests = []
    if values is not None:
        rules.append({"type": "expect_column_values_to_be_in_set", "column": column, "value_set": values})
        tests.append(f"CAST({identifier(column)} AS varchar) NOT IN ({_literals(values)})")
    if pattern is not None:
        rules.append({"type": "expect_column_values_to_match_regex", "column": column, "regex": pattern})
        tests.append(f"NOT (CAST({identifier(column)} AS varchar) ~ {_literals([pattern])})")
    if not rules:
        raise Untranslatable("invalidValues needs `validValues` or `pattern` in its arguments")
    return rules if limits.is_none else [_query(_counted(" OR ".join(tests), percent=percent), limits)]


def _duplicates(part: Part, column: str | None, limits: Limits, *, percent: bool) -> Rule:
    columns = _argument(part, "properties") or ([column] if column else [])
    if not columns:
        raise Untranslatable("duplicateValues of an object needs `properties` in its arguments")
    if limits.is_none:
        if len(columns) == 1:
            return {"type": "expect_column_values_to_be_unique", "column": columns[0]}
        return {"type": "expect_compound_columns_to_be_unique", "column_list": list(columns)}
    keys = ", ".join(identifier(str(name)) for name in columns)
    not_null = " AND ".join(f"{identifier(str(name))} IS NOT NULL" for name in columns)
    grouped = f"SELECT count(*) AS n FROM {{batch}} WHERE {not_null} GROUP BY {keys}"  # noqa: S608 - names are quoted, and it reads the batch alone
    if percent:  # the values beyond the first of each, of all values
        return _query("100.0 * (sum(n) - count(*)) / sum(n)", limits, source=f"({grouped}) AS g")
    return _query("count(*)", limits, source=f"({grouped} HAVING count(*) > 1) AS g")


def _argument(part: Part, name: str) -> Any:
    """Reads an argument of a metric; earlier versions of the standard have it as a key next to the metric."""
    arguments = part.part("arguments")
    value = arguments.take(name) if name in arguments else part.take(name) if name in part else None
    if name == "pattern":
        return None if value is None else str(value)
    if value is not None and not isinstance(value, list):
        part.wrong("arguments", f"{name}: wanted a list, got {type(value).__name__}")
        raise Untranslatable(f"{name} is no list")
    return value


def _counted(test: str, *, percent: bool) -> str:
    count = f"sum(CASE WHEN {test} THEN 1 ELSE 0 END)"
    return f"100.0 * {count} / count(*)" if percent else f"coalesce({count}, 0)"


def _query(number: str, limits: Limits, source: str = "{batch}") -> Rule:
    query = f"SELECT found FROM (SELECT {number} AS found FROM {source}) AS q WHERE NOT ({limits.sql})"  # noqa: S608 - as above
    return {"type": "expect_query_to_return_no_rows", "unexpected_rows_query": query}


def _literals(values: Sequence[Any]) -> str:
    return ", ".join(literal(str(value)) for value in values)
