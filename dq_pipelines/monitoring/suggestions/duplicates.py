"""Rows that are there twice, value for value."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from dq_pipelines.monitoring.suggestions.base import Suggestion, percent
from dq_pipelines.monitoring.suggestions.findings import Findings

#: Too few rows or columns to tell a second copy from chance; and the share of rows up to which copies are slips.
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
    # Where all values of a row are common ones, rows are alike by chance.
    if 0 < copied <= _FEW * seen.rows:
        rule = {"type": "expect_compound_columns_to_be_unique", "column_list": names}
        why = f"{extra:,} of {seen.rows:,} rows ({percent(extra, seen.rows)}) repeat another row value for value"
        yield Suggestion(rule, why, 0.7).broken_by(copied, seen.rows)
