"""From the numbers of a scan to results: what each rule of a plan concludes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dq_pipelines.engine.faults import FAULTS, sentence
from dq_pipelines.engine.plan import PlannedRule, ScanPlan
from dq_pipelines.engine.results.verdict import RuleResult
from dq_pipelines.rules.core.on_rows import RowRule
from dq_pipelines.rules.core.on_tables import AggregateRule, GroupRule, QueryRule, WholeTableRule

#: Under which key of the numbers, after the index, stand the small frames of a rule: a list of rows for each frame.
GROUPS = "groups"


def conclude(plan: ScanPlan, numbers: Mapping[str, Any]) -> dict[int, RuleResult]:
    """The results of the rules that the backend judges, by their index.

    `numbers` has `rows`, and by `<index>.<what>` each scalar of the plan, `unexpected` of each rule on rows, and
    `GROUPS` of each rule with small frames.
    """
    return {item.index: result_of(item, numbers) for item in plan.planned if item.lacking is None}


def result_of(item: PlannedRule, numbers: Mapping[str, Any]) -> RuleResult:
    """The result of one rule. An error of the plan, or one that the rule raises here, is its `error`."""
    if item.error is not None:
        return RuleResult(item.rule, success=False, error=item.error)
    try:
        return _on_rows(item, numbers) if isinstance(item.rule, RowRule) else _on_table(item, numbers)
    except FAULTS as error:
        return RuleResult(item.rule, success=False, error=sentence(item.rule, error))


def _on_rows(item: PlannedRule, numbers: Mapping[str, Any]) -> RuleResult:
    rule, index = item.rule, item.index
    elements = int(numbers.get(f"{index}.elements", numbers["rows"]) or 0)
    missing = int(numbers.get(f"{index}.missing", item.from_statistics.get("missing", 0)) or 0)
    unexpected = int(numbers.get(f"{index}.unexpected", 0) or 0)
    success = rule.tolerates(unexpected, elements - missing)  # type: ignore[attr-defined]
    return RuleResult(rule, success, elements, missing, unexpected)


def _on_table(item: PlannedRule, numbers: Mapping[str, Any]) -> RuleResult:
    rule = item.rule
    observed = _observed(item, numbers)
    if not isinstance(rule, WholeTableRule):
        raise TypeError(f"{type(rule).__name__} is no rule on rows or on the whole table")
    value = rule.fields(observed, complete=False).get("observed_value")
    return RuleResult(rule, rule.accepts(observed), observed_value=value, found=observed)


def _observed(item: PlannedRule, numbers: Mapping[str, Any]) -> Any:
    scalars = {what: numbers[f"{item.index}.{what}"] for what in item.scalars}
    match item.rule:
        case GroupRule():
            return item.rule.conclude(numbers[f"{item.index}.{GROUPS}"][0], item.columns)
        case QueryRule():
            return item.rule.conclude(*numbers[f"{item.index}.{GROUPS}"])
        case AggregateRule() if "observed" not in scalars:
            elements = scalars.pop("elements", numbers["rows"]) or 0
            return item.rule.conclude(scalars, elements)
    return scalars.get("observed", item.described)
