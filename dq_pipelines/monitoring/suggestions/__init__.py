"""Suggests rules for data, each with its evidence. Each family of rules has a file; `profile` provides the input."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

import polars as pl

from dq_pipelines.monitoring.profile import profile
from dq_pipelines.monitoring.suggestions import (
    check_digits,
    column_pairs,
    completeness,
    damaged_text,
    dependencies,
    digits_in_text,
    drift,
    duplicates,
    formats,
    keys,
    leading_zeros,
    lengths,
    negative_numbers,
    patterns,
    prefixes,
    ranges,
    references,
    sets,
    typos,
    value_gaps,
    weekdays,
)
from dq_pipelines.monitoring.suggestions.base import Suggestion
from dq_pipelines.monitoring.suggestions.evaluation import evaluate
from dq_pipelines.monitoring.suggestions.findings import Findings, Parent

__all__ = ["Findings", "Parent", "Suggestion", "suggest", "suggestions"]

#: The families, in the order of a table's rules.
FAMILIES: tuple[Callable[[Findings], Iterator[Suggestion]], ...] = (
    keys.suggest,
    duplicates.suggest,
    completeness.suggest,
    sets.suggest,
    drift.suggest,
    patterns.suggest,
    formats.suggest,
    digits_in_text.suggest,
    leading_zeros.suggest,
    check_digits.suggest,
    lengths.suggest,
    ranges.suggest,
    negative_numbers.suggest,
    value_gaps.suggest,
    column_pairs.suggest,
    weekdays.suggest,
    prefixes.suggest,
    references.suggest,
    dependencies.suggest,
    typos.suggest,
    damaged_text.suggest,
)


def suggest(data: Any) -> list[dict[str, Any]]:
    """Returns suggested rules for `data`: mappings for `dq.validate`, with `description` and `meta.confidence`.

    `data` is a Polars, pandas or Arrow frame, a DuckDB relation, or a path, as for `dq.validate`. Values of a CSV are
    text; the command `dq suggest` also suggests their types. Raises SourceError for data that cannot be read.
    """
    from dq_pipelines.engine.backends.frames import frame_from

    rows = frame_from(data)
    return [each.as_mapping for each in suggestions(rows, Findings(profile(rows)))]


def suggestions(
    rows: pl.LazyFrame, findings: Findings, misread: Mapping[str, str] = MappingProxyType({})
) -> list[Suggestion]:
    """Returns the suggestions of all families, evaluated on all rows: `mostly` of each allows the rows that fail now.

    `misread` names, by column, the hidden flag of rows whose value did not fit its type; rules ignore the column there.
    """
    candidates = [each for family in FAMILIES for each in family(findings) if not _is_on_row_index(each, findings)]
    return list(evaluate(rows, candidates, misread))


def _is_on_row_index(each: Suggestion, findings: Findings) -> bool:
    """Whether a rule is only about the row number of the file, so that it could not fail."""
    names = each.rule.get("column_list", [each.column])
    return all(name is not None and findings.is_row_index(findings.profile[name]) for name in names)
