"""Keeps a cancelled run from committing: its status is read before each commit (dagster#34175)."""

from __future__ import annotations

from collections.abc import Callable

import dagster as dg
from dagster._core.execution.backfill import BulkActionStatus
from dagster._core.storage.tags import BACKFILL_ID_TAG, PARENT_RUN_ID_TAG, RETRY_NUMBER_TAG


def unless_cancelled(instance: dg.DagsterInstance, run_id: str, otherwise: str) -> Callable[[], None]:
    """Returns a check to call before each commit. It raises when the run or its backfill is cancelled.

    It raises DagsterExecutionInterruptedError, whose message ends with `otherwise`. Dagster's daemon cancels the runs of
    a cancelled backfill only at its next iteration, half a minute later.
    """

    def may_commit() -> None:
        run = instance.get_run_by_id(run_id)
        if run is None:
            return
        if run.status in (dg.DagsterRunStatus.CANCELING, dg.DagsterRunStatus.CANCELED):
            raise dg.DagsterExecutionInterruptedError(f"run {run_id} was cancelled: {otherwise}")
        name = _backfill(run)
        backfill = instance.get_backfill(name) if name else None
        if backfill is not None and backfill.status in (BulkActionStatus.CANCELING, BulkActionStatus.CANCELED):
            instance.report_run_canceling(run)  # else Dagster would call it a failure
            raise dg.DagsterExecutionInterruptedError(f"backfill {name} was cancelled: {otherwise}")

    return may_commit


def _backfill(run: dg.DagsterRun) -> str | None:
    """Returns the backfill that launched the run; None for a person's re-execution of one of its runs."""
    by_hand = PARENT_RUN_ID_TAG in run.tags and RETRY_NUMBER_TAG not in run.tags
    return None if by_hand else run.tags.get(BACKFILL_ID_TAG)
