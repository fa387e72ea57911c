"""Finds schedules and sensors whose last tick failed, so that they start no runs."""

from __future__ import annotations

from collections.abc import Iterator

import dagster as dg
from dagster._core.scheduler.instigation import TickStatus

from dq_pipelines.doctor.findings import Finding
from dq_pipelines.doctor.installation import Installation


def examine(installation: Installation) -> Iterator[Finding]:
    home = installation.dagster_home
    if home is None or not home.is_dir():
        return
    try:
        with dg.DagsterInstance.from_config(str(home)) as instance:
            yield from _failing(instance)
    except Exception:  # noqa: BLE001 - `dagster_records` reports records that cannot be opened
        return


def _failing(instance: dg.DagsterInstance) -> Iterator[Finding]:
    for state in instance.all_instigator_state():
        ticks = instance.get_ticks(state.instigator_origin_id, state.selector_id, limit=1)
        if ticks and ticks[0].status is TickStatus.FAILURE:
            error = ticks[0].error
            line = next(iter(error.message.strip().splitlines()), "") if error else "no reason was given"
            kind = state.instigator_type.value.lower()
            yield Finding(
                "error", f"{kind} {state.instigator_name}", f"its last tick failed: {line}", "mend that: it ticks again"
            )
