"""Turns Dagster's events of a run into the events of a stream: status, step, progress, check, materialized.

One event of Dagster gives one stream event at most, with the same id.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import dagster as dg
from dagster._core.event_api import EventLogCursor
from dagster._core.events import EVENT_TYPE_TO_PIPELINE_RUN_STATUS
from dagster._core.storage.dagster_run import FINISHED_STATUSES

from dq_pipelines.orchestration.steps.progress_events import progress_of
from dq_pipelines.pipeline.runtime.progress import Progress

_Kind = dg.DagsterEventType

_STEPS = {
    _Kind.STEP_START: "started",
    _Kind.STEP_SUCCESS: "succeeded",
    _Kind.STEP_FAILURE: "failed",
    _Kind.STEP_SKIPPED: "skipped",
    _Kind.STEP_UP_FOR_RETRY: "waits to be tried again",
    _Kind.STEP_RESTARTED: "started",
}
_WANTED = {
    *EVENT_TYPE_TO_PIPELINE_RUN_STATUS,
    *_STEPS,
    _Kind.ENGINE_EVENT,
    _Kind.ASSET_CHECK_EVALUATION,
    _Kind.ASSET_MATERIALIZATION,
}
#: Events that are read in one query.
_PAGE = 1_000
#: The latest events among which progress is looked for: a running step reports every second.
_LATEST = 50
#: Characters of an error message at most.
_LONGEST = 2_000


@dataclass(frozen=True)
class RunEvent:
    """One event of a run."""

    #: the id in Dagster's log: later events have greater ids
    id: int
    #: status, step, progress, check or materialized
    type: str
    #: the whole event as one line of JSON
    text: str
    #: whether this event ends the run
    is_last: bool = False


def events_after(instance: dg.DagsterInstance, run_id: str, last: int) -> Iterator[list[RunEvent]]:
    """The events after the one with id `last` (0: all), in order, page by page. Blocks."""
    cursor = EventLogCursor.from_storage_id(last).to_string()
    more = True
    while more:
        page = instance.get_records_for_run(run_id, cursor, _WANTED, _PAGE)
        events = (event_of(record.storage_id, record.event_log_entry) for record in page.records)
        cursor, more = page.cursor, page.has_more
        yield [event for event in events if event is not None]


def last_progress(instance: dg.DagsterInstance, run_id: str) -> Mapping[str, Any]:
    """The last progress event of a run, as the stream sends it; empty if its latest events have none. Blocks."""
    page = instance.get_records_for_run(run_id, None, {_Kind.ENGINE_EVENT}, _LATEST, ascending=False)
    found = (progress_of(record.event_log_entry) for record in page.records)
    return next((one.to_json() for one in found if one is not None), {})


def event_of(id: int, entry: dg.EventLogEntry) -> RunEvent | None:
    """The stream event for an event of Dagster; None if streams do not send it."""
    event = entry.dagster_event
    if event is None:
        return None
    content = _content(event, progress_of(entry))
    if content is None:
        return None
    kind, more = content
    at = datetime.fromtimestamp(entry.timestamp, UTC).isoformat(timespec="milliseconds")
    text = json.dumps({"id": id, "type": kind, "at": at, **more}, separators=(",", ":"), default=str)
    return RunEvent(id, kind, text, EVENT_TYPE_TO_PIPELINE_RUN_STATUS.get(event.event_type) in FINISHED_STATUSES)


def _content(event: dg.DagsterEvent, progress: Progress | None) -> tuple[str, Mapping[str, Any]] | None:
    """The type of the stream event, and its members besides id and time; None for no event."""
    if progress is not None:
        return "progress", progress.to_json()
    kind = event.event_type
    if (status := EVENT_TYPE_TO_PIPELINE_RUN_STATUS.get(kind)) is not None:
        said = event.message if kind in (_Kind.RUN_FAILURE, _Kind.RUN_CANCELED) else None
        return "status", {"status": status.value} | ({"said": said[:_LONGEST]} if said else {})
    if kind in _STEPS:
        return "step", {"step": event.step_key, "state": _STEPS[kind], **_failure(event)}
    if kind is _Kind.ASSET_CHECK_EVALUATION:
        return "check", _check(event.asset_check_evaluation_data)
    if kind is _Kind.ASSET_MATERIALIZATION:
        made = event.step_materialization_data.materialization
        rows = made.metadata.get("dagster/row_count")
        return "materialized", {"table": made.asset_key.to_user_string(), "rows": rows and rows.value}
    return None


def _failure(event: dg.DagsterEvent) -> dict[str, str]:
    if event.event_type is not _Kind.STEP_FAILURE:
        return {}
    failure = event.step_failure_data
    own = failure.user_failure_data.description if failure.user_failure_data else None
    said = own or (failure.error.message if failure.error else "")
    return {"said": said.strip()[:_LONGEST]}


def _check(of: dg.AssetCheckEvaluation) -> dict[str, Any]:
    counts = {name: of.metadata[name].value for name in ("unexpected_count", "element_count") if name in of.metadata}
    severity = of.metadata["severity"].value if "severity" in of.metadata else of.severity.value.lower()
    blocks = {"blocking": of.blocking} if of.blocking is not None else {}
    # Whether it is a failure of the table, and no warning: see `history.store.status.is_failure`.
    fails = not of.passed and of.severity is dg.AssetCheckSeverity.ERROR
    table = of.asset_key.to_user_string()
    return {
        "table": table,
        **({"partition": of.partition} if of.partition is not None else {}),
        "check": of.check_name,
        "passed": of.passed,
        "severity": severity,
        "fails": fails,
        **counts,
        **blocks,
    }
