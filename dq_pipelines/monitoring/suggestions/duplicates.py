"""Suggests a rule on duplicate rows: rows that are equal in all columns."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from dq_pipelines.monitoring.suggestions.base import Suggestion, percent
from dq_pipelines.monitoring.suggestions.findings import Findings

#: Least rows and columns for which copies are no chance; and the largest share of rows for which they are errors.
_LEAST_ROWS, _LEAST_COLUMNS, _FEW = 50, 3, 0.05


def suggest(findings: Findings) -> Iterator[Suggestion]:
    seen = findings.profile
    names = [column.name for column in seen if not column.dtype.is_nested()]
    if not seen.is_whole or seen.rows < _LEAST_ROWS or len(names) < _LEAST_COLUMNS:
        return
    if any(findings.is_unique(column) and not column.nulls for column in findings):
        return
    rows = pl.DataFrame([seen.sample.get_column(name).alias(str(place)) for place, name in enumerate(names)])
    copied = int(rows.is_duplicated().sum())
    extra = seen.rows - rows.n_unique()
    # With more copies, rows of common values are equal by chance.
    if 0 < copied <= _FEW * seen.rows:
        rule = {"type": "expect_compound_columns_to_be_unique", "column_list": names}
        why = f"{extra:,} of {seen.rows:,} rows ({percent(extra, seen.rows)}) repeat another row value for value"
        yield Suggestion(rule, why, 0.7).broken_by(copied, seen.rows)
