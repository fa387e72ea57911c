"""When eager gold is due: once for each publication of an input. What runs then belongs in `gold`."""

from __future__ import annotations

from typing import Any

import dagster as dg

#: Dagster's conditions, of any asset or check.
Condition = dg.AutomationCondition


def when_published() -> dg.AutomationCondition[Any]:
    """True when an input was published since gold was last requested, and each input is published, be it in one partition.

    Dagster's own `eager()` waits for every partition of an input, today's too. A publication that comes after a request and
    before the next evaluation is lost to it, since the request counts as its answer. `all_deps_blocking_checks_passed()`
    waits while an input has refused rows, since their check has failed; but such an input is published. What is blocked is
    not published, so nothing is due for it, and a run of gold looks at the verdicts of its inputs itself.
    """
    published = Condition.any_deps_updated()
    # Whatever was published since the last evaluation came after the request that was made then.
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
