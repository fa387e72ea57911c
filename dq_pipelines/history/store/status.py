"""Defines the statuses of tables, rules and verdicts: one vocabulary for every page, message and metric.

`docs/statuses.md` says what leads to each status and what ends it. `queries.table_status` decides which verdicts, refused
rows and attempts count.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Literal, get_args

#: Statuses of a table, worst first: the last attempt ended without a verdict; a batch is blocked; what is published breaks
#: a critical rule; another rule fails, or rows are refused; nothing ran yet; none of these.
Status = Literal["error", "blocked", "failing", "warning", "never_run", "healthy"]
STATUSES: tuple[Status, ...] = get_args(Status)

#: Statuses of one rule, worst first.
RuleStatus = Literal["blocked", "failing", "warning", "passed"]

#: Outcomes of an attempt; `running` until it has ended.
Outcome = Literal["published", "nothing_new", "checked", "blocked", "waiting", "failed", "cancelled", "running"]
OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)

#: The statuses for which `dq report --strict` exits 1.
ALARMING: tuple[Status, ...] = ("error", "blocked", "failing")

#: Statuses and outcomes as prose.
WORDS: Mapping[str, str] = {
    **{status: status.replace("_", " ") for status in STATUSES},
    **{outcome: outcome.replace("_", " ") for outcome in OUTCOMES},
    "passed": "passed",
    "waiting": "waits for an upstream table",
    "checked": "re-checked",
}

#: Outcomes of an attempt that determine the table's status, whatever its verdicts.
_OF_ATTEMPT: Mapping[str, Status] = {"failed": "error", "waiting": "blocked"}


def table_status(
    *, is_judged: bool, is_blocked: bool, failing: Collection[RuleStatus], attempt: str | None = None
) -> Status:
    """Returns the status of a table.

    `is_judged`: there is a verdict. `is_blocked`: a batch is blocked. `failing`: the statuses of the rules that are
    not met, by open refused rows, by the last batch or by a re-check. `attempt`: the outcome of the last attempt that was not
    cancelled.
    """
    statuses: list[Status] = [_OF_ATTEMPT[attempt]] if attempt is not None and attempt in _OF_ATTEMPT else []
    if is_blocked:
        statuses.append("blocked")
    if failing:
        statuses.append("failing" if {"failing", "blocked"} & set(failing) else "warning")
    if not is_judged and not statuses:
        return "never_run"
    return min(statuses, key=STATUSES.index, default="healthy")


def is_failure(*, severity: str, blocks: bool, sets_aside: bool) -> bool:
    """Whether a rule that is not met is a failure of its table, and not only a warning.

    It is one if the batch is blocked, or if a critical rule is broken by what is published. Where a critical rule has set
    its failing rows aside (`on_failure: quarantine` or `drop`), the rest was published as it should be: a warning. Pages,
    reports and the severity of Dagster's checks follow this function.
    """
    return blocks or (severity == "critical" and not sets_aside)


def rule_status(*, success: bool, blocks: bool, severity: str, sets_aside: bool = False) -> RuleStatus:
    """Returns the status of one rule; `sets_aside`: its failing rows are not among the published ones."""
    if success:
        return "passed"
    if blocks:
        return "blocked"
    return "failing" if is_failure(severity=severity, blocks=blocks, sets_aside=sets_aside) else "warning"


def verdict_status(*, blocked: bool, critical: int, failed: int) -> Status:
    """Returns the status of one verdict alone, from its numbers of failed rules, and of those that are failures."""
    worst_rule: RuleStatus = "failing" if critical else "warning" if failed else "passed"
    return table_status(is_judged=True, is_blocked=blocked, failing={worst_rule} - {"passed"})


def worst(statuses: Collection[Status]) -> Status:
    """Returns the worst status; `never_run` without any."""
    return min(statuses, key=STATUSES.index, default="never_run")
