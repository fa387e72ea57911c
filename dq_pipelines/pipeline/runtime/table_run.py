"""Defines the context of work on one table (table, lake, run), the table lock, and the re-check of published rows."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import wraps
from typing import TypeVar

import polars as pl

from dq_pipelines.config.stores import error_text, is_disk_full
from dq_pipelines.engine.backends.registry import staging_backend
from dq_pipelines.engine.judge import Judgement, judge
from dq_pipelines.errors import Overtaken, PublishError, RuleError, SourceError
from dq_pipelines.lake.formats.snapshot import Snapshot
from dq_pipelines.lake.staging import Stage
from dq_pipelines.lake.table_lock import Claim, claimed, staged
from dq_pipelines.lake.tables import PARTITION, Lake, LakeTable
from dq_pipelines.pipeline.runtime.batch_metrics import Meter
from dq_pipelines.pipeline.runtime.outcome import Counts, Outcome, elapsed
from dq_pipelines.pipeline.runtime.progress import JUDGE, WAIT, ProgressReporter
from dq_pipelines.project import Table
from dq_pipelines.project.checked_rules import checked_rules
from dq_pipelines.sources.failures import broken

PREVIEW_ROWS = 10


@dataclass(frozen=True)
class TableRun:
    """One table, its lake, and the run that works on it."""

    table: Table
    lake: Lake
    partition: str | None = None
    #: called before every commit; raises when the run was cancelled
    may_commit: Callable[[], None] = lambda: None
    #: receives one line for each thing that is done
    log: Callable[[str], None] = lambda _: None
    now: datetime = field(default_factory=lambda: datetime.now(UTC))
    claim: Claim = field(default_factory=Claim)
    #: Dagster's, or "" outside of it
    run_id: str = ""
    #: measures time since the work began
    meter: Meter = field(default_factory=Meter)
    #: has no listener by default
    progress: ProgressReporter = field(default_factory=ProgressReporter)

    def published(self, key: str) -> pl.LazyFrame:
        """The published rows of another table of the project; raises RuleError when there are none yet."""
        return self.snapshot(key).scan()

    def snapshot(self, key: str) -> Snapshot:
        """A published table of the project as it is now; raises RuleError when there is none yet."""
        try:
            return self.lake.table(key).snapshot().required()
        except PublishError as error:
            raise RuleError(str(error)) from None

    @property
    def silver(self) -> LakeTable:
        return self.lake.table(f"silver/{self.table.name}")

    @property
    def quarantine(self) -> LakeTable:
        return self.lake.table(f"quarantine/{self.table.name}")

    def stage(self, table: LakeTable, batch: str) -> Stage:
        return Stage(table, batch, self.partition)


def of_partition(partition: str | None) -> str:
    """` of 2026-11-01` for a partition; empty without one. A run over a range logs each partition."""
    return f" of {partition}" if partition is not None else ""


def over_all_partitions(table: Table) -> str:
    """The words after `mode: rerun` for a rerun of the whole table; empty in a table without partitions."""
    return " over all its partitions" if not table.is_gold and table.landed.partitions is not None else ""


Done = TypeVar("Done")

#: How often a run tries to commit while other writers overtake it.
_TRIES = 5


def with_table_lock(do: Callable[[TableRun], Done]) -> Callable[[TableRun], Done]:
    """Decorator: runs work under the table's lock, and repeats it when a writer without a claim committed first."""

    @wraps(do)
    def claiming(work: TableRun) -> Done:
        waited: list[float] = []

        def waiting(seconds: float) -> None:
            if not waited:
                work.log(f"{work.table.key}: another run works on the table, waiting for it")
                work.progress.stage(WAIT)
            elif seconds - waited[-1] < 2:  # `may_commit` reads Dagster's records, so not too often
                return
            waited.append(seconds)
            work.may_commit()

        with claimed(work.lake, work.table.name, waiting) as claim:
            # Rows that arrived while this run waited count as earlier.
            held = replace(work, claim=claim, now=datetime.now(UTC) if waited else work.now)
            for attempt in range(1, _TRIES):
                try:
                    return do(held)
                except Overtaken as error:
                    work.log(f"{error}; looking again ({attempt} of {_TRIES - 1})")
                    time.sleep(random.uniform(0, 0.1 * 2**attempt))  # noqa: S311 - jitter, so that two runs do not collide again
                    held = replace(held, now=datetime.now(UTC))
            return do(held)

    return claiming


def judge_published(work: TableRun) -> Outcome:
    """Judge the published rows of a table. Writes nothing."""
    table = work.snapshot(work.table.key)
    rows, schema = table.scan(), table.schema
    hidden, statistics = frozenset({PARTITION}) & frozenset(schema), table.column_statistics(schema)
    if work.partition is not None:
        rows, statistics = rows.filter(pl.col(PARTITION) == work.partition), {}
    scan = staging_backend().scan(
        rows, checked_rules(work.table), lookup=work.published, hidden=hidden, statistics=statistics
    )
    work.progress.stage(JUDGE, table.rows() if work.partition is None else None)
    with broken(work.table.key, "to judge its rows"):
        judgement = judge(scan, observer=work.progress)
    counts = Counts(rows_in=judgement.rows, published=judgement.rows)
    return Outcome(work.table.key, "", judgement.results, counts, work.now, work.partition, seconds=elapsed(work.now))


def must_be_judged(key: str, judgement: Judgement) -> None:
    """Raise RuleError where a rule of the table has no result: the outcome of its rows is then unknown."""
    if failed := next((result for result in judgement.results if result.error), None):
        raise RuleError(f"{key}: {failed.rule.type} cannot be judged: {failed.error}")


__all__ = ["PREVIEW_ROWS", "TableRun", "judge_published", "must_be_judged", "staged", "with_table_lock"]


@contextmanager
def reading(work: TableRun, wanted: str) -> Iterator[None]:
    """Turn errors of libraries while rows are read and staged into SourceError, or PublishError where the lake's disk is full."""
    try:
        with broken(work.table.key, wanted):
            yield
    except SourceError as error:
        cause = error.__cause__
        # Only for the error made here: the error of a full scratch folder is already clear.
        if cause is None or not is_disk_full(cause) or not str(error).startswith(f"{work.table.key}: wanted {wanted}"):
            raise
        what = f"{work.lake.root}: wanted room for the rows of {work.table.key}, got: {error_text(cause)}"
        raise PublishError(f"{what}; nothing was published") from None
