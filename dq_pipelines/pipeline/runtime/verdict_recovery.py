"""Recovers verdicts that history missed because a run was killed: each commit holds the verdict on its rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from dq_pipelines.history.store.records import VerdictRecord
from dq_pipelines.lake.tables import Lake
from dq_pipelines.pipeline.runtime.outcome import Outcome
from dq_pipelines.pipeline.runtime.table_run import TableRun
from dq_pipelines.project.checked_rules import checked_rules

if TYPE_CHECKING:  # with SQLAlchemy, 0.2 s of CPU
    from dq_pipelines.history.store.verdicts import History

#: The metadata key of the verdict in a commit of silver or gold.
_VERDICT = "dq.verdict"

#: Commits to read: upkeep and replays may lie between the last two batches.
_COMMITS = 5


def verdict_metadata(work: TableRun, outcome: Outcome) -> dict[str, str]:
    """The metadata of the commit of an outcome's rows."""
    return commit_metadata(outcome.record(work.run_id, checked_rules(work.table)))


def commit_metadata(record: VerdictRecord) -> dict[str, str]:
    """A verdict as commit metadata."""
    return {_VERDICT: record.without_states().as_json()}


def missing_verdicts(lake: Lake, key: str, history: History, *, every: bool = False) -> list[VerdictRecord]:
    """The verdicts in a table's last commits (or `every` commit) that history lacks, oldest first."""
    missing = []
    for commit in lake.table(key).snapshot().history(None if every else _COMMITS):
        if (text := commit.metadata.get(_VERDICT)) is not None:
            record = VerdictRecord.from_json(text)
            # Do not stop at the first known one: a killed rerun of another partition may be repeated without a record.
            if not history.is_recorded(record):
                missing.append(record)
    return missing[::-1]


def recover_verdicts(
    lake: Lake, key: str, history: History, log: Callable[[str], None] = lambda _: None, *, every: bool = False
) -> None:
    """Record the verdicts in a table's last commits that history lacks, oldest first.

    If history has no verdict of the table at all, it is new or was lost: then all commits are read.
    """
    lost = history.latest(key) is None
    records = missing_verdicts(lake, key, history, every=every or lost)
    for record in records:
        history.record(record)
        log(f"{key}: history had missed the verdict on batch {record.batch}, of a run that was killed")
    if lost and records:
        log(
            f"{key}: history had no verdict of the table: {len(records):,} were recovered from its commits; batches that were "
            "blocked, re-checks and what people accepted are not in commits: a copy made by dq backup has them"
        )


def explain_unrecorded(record: VerdictRecord) -> str:
    """One sentence on the state of a batch whose verdict cannot be recorded."""
    if not record.batch:
        return f"nothing was written about the published rows of {record.table}"
    if record.blocked:
        return f"batch {record.batch} is blocked, nothing of it was published, and the next run of {record.table} judges it again"
    return (
        f"the rows of batch {record.batch} are published, their commit holds the verdict, and the next run of "
        f"{record.table} records it"
    )
