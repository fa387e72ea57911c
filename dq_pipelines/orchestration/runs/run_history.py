"""Removes old runs from Dagster's storage, with their events and files on disk, unless something still needs them.

Dagster itself never removes a run, and its events grow without bound (dagster#33785). `jobs/purge_runs.py` schedules
this. The history of verdicts is a separate store and keeps its records.
"""

from __future__ import annotations

import contextlib
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import dagster as dg
import sqlalchemy as sql
from dagster._core.execution.backfill import BULK_ACTION_TERMINAL_STATUSES
from dagster._core.storage.dagster_run import FINISHED_STATUSES, NOT_FINISHED_STATUSES, RunRecord
from dagster._core.storage.event_log.schema import AssetCheckExecutionsTable, SqlEventLogStorageTable
from dagster._core.storage.event_log.sql_event_log import SqlEventLogStorage
from dagster._core.storage.event_log.sqlite import SqliteEventLogStorage
from dagster._core.storage.runs.schema import RunTagsTable
from dagster._core.storage.runs.sql_run_storage import SqlRunStorage
from dagster._core.storage.tags import BACKFILL_ID_TAG, PARENT_RUN_ID_TAG, ROOT_RUN_ID_TAG

from dq_pipelines.errors import ConfigError, Problem
from dq_pipelines.history.store.attempts import Attempts
from dq_pipelines.history.store.verdicts import History
from dq_pipelines.project import RunHistory

#: Runs between two progress messages.
BATCH = 100
#: Runs per query.
_PAGE = 500
#: Events behind an asset's page and its partitions' states; the latest of each type stays.
_ASSET_EVENTS = (
    "ASSET_MATERIALIZATION",
    "ASSET_OBSERVATION",
    "ASSET_MATERIALIZATION_PLANNED",
    "ASSET_FAILED_TO_MATERIALIZE",
)
#: Seconds after which an event file without a run record cannot belong to a run that is just beginning.
_STRAY = 86_400


@dataclass(frozen=True)
class Purge:
    """The runs that a purge removed, or would remove."""

    #: runs by job
    runs: Mapping[str, int] = field(default_factory=dict)
    #: old runs that stay, by reason
    kept: Mapping[str, int] = field(default_factory=dict)
    #: bytes of event files removed from disk; 0 where a database server holds the events
    freed: int = 0

    @property
    def total(self) -> int:
        return sum(self.runs.values())


def purge(
    instance: dg.DagsterInstance,
    wanted: RunHistory,
    now: datetime,
    *,
    ours: Callable[[dg.DagsterRun], bool] = lambda _: True,
    dry_run: bool = False,
    log: Callable[[str], None] = lambda _: None,
) -> Purge:
    """Removes the runs that `wanted` does not keep, with their events, check results, tags and captured logs.

    Runs that are not `ours` stay. Each run is removed separately, its record last, so the next purge completes an
    interrupted one. Raises ConfigError for a storage that is neither SQLite nor PostgreSQL nor MySQL.
    """
    records = _Records.of(instance)
    old, kept = records.old(wanted, now, ours)
    removed: Counter[str] = Counter()
    freed, verb = 0, "would remove" if dry_run else "removed"
    for run_id, job in old:
        freed += records.size(run_id) if dry_run else records.remove(run_id)
        removed[job] += 1
        if removed.total() % BATCH == 0:
            log(f"{verb} {removed.total():,} of {len(old):,} runs")
    if not dry_run:
        freed += records.remove_strays()
    return Purge(dict(removed.most_common()), kept, freed)


def runs_of(history: History, jobs: Collection[str], wanted: RunHistory) -> Callable[[dg.DagsterRun], bool]:
    """Returns whether a run is the project's: it worked on a table of this history, or is of one of these jobs."""
    if wanted.of == "all":
        return lambda _: True
    attempts = Attempts(history)
    return lambda run: run.job_name in jobs or bool(attempts.of_run(run.run_id)) or bool(history.of_run(run.run_id))


@dataclass(frozen=True)
class _Records:
    instance: dg.DagsterInstance
    runs: SqlRunStorage
    events: SqlEventLogStorage

    @classmethod
    def of(cls, instance: dg.DagsterInstance) -> _Records:
        runs, events = instance.run_storage, instance.event_log_storage
        if not isinstance(runs, SqlRunStorage) or not isinstance(events, SqlEventLogStorage):
            got = f"{type(runs).__name__} and {type(events).__name__}"
            raise ConfigError([Problem("", 0, f"run_history: wanted Dagster's records in an SQL database, got {got}")])
        return cls(instance, runs, events)

    # --- which runs to remove ----------------------------------------------------------------------

    def old(
        self, wanted: RunHistory, now: datetime, ours: Callable[[dg.DagsterRun], bool]
    ) -> tuple[list[tuple[str, str]], dict[str, int]]:
        """Returns id and job of the runs to remove, oldest first, and the number of old runs that stay, by reason."""
        oldest = (now - wanted.length).timestamp()
        needed = self._needed()
        removable, kept, seen = [], Counter[str](), Counter[str]()
        for record in self._finished():
            run = record.dagster_run
            seen[run.job_name] += 1
            if _ended(record) >= oldest and seen[run.job_name] <= wanted.per_job:
                continue
            reason = "the newest of its job" if seen[run.job_name] == 1 else needed(record)
            if not reason and not ours(run):
                reason = "of another project"
            if reason:
                kept[reason] += 1
            else:
                removable.append((run.run_id, run.job_name))
        return removable[::-1], dict(kept)

    def _finished(self) -> Iterator[RunRecord]:
        cursor = None
        while page := self.instance.get_run_records(dg.RunsFilter(statuses=FINISHED_STATUSES), _PAGE, cursor=cursor):
            yield from page
            cursor = page[-1].dagster_run.run_id

    def _needed(self) -> Callable[[RunRecord], str]:
        """Returns a function that gives the reason why a run must stay, or ""."""
        latest = self._latest_of_assets() | self._latest_of_checks()
        retried = self._retried_by_unfinished_runs()
        backfills = {
            backfill.backfill_id
            for backfill in self.instance.get_backfills()
            if backfill.status not in BULK_ACTION_TERMINAL_STATUSES
        }

        def reason(record: RunRecord) -> str:
            run = record.dagster_run
            if run.run_id in latest:
                return "the latest of an asset, a partition or a check"
            if run.run_id in retried or run.tags.get(BACKFILL_ID_TAG) in backfills:
                return "part of what is not finished"
            return ""

        return reason

    def _latest_of_assets(self) -> set[str]:
        event = SqlEventLogStorageTable.c
        newest = (
            sql.select(sql.func.max(event.id))
            .where(event.dagster_event_type.in_(_ASSET_EVENTS), event.asset_key.is_not(None))
            .group_by(event.asset_key, event.partition, event.dagster_event_type)
        )
        return self._ids(sql.select(event.run_id).where(event.id.in_(newest)))

    def _latest_of_checks(self) -> set[str]:
        check = AssetCheckExecutionsTable.c
        newest = sql.select(sql.func.max(check.id)).group_by(
            check.asset_key, check.check_name, check.partition, check.execution_status
        )
        return self._ids(sql.select(check.run_id).where(check.id.in_(newest)))

    def _ids(self, query: Any) -> set[str]:
        with self.events.index_connection() as connection:
            return {row[0] for row in connection.execute(query)}

    def _retried_by_unfinished_runs(self) -> set[str]:
        """Returns the parent and root runs of unfinished runs."""
        unfinished = self.instance.get_runs(dg.RunsFilter(statuses=NOT_FINISHED_STATUSES))
        tags = (run.tags.get(name) for run in unfinished for name in (PARENT_RUN_ID_TAG, ROOT_RUN_ID_TAG))
        return {tag for tag in tags if tag}

    # --- how to remove a run -----------------------------------------------------------------------

    def remove(self, run_id: str) -> int:
        """Removes a run and all its records. Returns the bytes freed on disk."""
        with contextlib.suppress(NotImplementedError):  # an object store expires captured logs itself
            self.instance.compute_log_manager.delete_logs(prefix=[run_id])
        freed = 0
        with self.events.index_connection() as connection:
            connection.execute(AssetCheckExecutionsTable.delete().where(AssetCheckExecutionsTable.c.run_id == run_id))
            self.events.delete_events_for_run(connection, run_id)
        if self.events.supports_global_concurrency_limits:
            self.events.free_concurrency_slots_for_run(run_id)
        for path in self._files(run_id):
            freed += path.stat().st_size
            path.unlink()
        with self.runs.connect() as connection:  # SQLite does not enforce the foreign key's cascade here
            connection.execute(RunTagsTable.delete().where(RunTagsTable.c.run_id == run_id))
        self.runs.delete_run(run_id)
        return freed

    def size(self, run_id: str) -> int:
        return sum(path.stat().st_size for path in self._files(run_id))

    def remove_strays(self) -> int:
        """Removes event files without a run: a view of a removed run creates an empty file again. Returns bytes freed."""
        if not isinstance(self.events, SqliteEventLogStorage):
            return 0
        freed = 0
        for run_id in self.events.get_all_run_ids():
            files = self._files(run_id)
            is_old = all(time.time() - path.stat().st_mtime > _STRAY for path in files)
            if is_old and not self.instance.has_run(run_id):
                freed += sum(path.stat().st_size for path in files)
                for path in files:
                    path.unlink()
        return freed

    def _files(self, run_id: str) -> Sequence[Path]:
        """Returns the SQLite files of one run's events; none where all runs share a database."""
        if not isinstance(self.events, SqliteEventLogStorage):
            return ()
        path = self.events.path_for_shard(run_id)
        return [file for end in ("", "-wal", "-shm") if (file := Path(path + end)).is_file()]


def _ended(record: RunRecord) -> float:
    return record.end_time or record.create_timestamp.timestamp()
