"""The verdict on one batch: a result per rule, in the shape of Great Expectations' results."""

from __future__ import annotations

import html
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from dq_pipelines.engine.gx.suite import gx_suite
from dq_pipelines.engine.json_values import strictly_plain
from dq_pipelines.engine.results.result_format import ROW, Format, ResultFormat
from dq_pipelines.rules.core.base import Rule
from dq_pipelines.rules.core.on_rows import PairRule, RowRule
from dq_pipelines.rules.core.on_tables import WholeTableRule

if TYPE_CHECKING:
    import polars as pl

__all__ = ["ResultFormat", "RuleResult", "Verdict"]


@dataclass(frozen=True)
class RuleResult:
    """The result of one rule. The counts are None for rules that judge the whole table."""

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
    #: what the fields of a whole-table rule are computed from, where that is more than the observed value
    found: Any = None
    #: the first failing rows: column name to value, judged columns first
    unexpected_rows: tuple[Mapping[str, Any], ...] = ()
    #: one sentence when the rule could not be judged, else None
    error: str | None = None
    #: which engine judged: "polars", "duckdb", "gx", …
    engine: str = "polars"
    #: one sentence on which engine judged and why, where it is another than the caller's
    note: str | None = None

    @property
    def judged_count(self) -> int:
        """Rows that were looked at: elements without the missing ones."""
        return (self.element_count or 0) - (self.missing_count or 0)

    @property
    def unexpected_percent(self) -> float | None:
        """Failing rows as a percentage (0 to 100) of the rows looked at, as GX computes it."""
        return _percent(self.unexpected_count, self.judged_count)

    @property
    def remark(self) -> str:
        """What follows the observed value of a whole-table rule that fails, for people; often empty."""
        if self.success or self.error is not None or not isinstance(self.rule, WholeTableRule):
            return ""
        return self.rule.remark(self.observed_value)

    @property
    def blocks(self) -> bool:
        """Whether this result keeps the whole batch from being published."""
        if self.error is not None:
            return self.rule.action in ("block", "quarantine", "drop")
        if isinstance(self.rule, RowRule):
            return self.rule.blocks(self.unexpected_count or 0, self.judged_count)
        return self.rule.action == "block" and not self.success

    def to_json_dict(self, result_format: ResultFormat | Format = "SUMMARY") -> dict[str, Any]:
        """The result as GX's ExpectationValidationResult writes it."""
        wanted = Format.of(result_format)
        return {
            "success": self.success,
            "expectation_config": {
                "type": self.rule.type,
                "kwargs": strictly_plain(self.rule.kwargs),
                "meta": self.rule.meta or {},
                "severity": self.rule.severity,
            },
            "result": {} if wanted.name == "BOOLEAN_ONLY" else self._result(wanted),
            "meta": {"engine": self.engine, **({"note": self.note} if self.note else {})},
            "exception_info": {
                "raised_exception": self.error is not None,
                "exception_message": self.error,
                "exception_traceback": None,
            },
        }

    def _result(self, wanted: Format) -> dict[str, Any]:
        if self.error is not None:
            return {}
        if self.unexpected_count is None:
            fields: Mapping[str, Any] = {"observed_value": self.observed_value}
            if isinstance(self.rule, WholeTableRule):
                measured = self.observed_value if self.found is None else self.found
                fields = self.rule.fields(measured, complete=wanted.name == "COMPLETE")
            listed = fields if wanted.most_listed else {name: fields[name] for name in fields if "partial_" not in name}
            return {name: strictly_plain(value) for name, value in listed.items()}
        result: dict[str, Any] = {
            "element_count": self.element_count,
            "unexpected_count": self.unexpected_count,
            "unexpected_percent": self.unexpected_percent,
        }
        if not isinstance(self.rule, RowRule) or self.rule.ignores_missing:
            result |= {
                "missing_count": self.missing_count,
                "missing_percent": _percent(self.missing_count, self.element_count),
                "unexpected_percent_total": _percent(self.unexpected_count, self.element_count),
                "unexpected_percent_nonmissing": self.unexpected_percent,
            }
        return result | {name: strictly_plain(value) for name, value in self._rows(wanted).items()}

    def _rows(self, wanted: Format) -> dict[str, Any]:
        """The fields that show failing rows, as far as the format wants them."""
        most, values, index = wanted.most_listed, self.unexpected_values, self._index(wanted)
        fields: dict[str, Any] = {}
        if wanted.index_columns:
            fields["unexpected_index_column_names"] = wanted.index_columns
        if not wanted.without_values:
            fields["partial_unexpected_list"] = values[:most]
        if wanted.with_rows:
            fields["unexpected_rows"] = [self._own(row) for row in self.unexpected_rows[:most]]
        if wanted.name == "BASIC":
            return fields
        if most and not wanted.without_values:
            fields["partial_unexpected_counts"] = _value_counts(values, most)
        if most and index is not None:
            fields["partial_unexpected_index_list"] = index[:most]
        if wanted.name != "COMPLETE":
            return fields
        if not wanted.without_values:
            fields["unexpected_list"] = values
        if index is not None:
            fields["unexpected_index_list"] = index
            if wanted.with_query:
                fields["unexpected_index_query"] = f"df.filter(items={self._labels()}, axis=0)"
        return fields

    def _labels(self) -> list[Any]:
        return [row[ROW] for row in self.unexpected_rows]

    def _index(self, wanted: Format) -> list[Any] | None:
        """Which rows fail: by the columns that identify them, else by their place; None when that is not known."""
        if wanted.index_columns:
            shown = () if wanted.without_values else self.rule.columns_judged
            return [{name: row.get(name) for name in (*shown, *wanted.index_columns)} for row in self.unexpected_rows]
        numbered = not self.unexpected_rows or ROW in self.unexpected_rows[0]
        return self._labels() if numbered else None

    @staticmethod
    def _own(row: Mapping[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in row.items() if name != ROW}

    @property
    def unexpected_values(self) -> list[Any]:
        """The failing values: single ones for one judged column, pairs for two, else one mapping per row."""
        columns = self.rule.columns_judged
        if len(columns) == 1:
            return [row.get(columns[0]) for row in self.unexpected_rows]
        if isinstance(self.rule, PairRule):
            return [tuple(row.get(name) for name in columns) for row in self.unexpected_rows]
        return [{name: row.get(name) for name in columns or self._own(row)} for row in self.unexpected_rows]


@dataclass(frozen=True)
class Verdict:
    """The results of a table's rules over one batch, and the rows that they keep and refuse."""

    results: tuple[RuleResult, ...]
    #: rows that no refusing rule refuses, with the data's own columns
    kept: pl.LazyFrame
    #: rows that a row rule refuses, whole, with `_reasons`: list of {rule, column, value}
    refused: pl.LazyFrame
    meta: Mapping[str, Any] = field(default_factory=dict)
    result_format: ResultFormat | Format = "SUMMARY"

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

    def to_gx_suite(self, name: str | None = None) -> dict[str, Any]:
        """The rules that were judged as a suite that Great Expectations 1.x loads; see `engine.gx.suite`."""
        return gx_suite((result.rule for result in self.results), name=name or self.meta.get("suite_name"))

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


def _value_counts(values: Sequence[Any], most: int) -> list[dict[str, Any]]:
    """The most common values with their counts, the most common first and those as common in their order."""
    keys = [tuple(value.values()) if isinstance(value, dict) else value for value in values]
    try:
        counts = Counter(keys).most_common(most)
    except TypeError:
        return [{"error": "partial_exception_counts requires a hashable type"}]
    try:
        counts.sort(key=lambda pair: (-pair[1], pair[0]))
    except TypeError:
        counts.sort(key=lambda pair: (-pair[1], str(pair[0])))
    return [{"value": value, "count": count} for value, count in counts]
