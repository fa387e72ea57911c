"""Replay: refused rows once more through today's types, steps and rules, and what they let through is published.

Quarantine is told first which rows go into which replay, then silver gets them, in a commit that names the replay. A
replay that was killed in between is not in silver's ledger, so its rows count as open, and the next one takes them.
"""

from __future__ import annotations

import json
import tempfile
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

import polars as pl

from dq_pipelines.config.counting import counted
from dq_pipelines.history.store.records import REPLAY
from dq_pipelines.lake.tables import PARTITION
from dq_pipelines.pipeline.bronze.ledger_agreement import must_agree
from dq_pipelines.pipeline.quarantine.corrections import Cells
from dq_pipelines.pipeline.quarantine.quarantine_status import (
    ALL,
    RefusedRowFilter,
    log_superseded,
    refuse_gold,
    refused_of,
)
from dq_pipelines.pipeline.quarantine.refused_rows import CORRECTION, ID, OPEN, STATUS
from dq_pipelines.pipeline.replay.replay_part import (
    BEFORE,
    ReplayPart,
    commit_part,
    drift_of_part,
    judge_part,
    stage_part,
)
from dq_pipelines.pipeline.replay.replayed import Replayed, together
from dq_pipelines.pipeline.runtime.table_run import TableRun, staged, with_table_lock
from dq_pipelines.pipeline.silver.published_as import must_fit_rows
from dq_pipelines.pipeline.silver.rerun import must_be_whole


def replay(
    run: TableRun,
    chosen: RefusedRowFilter = ALL,
    *,
    by: str,
    edits: Mapping[str, Cells] | None = None,
    dry_run: bool = False,
) -> Replayed:
    """Judge open rows anew, publish those that pass, and give the others today's reasons.

    `edits` are cells that a person has mended, by row id. A dry run writes nothing. Raises RuleError when a rule cannot be
    judged, PublishError when the lake refuses; what has been published then is whole partitions.
    """
    return with_table_lock(partial(replayed, chosen=chosen, by=by, edits=edits or {}, dry_run=dry_run))(run)


def replayed(
    run: TableRun, *, chosen: RefusedRowFilter, by: str, edits: Mapping[str, Cells], dry_run: bool
) -> Replayed:
    """`replay`, for one who works alone on the table."""
    refuse_gold(run)
    if not dry_run:
        # A row that such a rerun has refused may be in silver still.
        must_be_whole(run)
        must_agree(run)
        must_fit_rows(run)
    rows = chosen.rows(refused_of(run)).filter(pl.col(STATUS) == OPEN)
    waiting = _mended(rows.collect(), edits)
    untraced = waiting.filter(pl.col(ID).is_null()).height
    traced = waiting.filter(pl.col(ID).is_not_null()).unique(ID, maintain_order=True)
    whole = together([_replay_part(part, dry_run=dry_run) for part in plan_replay(run, traced, by)])
    if not edits:
        log_superseded(run, chosen)
    if untraced:
        run.log(
            f"{run.table.key}: no step tells where {counted(untraced, 'row', 'comes', 'come')} from; only a rerun can publish what passes of them"
        )
    return replace(whole, untraced=untraced)


def _mended(waiting: pl.DataFrame, edits: Mapping[str, Cells]) -> pl.DataFrame:
    """The rows with what was mended in them before and what is mended now."""
    waiting = waiting.with_columns(pl.col(CORRECTION).alias(BEFORE))
    if not edits:
        return waiting
    before = dict(waiting.select(ID, CORRECTION).iter_rows())
    after = {
        name: json.dumps({**json.loads(before.get(name) or "{}"), **cells}, ensure_ascii=False)
        for name, cells in edits.items()
    }
    return waiting.with_columns(
        pl.col(ID).replace_strict(list(after), list(after.values()), default=pl.col(CORRECTION)).alias(CORRECTION)
    )


def plan_replay(run: TableRun, waiting: pl.DataFrame, by: str) -> Iterator[ReplayPart]:
    """The waiting rows by partition, each with a replay of its own."""
    for partition, rows in _by_partition(waiting):
        yield ReplayPart(replace(run, partition=partition), f"{REPLAY}{uuid.uuid4().hex[:16]}", rows, by)


def _by_partition(waiting: pl.DataFrame) -> Iterator[tuple[str | None, pl.DataFrame]]:
    if PARTITION not in waiting.columns:
        if waiting.height:
            yield None, waiting
        return
    for (name,), rows in (
        waiting.sort(PARTITION).partition_by(PARTITION, as_dict=True, include_key=False, maintain_order=True).items()
    ):
        yield str(name), rows


def _replay_part(part: ReplayPart, *, dry_run: bool) -> Replayed:
    run = part.run
    with tempfile.TemporaryDirectory(prefix="dq-replay-") as folder:
        judged = judge_part(part, Path(folder))
        difference = drift_of_part(part, judged.passing)
        kept = run.stage(run.silver, part.batch)
        with staged(kept, claim=run.claim):
            outcome = stage_part(part, judged, difference, kept)
            return outcome if dry_run else commit_part(part, kept, difference, outcome)
