"""Suggests rules against misspelt values, in columns without a closed set of values."""

from __future__ import annotations

from collections.abc import Iterator

from dq_pipelines.monitoring.suggestions.base import Suggestion, listed
from dq_pipelines.monitoring.suggestions.findings import Findings
from dq_pipelines.monitoring.suggestions.sets import closed_set


def suggest(findings: Findings) -> Iterator[Suggestion]:
    for name, wrong in findings.misspelt.items():
        column = findings.profile[name]
        if closed_set(findings, column) is not None:
            continue  # the rule on the set covers it
        counts = dict(column.values.rows())
        rows = sum(counts[value] for value in wrong)
        pairs = [f"{value}` for `{meant}" for value, meant in wrong.items()]
        rule = {"type": "expect_column_values_to_not_be_in_set", "column": name, "value_set": list(wrong)}
        yield Suggestion(rule, f"rare and nearly a frequent value: {listed(pairs)}", 0.8).broken_by(rows, column.seen)
