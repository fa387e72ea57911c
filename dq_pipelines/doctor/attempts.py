"""Finds attempts that are recorded as running although their process is gone."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from dq_pipelines.doctor.findings import Finding
from dq_pipelines.doctor.installation import Installation
from dq_pipelines.errors import DqError
from dq_pipelines.history.store.attempts import Attempts
from dq_pipelines.pipeline.runtime.dead_attempts import record_dead_attempts
from dq_pipelines.pipeline.runtime.processes import is_gone


def examine(installation: Installation) -> Iterator[Finding]:
    if not installation.stores.history.is_begun:
        return
    try:
        running = Attempts(installation.stores.history).running()
    except DqError:  # the history cannot be read: `history` reports it
        return
    for attempt in running:
        if is_gone(attempt.process):
            said = f"run {attempt.run_id} began at {attempt.started_at:%Y-%m-%d %H:%M} and its process is gone"
            remedy = "the next run of the table records how it ended"
            yield Finding("warning", attempt.table, said, remedy, partial(_settle, installation))


def _settle(installation: Installation) -> str:
    record_dead_attempts(installation.stores)
    return "recorded how it ended"
