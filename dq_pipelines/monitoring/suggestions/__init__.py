"""Rules that data speak for: one family of suggestions per file, each with its evidence. What the data look like belongs in `profile`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

import polars as pl

from dq_pipelines.monitoring.profile import profile
from dq_pipelines.monitoring.suggestions import (
    check_digits,
    completeness,
    damage,
    dependencies,
    drift,
    duplicates,
    formats,
    hollows,
    keys,
    leading_zeros,
    lengths,
    letters,
    order,
    patterns,
    prefixes,
    ranges,
    references,
    sets,
    signs,
    typos,
    weekdays,
)
from dq_pipelines.monitoring.suggestions.base import Suggestion
from dq_pipelines.monitoring.suggestions.findings import Findings, Parent
from dq_pipelines.monitoring.suggestions.held import held_against

__all__ = ["Findings", "Parent", "Suggestion", "suggest", "suggestions"]

#: The families, in the order in which a table's rules stand.
FAMILIES: tuple[Callable[[Findings], Iterator[Suggestion]], ...] = (
    keys.suggest,
    duplicates.suggest,
    completeness.suggest,
    sets.suggest,
    drift.suggest,
    patterns.suggest,
    formats.suggest,
    letters.suggest,
    leading_zeros.suggest,
    check_digits.suggest,
    lengths.suggest,
    ranges.suggest,
    signs.suggest,
    hollows.suggest,
    order.suggest,
    weekdays.suggest,
    prefixes.suggest,
    references.suggest,
    dependencies.suggest,
    typos.suggest,
    damage.suggest,
)


def suggest(data: Any) -> list[dict[str, Any]]:
    """Rules for `data` as they are, each a mapping that `dq.validate` takes, with `description` and `meta.confidence`.

    `data` is a Polars, pandas or Arrow frame, a DuckDB relation, or a path, as `dq.validate` takes it. Values of a CSV
    are text: `dq suggest` suggests their types, too. Raises SourceError for data that cannot be read.
    """
    from dq_pipelines.engine.backends.frames import frame_from

    rows = frame_from(data)
    return [each.as_mapping for each in suggestions(rows, Findings(profile(rows)))]


def suggestions(
    rows: pl.LazyFrame, findings: Findings, misread: Mapping[str, str] = MappingProxyType({})
) -> list[Suggestion]:
    """What every family suggests, held against all rows: each rule says how many of them it must put up with.

    `misread` names by column the hidden flag that marks rows whose value did not fit its type: rules pass over it there.
    """
    found = [each for family in FAMILIES for each in family(findings) if not _is_about_place(each, findings)]
    return list(held_against(rows, found, misread))


def _is_about_place(each: Suggestion, findings: Findings) -> bool:
    """Whether a rule is about the place of a row in its file alone: it could not fail."""
    names = each.rule.get("column_list", [each.column])
    return all(name is not None and findings.is_row_index(findings.profile[name]) for name in names)
