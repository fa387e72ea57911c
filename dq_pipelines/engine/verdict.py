"""What the rules said of one batch: a result per rule, in the shape of Great Expectations' own results."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from dq_pipelines.rules.base import RowRule, Rule, WholeTableRule

if TYPE_CHECKING:
    import polars as pl

ResultFormat = Literal["BOOLEAN_ONLY", "BASIC", "SUMMARY", "COMPLETE"]


@dataclass(frozen=True)
class RuleResult:
    """What one rule found; the counts are None for rules that judge the whole table."""

    rule: Rule
    success: bool
    #: rows that the rule is about (all rows, or those that its `row_condition` picks)
    element_count: int | None = None
    #: of these, rows that were passed over because their value is missing
    missing_count: int | None = None
    #: rows that break the rule
    unexpected_count: int | None = None
    #: what a whole-table rule measured
    observed_value: Any = None
    #: what a whole-table rule reckoned its fields from, where that is more than the observed value
    found: Any = None
    #: the first failing rows: column name to value, judged columns first
    unexpected_rows: tuple[Mapping[str, Any], ...] = ()
    #: one sentence when the rule could not be judged, else None
    error: str | None = None
    #: who judged: "polars", "duckdb", "gx", …
    engine: str = "polars"

    @property
    def judged_count(self) -> int:
        """Rows that were looked at: elements without the missing ones."""
        return (self.element_count or 0) - (self.missing_count or 0)

    @property
    def unexpected_percent(self) -> float | None:
        """Failing rows as a percentage (0 to 100) of the rows looked at, as GX reckons it."""
        return _percent(self.unexpected_count, self.judged_count)

    @property
    def blocks(self) -> bool:
        """Whether this result keeps the whole batch from being published."""
        if self.error is not None:
            return self.rule.action in ("block", "quarantine", "drop")
        if isinstance(self.rule, RowRule):
            return self.rule.blocks(self.unexpected_count or 0, self.judged_count)
        return self.rule.action == "block" and not self.success

    def to_json_dict(self, result_format: ResultFormat = "SUMMARY") -> dict[str, Any]:
        """The result as GX's ExpectationValidationResult writes it."""
        return {
            "success": self.success,
            "expectation_config": {
                "type": self.rule.type,
                "kwargs": plain(self.rule.kwargs),
                "meta": self.rule.meta or {},
                "severity": self.rule.severity,
            },
            "result": {} if result_format == "BOOLEAN_ONLY" else self._result(result_format),
            "meta": {"engine": self.engine},
            "exception_info": {
                "raised_exception": self.error is not None,
                "exception_message": self.error,
                "exception_traceback": None,
            },
        }

    def _result(self, result_format: ResultFormat) -> dict[str, Any]:
        if self.error is not None:
            return {}
        if self.unexpected_count is None:
            found: Mapping[str, Any] = {"observed_value": self.observed_value}
            if isinstance(self.rule, WholeTableRule):
                reckoned = self.observed_value if self.found is None else self.found
                found = self.rule.fields(reckoned, complete=result_format == "COMPLETE")
            return {name: plain(value) for name, value in found.items()}
        result: dict[str, Any] = {
            "element_count": self.element_count,
            "unexpected_count": self.unexpected_count,
            "unexpected_percent": self.unexpected_percent,
            "partial_unexpected_list": plain(self.unexpected_values[:20]),
        }
        if isinstance(self.rule, RowRule) and self.rule.ignores_missing:
            result |= {
                "missing_count": self.missing_count,
                "missing_percent": _percent(self.missing_count, self.element_count),
                "unexpected_percent_total": _percent(self.unexpected_count, self.element_count),
                "unexpected_percent_nonmissing": self.unexpected_percent,
            }
        if result_format in ("SUMMARY", "COMPLETE"):
            result["partial_unexpected_counts"] = _value_counts(result["partial_unexpected_list"])
        if result_format == "COMPLETE":
            result["unexpected_list"] = plain(self.unexpected_values)
        return result

    @property
    def unexpected_values(self) -> list[Any]:
        """The failing values: single ones for one judged column, else one mapping per row."""
        columns = self.rule.columns_judged
        if len(columns) == 1:
            return [row.get(columns[0]) for row in self.unexpected_rows]
        return [{name: row.get(name) for name in columns or row} for row in self.unexpected_rows]


@dataclass(frozen=True)
class Verdict:
    """What a table's rules said of one batch, and the rows on either side of them."""

    results: tuple[RuleResult, ...]
    #: rows that no refusing rule refuses, with the data's own columns
    kept: pl.LazyFrame
    #: rows that a row rule refuses, whole, with `_reasons`: list of {rule, column, value}
    refused: pl.LazyFrame
    meta: Mapping[str, Any] = field(default_factory=dict)
    result_format: ResultFormat = "SUMMARY"

    @property
    def success(self) -> bool:
        """Whether every rule was met."""
        return all(result.success for result in self.results)

    @property
    def blocked_by(self) -> tuple[RuleResult, ...]:
        """The results for which nothing of the batch may be published."""
        return tuple(result for result in self.results if result.blocks)

    @property
    def statistics(self) -> dict[str, Any]:
        """GX's suite statistics: evaluated, successful, unsuccessful, and the percentage of success."""
        evaluated, successful = len(self.results), sum(result.success for result in self.results)
        return {
            "evaluated_expectations": evaluated,
            "successful_expectations": successful,
            "unsuccessful_expectations": evaluated - successful,
            "success_percent": _percent(successful, evaluated),
        }

    def to_json_dict(self) -> dict[str, Any]:
        """The verdict as GX's ExpectationSuiteValidationResult writes it."""
        return {
            "success": self.success,
            "results": [result.to_json_dict(self.result_format) for result in self.results],
            "suite_name": self.meta.get("suite_name"),
            "suite_parameters": {},
            "statistics": self.statistics,
            "meta": dict(self.meta),
            "id": None,
        }

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{'✓' if result.success else '✗'}</td><td>{html.escape(result.rule.type)}</td>"
            f"<td>{html.escape(result.rule.column_label or '')}</td>"
            f"<td>{html.escape(str(result.error or _found(result)))}</td></tr>"
            for result in self.results
        )
        head = "<tr><th></th><th>rule</th><th>column</th><th>found</th></tr>"
        return f"<table><thead>{head}</thead><tbody>{rows}</tbody></table>"


def _found(result: RuleResult) -> str:
    if result.unexpected_count is None:
        return str(result.observed_value)
    return f"{result.unexpected_count:,} of {result.element_count:,}"


def _percent(part: int | None, whole: int | None) -> float | None:
    return None if part is None or not whole else part / whole * 100


def _value_counts(values: Sequence[Any]) -> list[dict[str, Any]]:
    counts: list[dict[str, Any]] = []
    for value in values:
        for seen in counts:
            if seen["value"] == value:
                seen["count"] += 1
                break
        else:
            counts.append({"value": value, "count": 1})
    return sorted(counts, key=lambda seen: -int(seen["count"]))


def plain(value: Any) -> Any:
    """`value` as JSON can hold it: dates and decimals as text, tuples and sets as lists."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item) for item in value]
    if value is None or isinstance(value, bool | int | float | str):
        return value
    return str(value)
