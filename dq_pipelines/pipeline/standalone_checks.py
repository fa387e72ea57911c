"""Checks tables outside of verdicts: which inputs no run reads, and whether a table was materialized in time, as of now.

They change no status (docs/statuses.md). Dagster shows the same as checks and policies of the assets.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from zoneinfo import ZoneInfo

from dq_pipelines.config.cron import last_tick
from dq_pipelines.history.store.attempts import Attempts
from dq_pipelines.history.store.records import ResultRecord
from dq_pipelines.pipeline.bronze.input_partitions import day_due
from dq_pipelines.pipeline.bronze.unassigned_inputs import INPUTS_UNASSIGNED, sentence, unassigned
from dq_pipelines.pipeline.runtime.stores import Stores
from dq_pipelines.project import Table
from dq_pipelines.project.lifecycle import Freshness
from dq_pipelines.rules.core import clock

#: The check's name, which is that of Dagster's own freshness checks.
FRESHNESS = "freshness_check"

#: Inputs that a result names at most.
_NAMED = 20


def standalone_results(stores: Stores, table: Table) -> Iterator[ResultRecord]:
    """The results of these checks on a table: freshness where it is declared, and inputs that no run reads where there
    are any.

    Raises PublishError when the lake fails.
    """
    if not table.is_gold and (unassigned_inputs := unassigned(table, stores.lake)):
        yield ResultRecord.on_inputs(
            INPUTS_UNASSIGNED, [one.uri for one in unassigned_inputs[:_NAMED]], sentence(unassigned_inputs)
        )
    wanted = table.model.freshness
    if wanted is not None:
        late = lateness(stores, table, wanted, clock.now())
        yield ResultRecord(FRESHNESS, FRESHNESS, None, "warning", success=not late, blocks=False, error=late or None)


def lateness(stores: Stores, table: Table, wanted: Freshness, now: datetime) -> str:
    """One sentence on what is late; empty where nothing is."""
    if wanted.cron is None:
        since, expectation = now - wanted.length(wanted.within), f"wanted a run within {wanted.within}"
    else:
        deadline = last_tick(wanted.cron, now.astimezone(ZoneInfo(wanted.timezone)))
        if deadline is None:
            return ""
        if table.is_daily:
            return _day_missing(stores, table, deadline)
        since, expectation = deadline - wanted.length(wanted.within), f"wanted a run by {deadline.isoformat()}"
    last = Attempts(stores.history).last_success(table.key)
    if last is not None and last >= since:
        return ""
    got = "none" if last is None else f"the last one at {last.isoformat(timespec='seconds')}"
    return f"{expectation}, got {got}"


def _day_missing(stores: Stores, table: Table, deadline: datetime) -> str:
    day = day_due(table, deadline)
    if day is None or Attempts(stores.history).last_success(table.key, day.isoformat()) is not None:
        return ""
    return f"wanted the partition {day.isoformat()} by {deadline.isoformat()}, got no run of it"
