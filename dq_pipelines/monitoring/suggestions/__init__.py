"""Rules that data speak for: one family of suggestions per file, each with its evidence. What the data look like belongs in `profile`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import polars as pl

from dq_pipelines.monitoring.profile import Profile, profile
from dq_pipelines.monitoring.suggestions import (
    completeness,
    damage,
    dependencies,
    keys,
    lengths,
    patterns,
    ranges,
    references,
    sets,
    typos,
)
from dq_pipelines.monitoring.suggestions.base import Suggestion
from dq_pipelines.monitoring.suggestions.findings import Findings, Parent

__all__ = ["Findings", "Parent", "Suggestion", "suggest", "suggestions"]

#: The families, in the order in which a table's rules stand.
FAMILIES: tuple[Callable[[Findings], Iterator[Suggestion]], ...] = (
    keys.suggest,
    completeness.suggest,
    sets.suggest,
    patterns.suggest,
    lengths.suggest,
    ranges.suggest,
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
    from dq_pipelines.engine.frames import frame_from

    rows = frame_from(data)
    return [each.as_mapping for each in suggestions(rows, Findings(profile(rows)))]


def suggestions(rows: pl.LazyFrame, findings: Findings) -> list[Suggestion]:
    """What every family suggests, held against all rows: each rule says how many of them it must put up with."""
    found = [suggestion for family in FAMILIES for suggestion in family(findings)]
    return list(_held_against(rows, found, findings.profile))


def _held_against(rows: pl.LazyFrame, found: list[Suggestion], seen: Profile) -> Iterator[Suggestion]:
    """The suggestions that fit all rows, where they were learned from some of them."""
    from dq_pipelines.engine.judge import judge
    from dq_pipelines.engine.polars import Scan
    from dq_pipelines.engine.samples import Samples
    from dq_pipelines.rules import rule_from

    elsewhere = "expect_column_values_to_exist_in"
    judged = [each for each in found if each.rule["type"] != elsewhere]
    if seen.is_whole:
        yield from found
        return
    results = judge(Scan(rows, [rule_from(each.as_written) for each in judged]), samples=Samples(most=0)).results
    told = dict(zip(map(id, judged), results, strict=True))
    for each in found:
        result = told.get(id(each))
        if result is None or (result.error is None and result.unexpected_count is None and result.success):
            yield each
        elif result.error is None and result.unexpected_count is not None:
            share = result.unexpected_count / max(1, result.judged_count)
            if share <= 0.15:
                yield replace(each, confidence=min(each.confidence, 1 - share)).broken_by(
                    result.unexpected_count, result.judged_count
                )
