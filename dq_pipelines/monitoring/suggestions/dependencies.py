"""Suggests rules on functional dependencies, such as a ZIP code that determines its city."""

from __future__ import annotations

from collections.abc import Iterator

from dq_pipelines.monitoring.suggestions.base import Suggestion, mostly, percent
from dq_pipelines.monitoring.suggestions.findings import Findings

#: The highest `mostly`: a rare exception may be correct.
_TOLERATED = 0.99


def suggest(findings: Findings) -> Iterator[Suggestion]:
    for name, dependency in findings.dependencies.items():
        why = (
            f"{percent(dependency.alike - dependency.violations, dependency.alike)} of {dependency.alike:,} rows in {dependency.groups:,} groups with the "
            f"same {' and '.join(dependency.by)} have the usual value of their group"
        )
        rule = {"type": "expect_column_values_to_be_determined_by", "column": name, "by": list(dependency.by)}
        admitted = min(_TOLERATED, mostly(dependency.violations, dependency.alike))
        yield Suggestion({**rule, "mostly": admitted}, why, round(0.5 + 0.45 * dependency.strength, 2))
