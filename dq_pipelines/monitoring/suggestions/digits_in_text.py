"""Suggests rules for names and words: texts of letters, a few of which wrongly contain digits."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from dq_pipelines.monitoring.suggestions.base import Suggestion, listed, percent, rows_of
from dq_pipelines.monitoring.suggestions.findings import Findings
from dq_pipelines.monitoring.suggestions.sets import closed_set

_LEAST_ROWS = 200
#: Largest share of rows with a digit, and the least share of the others that have letters only.
_FEW, _OF_LETTERS = 0.005, 0.98
_LETTERS = r"^[\p{L}\p{M} .,'\x{2019}&()/-]+$"
_DIGIT = "[0-9]"
#: Longer texts are sentences, which may contain numbers.
_LONGEST = 40


def suggest(findings: Findings) -> Iterator[Suggestion]:
    for column in findings:
        if not column.is_text or column.inferred_type.kind != "text" or column.seen < _LEAST_ROWS:
            continue
        if column.lengths is None or column.lengths.mean > _LONGEST or closed_set(findings, column) is not None:
            continue  # the rule on the set covers it
        value = pl.col("value")
        digits = column.values.filter(value.str.contains(_DIGIT))
        rows, of_letters = int(digits["count"].sum()), column.values.filter(value.str.contains(_LETTERS))["count"].sum()
        if 0 < rows <= _FEW * column.seen and of_letters >= _OF_LETTERS * (column.seen - rows):
            rule = {"type": "expect_column_values_to_not_match_regex", "column": column.name, "regex": _DIGIT}
            why = (
                f"{percent(column.seen - rows, column.seen)} of the values have no digit; {rows_of(rows)} have, "
                f"such as {listed(digits['value'], 2)}"
            )
            yield Suggestion(rule, why, 0.85).broken_by(rows, column.seen)
