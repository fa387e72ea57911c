"""Suggests rules on damaged text: broken encodings, control characters, codes that a spreadsheet converted."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from dq_pipelines.monitoring.suggestions.base import Suggestion, listed, percent
from dq_pipelines.monitoring.suggestions.findings import Findings

_MONTH = "(Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
#: Description, regex, and the largest share of values for which it counts as damage.
_DAMAGE = (
    ("broken characters of a wrong encoding", "\ufffd|Ã[\u0080-\u00bf]|â€|Â[\u0080-\u00bf]", 0.3),
    ("control characters", r"[\x01-\x08\x0b\x0c\x0e-\x1f\x7f]", 0.3),
    ("stray punctuation", r"[*^~|{}\\`]", 0.05),
    ("the form of a code that a spreadsheet took for a date", rf"^([0-9]{{1,2}}-{_MONTH}|{_MONTH}-[0-9]{{2,4}})$", 0.3),
    ("the form of a code that a spreadsheet took for a number", r"^[0-9](\.[0-9]+)?E\+[0-9]{1,2}$", 0.3),
)


def suggest(findings: Findings) -> Iterator[Suggestion]:
    for column in findings:
        if not column.is_text or column.inferred_type.kind != "text":
            continue
        for what, pattern, most in _DAMAGE:
            damaged = column.values.filter(pl.col("value").str.contains(pattern))
            rows = int(damaged["count"].sum())
            if 0 < rows <= most * column.seen:
                rule = {"type": "expect_column_values_to_not_match_regex", "column": column.name, "regex": pattern}
                why = f"{percent(rows, column.seen)} of the values have {what}, such as {listed(damaged['value'], 2)}"
                yield Suggestion(rule, why, 0.8).broken_by(rows, column.seen)
