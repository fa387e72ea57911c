"""Dagster's records of runs: which of them are old and needed by nobody, and how they go, from the disk too.

Dagster itself never removes a run, and its events grow without bound (dagster#33785). When this happens belongs in
`orchestration`. Our own history of verdicts is another store, and keeps what it knows.
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

#: Runs between two words on how far it has come.
BATCH = 100
#: Runs asked for at once.
_PAGE = 500
#: What an asset's page and its partitions' states are made of; the latest of each kind stays.
_TELLING = (
    "ASSET_MATERIALIZATION",
    "ASSET_OBSERVATION",
    "ASSET_MATERIALIZATION_PLANNED",
    "ASSET_FAILED_TO_MATERIALIZE",
)
#: Seconds after which a file of events whose run nobody knows belongs to no run that is just beginning.
_STRAY = 86_400


@dataclass(frozen=True)
class Purge:
    """What went, or would go."""

    #: runs by job
    runs: Mapping[str, int] = field(default_factory=dict)
    #: runs old enough to go that stay, by reason
    kept: Mapping[str, int] = field(default_factory=dict)
    #: bytes of files of events that went from the disk; 0 where events lie in a database of their own
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
    """Remove the runs that `wanted` does not keep, with their events, check results, tags and captured logs.

    Those that are not `ours` stay.

    Each run goes by itself, its own record last: what is interrupted is finished by the next purge. Raises ConfigError where
    the records are in a storage that is neither SQLite nor PostgreSQL nor MySQL.
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
    """Whether a run may be purged by a project: it worked on a table of its history, or is of one of these jobs of its own."""
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

    # --- which -------------------------------------------------------------------------------------

    def old(
        self, wanted: RunHistory, now: datetime, ours: Callable[[dg.DagsterRun], bool]
    ) -> tuple[list[tuple[str, str]], dict[str, int]]:
        """Id and job of what may go, oldest first, and how many stay for which reason."""
        oldest = (now - wanted.length).timestamp()
        needed = self._needed()
        found, kept, seen = [], Counter[str](), Counter[str]()
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
                found.append((run.run_id, run.job_name))
        return found[::-1], dict(kept)

    def _finished(self) -> Iterator[RunRecord]:
        cursor = None
        while page := self.instance.get_run_records(dg.RunsFilter(statuses=FINISHED_STATUSES), _PAGE, cursor=cursor):
            yield from page
            cursor = page[-1].dagster_run.run_id

    def _needed(self) -> Callable[[RunRecord], str]:
        """Why a run must stay, or nothing."""
        latest = self._latest_of_assets() | self._latest_of_checks()
        going_on = self._before_what_goes_on()
        backfills = {
            backfill.backfill_id
            for backfill in self.instance.get_backfills()
            if backfill.status not in BULK_ACTION_TERMINAL_STATUSES
        }

        def reason(record: RunRecord) -> str:
            run = record.dagster_run
            if run.run_id in latest:
                return "the latest of an asset, a partition or a check"
            if run.run_id in going_on or run.tags.get(BACKFILL_ID_TAG) in backfills:
                return "part of what is not finished"
            return ""

        return reason

    def _latest_of_assets(self) -> set[str]:
        event = SqlEventLogStorageTable.c
        newest = (
            sql.select(sql.func.max(event.id))
            .where(event.dagster_event_type.in_(_TELLING), event.asset_key.is_not(None))
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

    def _before_what_goes_on(self) -> set[str]:
        """The runs of which a run that is not finished is another try."""
        unfinished = self.instance.get_runs(dg.RunsFilter(statuses=NOT_FINISHED_STATUSES))
        tags = (run.tags.get(name) for run in unfinished for name in (PARENT_RUN_ID_TAG, ROOT_RUN_ID_TAG))
        return {tag for tag in tags if tag}

    # --- how ---------------------------------------------------------------------------------------

    def remove(self, run_id: str) -> int:
        """Remove a run and all that hangs on it; the bytes that went from the disk."""
        with contextlib.suppress(NotImplementedError):  # captured logs in a store have a life cycle of their own
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
        with self.runs.connect() as connection:  # SQLite does not pass on what a foreign key says
            connection.execute(RunTagsTable.delete().where(RunTagsTable.c.run_id == run_id))
        self.runs.delete_run(run_id)
        return freed

    def size(self, run_id: str) -> int:
        return sum(path.stat().st_size for path in self._files(run_id))

    def remove_strays(self) -> int:
        """Remove files of events of which no run is left: whoever looks at a removed run makes an empty one anew."""
        if not isinstance(self.events, SqliteEventLogStorage):
            return 0
        freed = 0
        for run_id in self.events.get_all_run_ids():
            files = self._files(run_id)
            rests = all(time.time() - path.stat().st_mtime > _STRAY for path in files)
            if rests and not self.instance.has_run(run_id):
                freed += sum(path.stat().st_size for path in files)
                for path in files:
                    path.unlink()
        return freed

    def _files(self, run_id: str) -> Sequence[Path]:
        """The SQLite files of one run's events; none where all runs share a database."""
        if not isinstance(self.events, SqliteEventLogStorage):
            return ()
        path = self.events.path_for_shard(run_id)
        return [file for end in ("", "-wal", "-shm") if (file := Path(path + end)).is_file()]


def _ended(record: RunRecord) -> float:
    return record.end_time or record.create_timestamp.timestamp()
