"""Suggests rules on functional dependencies, such as a ZIP code that determines its city."""

from __future__ import annotations

from collections.abc import Iterator

from dq_pipelines.monitoring.suggestions.base import Suggestion, mostly, percent
from dq_pipelines.monitoring.suggestions.findings import Findings

#: The highest `mostly`: a rare exception may be correct.
_TOLERATED = 0.99


def suggest(findings: Findings) -> Iterator[Suggestion]:
    for name, found in findings.dependencies.items():
        why = (
            f"{percent(found.alike - found.violations, found.alike)} of {found.alike:,} rows in {found.groups:,} groups with the "
            f"same {' and '.join(found.by)} have the usual value of their group"
        )
        rule = {"type": "expect_column_values_to_be_determined_by", "column": name, "by": list(found.by)}
        held = min(_TOLERATED, mostly(found.violations, found.alike))
        yield Suggestion({**rule, "mostly": held}, why, round(0.5 + 0.45 * found.strength, 2))
