"""Evaluates suggested rules on all rows: counts the failing rows, and drops rules that do not hold."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import polars as pl

from dq_pipelines.engine.results.verdict import RuleResult
from dq_pipelines.monitoring.suggestions.base import Suggestion

#: Rules that look up another table: their family has counted failing rows already.
_LOOKUP = "expect_column_values_to_exist_in"


def evaluate(rows: pl.LazyFrame, candidates: Sequence[Suggestion], misread: Mapping[str, str]) -> Iterator[Suggestion]:
    """Yields the suggestions that hold, each with a `mostly` that allows the failing rows.

    A rule that cannot be judged, that fails on the whole table, or that no row could fail is left out.
    """
    from dq_pipelines.engine.backends.registry import staging_backend
    from dq_pipelines.engine.judge import judge
    from dq_pipelines.engine.results.samples import Samples
    from dq_pipelines.rules import rule_from

    judged = [each for each in candidates if each.rule["type"] != _LOOKUP]
    scan = staging_backend().scan(
        rows, [rule_from(each.as_written) for each in judged], hidden=frozenset(misread.values()), misread=misread
    )
    results = judge(scan, samples=Samples(most=0)).results
    by_id = dict(zip(map(id, judged), results, strict=True))
    for each in candidates:
        kept = each if id(each) not in by_id else _adjusted(each, by_id[id(each)])
        if kept is not None and kept.can_fail:
            yield kept


def _adjusted(each: Suggestion, result: RuleResult) -> Suggestion | None:
    """Returns the suggestion with confidence and `mostly` by its result; None where it does not hold."""
    if result.error is not None:
        return None
    if result.unexpected_count is None:
        return each if result.success else None
    if not result.unexpected_count:
        return each
    share = result.unexpected_count / max(1, result.judged_count)
    if each.is_demand:
        return each
    adjusted = replace(each, confidence=min(each.confidence, 1 - share))
    adjusted = adjusted.broken_by(result.unexpected_count, result.judged_count)
    return None if adjusted.is_demand else adjusted
