"""Suggested rules, judged over the rows that they were learned from: how many break each, and which of them are worth nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import polars as pl

from dq_pipelines.engine.results.verdict import RuleResult
from dq_pipelines.monitoring.suggestions.base import Suggestion

#: Rules that look into another table: their families have counted already.
_ELSEWHERE = "expect_column_values_to_exist_in"


def held_against(rows: pl.LazyFrame, found: Sequence[Suggestion], misread: Mapping[str, str]) -> Iterator[Suggestion]:
    """The suggestions that the rows bear out, each with the count of rows that break it.

    A rule that cannot be judged, that fails on the table, or that no row could fail is left out.
    """
    from dq_pipelines.engine.backends.registry import staging_backend
    from dq_pipelines.engine.judge import judge
    from dq_pipelines.engine.results.samples import Samples
    from dq_pipelines.rules import rule_from

    judged = [each for each in found if each.rule["type"] != _ELSEWHERE]
    scan = staging_backend().scan(
        rows, [rule_from(each.as_written) for each in judged], hidden=frozenset(misread.values()), misread=misread
    )
    results = judge(scan, samples=Samples(most=0)).results
    told = dict(zip(map(id, judged), results, strict=True))
    for each in found:
        kept = each if id(each) not in told else _borne_out(each, told[id(each)])
        if kept is not None and kept.can_fail:
            yield kept


def _borne_out(each: Suggestion, result: RuleResult) -> Suggestion | None:
    if result.error is not None:
        return None
    if result.unexpected_count is None:
        return each if result.success else None
    if not result.unexpected_count:
        return each
    share = result.unexpected_count / max(1, result.judged_count)
    if each.is_demand:
        return each
    told = replace(each, confidence=min(each.confidence, 1 - share))
    told = told.broken_by(result.unexpected_count, result.judged_count)
    return None if told.is_demand else told
