"""A run that was cancelled, however it was, publishes nothing more (dagster#34175): asked before each commit."""

from __future__ import annotations

from collections.abc import Callable

import dagster as dg


def unless_cancelled(instance: dg.DagsterInstance, run_id: str, otherwise: str) -> Callable[[], None]:
    """Raises DagsterExecutionInterruptedError, saying `otherwise`, when Dagster has the run as cancelled."""

    def may_commit() -> None:
        run = instance.get_run_by_id(run_id)
        if run is not None and run.status in (dg.DagsterRunStatus.CANCELING, dg.DagsterRunStatus.CANCELED):
            raise dg.DagsterExecutionInterruptedError(f"run {run_id} was cancelled: {otherwise}")

    return may_commit
