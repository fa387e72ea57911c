"""What a run of a landed table does with its rows, by the mode in its configuration."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from dq_pipelines.pipeline.runtime.outcome import Outcome
from dq_pipelines.pipeline.runtime.table_run import TableRun
from dq_pipelines.pipeline.silver.refinement import refine
from dq_pipelines.pipeline.silver.rerun import caught_up, rerun

INCREMENTAL, RERUN = "incremental", "rerun"


def incremental(run: TableRun) -> Outcome | None:
    """Judge what was not consumed yet; a rerun that was broken off is done again instead, and takes that along."""
    return caught_up(run) or refine(run)


MODES: Mapping[str, Callable[[TableRun], Outcome | None]] = {INCREMENTAL: incremental, RERUN: rerun}
