"""Verdicts that history has missed: a commit says what it was judged by, so that a run killed before it told history is told for.

What a verdict is belongs in `history`, how rows are committed in `lake.publish`.
"""

from __future__ import annotations

from collections.abc import Callable

from dq_pipelines.history.store.records import VerdictRecord
from dq_pipelines.history.store.verdicts import History
from dq_pipelines.lake.tables import Lake
from dq_pipelines.pipeline.runtime.outcome import Outcome
from dq_pipelines.pipeline.runtime.table_run import TableRun
from dq_pipelines.project.checked_rules import checked_rules

#: What a commit of silver or gold calls the verdict on its rows.
_VERDICT = "dq.verdict"

#: Commits that are looked at: upkeep and replays may stand between the last two batches.
_COMMITS = 5


def verdict_of(work: TableRun, outcome: Outcome) -> dict[str, str]:
    """What a commit is to say of its rows."""
    return commit_metadata(outcome.record(work.run_id, checked_rules(work.table)))


def commit_metadata(record: VerdictRecord) -> dict[str, str]:
    """A verdict as a commit says it."""
    return {_VERDICT: record.without_states().as_json()}


def lacking(lake: Lake, key: str, history: History, *, every: bool = False) -> list[VerdictRecord]:
    """The verdicts that a table's last commits hold, or all of them, and that history lacks, oldest first."""
    found = []
    for commit in lake.table(key).snapshot().history(None if every else _COMMITS):
        if (text := commit.metadata.get(_VERDICT)) is not None:
            record = VerdictRecord.from_json(text)
            # Not only until the first one that it knows: a broken rerun of another partition is done again without a word.
            if not history.is_recorded(record):
                found.append(record)
    return found[::-1]


def recollect(
    lake: Lake, key: str, history: History, log: Callable[[str], None] = lambda _: None, *, every: bool = False
) -> None:
    """Tell history of the verdicts that a table's last commits hold and that it lacks, oldest first.

    A history that has no verdict of the table at all is new, or was lost: then all commits are asked.
    """
    lost = history.latest(key) is None
    records = lacking(lake, key, history, every=every or lost)
    for record in records:
        history.record(record)
        log(f"{key}: history had missed the verdict on batch {record.batch}, of a run that was killed")
    if lost and records:
        log(
            f"{key}: history had no verdict of the table: {len(records):,} were recovered from its commits; batches that were "
            "blocked, re-checks and what people accepted are not in commits: a copy made by dq backup has them"
        )


def without_history(record: VerdictRecord) -> str:
    """What has become of a batch whose verdict history does not take."""
    if not record.batch:
        return f"nothing was written about the published rows of {record.table}"
    if record.blocked:
        return f"batch {record.batch} is blocked, nothing of it was published, and the next run of {record.table} judges it again"
    return (
        f"the rows of batch {record.batch} are published, their commit holds the verdict, and the next run of "
        f"{record.table} tells history of it"
    )
