"""What programs do to text on its way: broken encodings, stray signs, codes that a spreadsheet took for dates or numbers."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from dq_pipelines.monitoring.suggestions.base import Suggestion, listed, percent
from dq_pipelines.monitoring.suggestions.findings import Findings

_MONTH = "(Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
#: What is wrong, how it looks, and the share of values up to which it is damage and not what the column holds.
_DAMAGE = (
    ("no letters but what is left of them", "\ufffd|Ã[\u0080-\u00bf]|â€|Â[\u0080-\u00bf]", 0.3),
    ("signs that control a printer", r"[\x01-\x08\x0b\x0c\x0e-\x1f\x7f]", 0.3),
    ("stray signs", r"[*^~|{}\\`]", 0.05),
    ("as a spreadsheet writes what it took for a date", rf"^([0-9]{{1,2}}-{_MONTH}|{_MONTH}-[0-9]{{2,4}})$", 0.3),
    ("as a spreadsheet writes what it took for a number", r"^[0-9](\.[0-9]+)?E\+[0-9]{1,2}$", 0.3),
)


def suggest(findings: Findings) -> Iterator[Suggestion]:
    for column in findings:
        if not column.is_text or column.reading.kind != "text":
            continue
        for what, pattern, most in _DAMAGE:
            damaged = column.values.filter(pl.col("value").str.contains(pattern))
            rows = int(damaged["count"].sum())
            if 0 < rows <= most * column.seen:
                rule = {"type": "expect_column_values_to_not_match_regex", "column": column.name, "regex": pattern}
                why = f"{percent(rows, column.seen)} of the values have {what}, such as {listed(damaged['value'], 2)}"
                yield Suggestion(rule, why, 0.8).broken_by(rows, column.seen)
