"""Collects the content of a rule's page, down to the rows that failed it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dq_pipelines.history.queries.failing_since import last_result
from dq_pipelines.history.queries.rule_status import RuleState
from dq_pipelines.history.queries.trend import rule_trend
from dq_pipelines.pipeline.quarantine.quarantine_status import RefusedRowFilter
from dq_pipelines.pipeline.quarantine.quarantine_summary import sample_rows
from dq_pipelines.pipeline.quarantine.refused_rows import cells_in
from dq_pipelines.project.checked_rules import rules_by_check
from dq_pipelines.rules.core.check_names import renamed
from dq_pipelines.rules.core.render import as_yaml
from dq_pipelines.web.dashboard import charts
from dq_pipelines.web.dashboard.charts import Chart
from dq_pipelines.web.dashboard.request_context import PageContext, RequestContext
from dq_pipelines.web.dashboard.table_summary import POINTS, Failing, TableSummary

#: Failing rows shown.
ROWS = 20


@dataclass(frozen=True)
class RulePage(PageContext):
    """One rule of one table: its YAML, its results over time, and some rows that failed it."""

    line: TableSummary
    failing: Failing
    #: its YAML, and the effect of its failure; None if the project has no such rule
    yaml: str | None
    action: str | None
    chart: Chart
    #: refused rows, the last landed first
    rows: Sequence[Mapping[str, Any]]
    cells: Sequence[str]
    #: a sentence for a rule without refused rows: where its failing rows are
    elsewhere: str
    notes: Sequence[str] = ()


def rule_page(visit: RequestContext, key: str, check: str) -> RulePage | None:
    """A rule's page; None if the rule was never judged, or the caller may not view its table."""
    stands = visit.standing(key)
    if stands is None:
        return None
    lake = visit.site.lake_now([key])
    line = visit.line(stands, lake)
    one = line.standing.rule(check) or _judged_before(visit, key, check)
    if one is None:
        # A link that was made by an earlier release has an earlier name.
        return rule_page(visit, key, renamed(check)) if renamed(check) != check else None
    table = visit.table(key)
    rule = rules_by_check(table).get(check) if table is not None else None
    action = rule.action if rule is not None else None
    rows = sample_rows(visit.site.stores.lake, key, RefusedRowFilter(one.one.rule, one.one.column), ROWS)
    return RulePage(
        visit,
        line,
        Failing(line, one),
        as_yaml(rule) if rule is not None else None,
        action,
        charts.rule(rule_trend(visit.history, key, check, points=POINTS, since=visit.since)),
        rows,
        cells_in(rows[0]) if rows else (),
        _elsewhere(key, one, action),
        visit.known.notes,
    )


def _judged_before(visit: RequestContext, key: str, check: str) -> RuleState | None:
    """The last result of a rule without a result in the last batch, so that links to its page stay valid."""
    found = last_result(visit.history, key, check)
    return None if found is None else RuleState(((None, found),), open=())


def _elsewhere(key: str, rule: RuleState, action: str | None) -> str:
    if rule.unexpected_count is None:
        return "This rule applies to the table as a whole, so no single row fails it."
    if action == "warn":
        return f"This rule only warns: failing rows are published in {key}, and its check in Dagster shows some."
    if action == "drop":
        return "This rule drops failing rows: they are counted, and kept in bronze only."
    if rule.blocks:
        return "The batch was not published: its rows stay in bronze, and the rule's check in Dagster shows some."
    return "No refused row of this rule is in quarantine."
