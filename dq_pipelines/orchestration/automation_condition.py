"""Defines the automation condition of eager gold: due once for each publication of an input."""

from __future__ import annotations

from typing import Any

import dagster as dg

#: Dagster's conditions, of any asset or check.
Condition = dg.AutomationCondition


def when_published() -> dg.AutomationCondition[Any]:
    """True when an input was published since the last request of gold, and every input has a published partition.

    Dagster's own `eager()` does not fit. It waits for every partition of an input, even today's. It also loses a
    publication between a request and the next evaluation, because it counts the request as the answer.
    `all_deps_blocking_checks_passed()` waits while an input has refused rows, because their check failed; but such an
    input is published. A blocked batch is not published, so it makes no gold due. A run of gold also checks the verdicts
    of its inputs.
    """
    published = Condition.any_deps_updated()
    # A publication since the last evaluation came after the request of that evaluation.
    answered = Condition.newly_requested() & ~published
    due = (Condition.newly_missing() | published).since(answered).with_label("input_published_since_requested")
    present = Condition.all_deps_match(~Condition.missing() | Condition.will_be_requested()).with_label(
        "all_inputs_present"
    )
    judging = Condition.any_deps_match(
        Condition.any_checks_match(Condition.in_progress(), blocking_only=True)
    ).with_label("blocking_checks_in_progress")
    return (due & present & ~judging & ~Condition.any_deps_in_progress() & ~Condition.in_progress()).with_label(
        "when_published"
    )
