"""The status of a table, of a rule and of a verdict: one vocabulary for every page, message and metric.

Each word is defined here once, as a function of values. `docs/statuses.md` says what leads to each and what leads out.
Which verdicts, refused rows and attempts count is said in `table_status`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Literal, get_args

#: Of a table, the worst first: the last attempt ended before a verdict; a batch is held back; a critical rule fails;
#: another rule fails; nothing ran yet; none of these.
Status = Literal["error", "blocked", "failing", "warning", "never_run", "healthy"]
STATUSES: tuple[Status, ...] = get_args(Status)

#: Of one rule, the worst first.
RuleStatus = Literal["blocked", "failing", "warning", "passed"]

#: How a run of a table ended; `running` until it has ended.
Outcome = Literal["published", "nothing_new", "checked", "blocked", "waiting", "failed", "cancelled", "running"]
OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)

#: The statuses for which `dq report --strict` exits 1.
ALARMING: tuple[Status, ...] = ("error", "blocked", "failing")

#: In prose.
WORDS: Mapping[str, str] = {
    **{status: status.replace("_", " ") for status in STATUSES},
    **{outcome: outcome.replace("_", " ") for outcome in OUTCOMES},
    "passed": "passed",
    "waiting": "waits for an upstream table",
    "checked": "re-checked",
}

#: The status that an attempt gives its table, whatever was judged before; other attempts say nothing of it.
_OF_ATTEMPT: Mapping[str, Status] = {"failed": "error", "waiting": "blocked"}


def table_status(*, is_judged: bool, is_blocked: bool, failing: Collection[str], attempt: str | None = None) -> Status:
    """The status of a table.

    `is_judged`: there is a verdict. `is_blocked`: a batch is held back. `failing`: the severities of the rules that fail,
    by refused rows that are still open, by the last batch or by a re-check. `attempt`: the outcome of the last attempt
    that was not cancelled.
    """
    found: list[Status] = [_OF_ATTEMPT[attempt]] if attempt is not None and attempt in _OF_ATTEMPT else []
    if is_blocked:
        found.append("blocked")
    if failing:
        found.append("failing" if "critical" in failing else "warning")
    if not is_judged and not found:
        return "never_run"
    return min(found, key=STATUSES.index, default="healthy")


def rule_status(*, success: bool, blocks: bool, severity: str) -> RuleStatus:
    """The status of one rule."""
    if success:
        return "passed"
    return "blocked" if blocks else "failing" if severity == "critical" else "warning"


def verdict_status(*, blocked: bool, critical: int, failed: int) -> Status:
    """The status of one verdict alone: how many of its rules failed, and how many of those are critical."""
    severities = ["critical"] * bool(critical) + ["warning"] * bool(failed)
    return table_status(is_judged=True, is_blocked=blocked, failing=severities)


def worst(statuses: Collection[Status]) -> Status:
    """The worst of them; `never_run` of none."""
    return min(statuses, key=STATUSES.index, default="never_run")
