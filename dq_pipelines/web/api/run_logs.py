"""Serves a run's log: Dagster's events in order, and the output of its processes."""

from __future__ import annotations

import codecs
import logging
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Literal, get_args

import dagster as dg
from dagster._core.event_api import EventLogCursor, EventLogRecord
from dagster._core.storage.compute_log_manager import ComputeIOType
from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, Field, TypeAdapter

from dq_pipelines.security.roles import Permission
from dq_pipelines.web.api.dependencies import Dagster, Own, somewhere
from dq_pipelines.web.api.paging import Cursor, Limit, Page, cursor_of, place_in
from dq_pipelines.web.api.runs import RunId, seen
from dq_pipelines.web.api.texts import Text
from dq_pipelines.web.problem_details import problems

router = APIRouter(tags=["runs"])

Level = Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"]
_LEVELS: Mapping[str, Level] = {level: level for level in get_args(Level)}

#: Events that are searched for one page at most, and events per query.
_MOST, _CHUNK = 5000, 500
#: Bytes of one part of an output at most.
_PART = 64 * 1024
#: An upper bound for positions in files and logs.
_Number = Annotated[int, Field(ge=0, le=1 << 53)]
_EVENT: TypeAdapter[int] = TypeAdapter(_Number)
_OFFSET: TypeAdapter[tuple[int, int]] = TypeAdapter(tuple[_Number, _Number])


class LogEvent(BaseModel):
    """One line of a run's log."""

    number: int = Field(description="The position in the log; later events have higher numbers.", examples=[17])
    at: datetime
    level: Level
    kind: str = Field(description="Dagster's type of event; LOG for a message of the code.", examples=["STEP_START"])
    step: str | None = Field(examples=["sales"])
    asset: str | None = Field(examples=["silver/sales"])
    message: str
    error: str | None = Field(description="The error's class and message.")


class OutputPart(BaseModel):
    """A part of a process's output."""

    steps: list[str] = Field(description="The steps that ran in it.", examples=[["sales"]])
    text: str


@router.get(
    "/runs/{id}/logs",
    summary="A run's log, event by event",
    description="Oldest first. While the run is under way, `next` is never null: request it later for newer events. A page of a "
    "search may have fewer items than `limit` before the last page.",
    operation_id="run_logs",
    responses=problems(404, 422, 503),
    dependencies=[Depends(somewhere(Permission.LOOK))],
)
def logs(
    id: RunId,
    dagster: Dagster,
    rights: Own,
    level: Annotated[Level, Query(description="Only events of this level or above.")] = "DEBUG",
    search: Annotated[Text | None, Query(description="Only events that contain this text, ignoring case.")] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Page[LogEvent]:
    # Read the status before the events, so that no last event is missed.
    ended = seen(dagster.instance, rights, id).dagster_run.is_finished
    place = place_in(_EVENT, cursor)
    found: list[LogEvent] = []
    for looked, record in enumerate(_records(dagster.instance, id, place)):
        if len(found) == limit or looked == _MOST:
            return Page(items=found, next=cursor_of(place))
        place = record.storage_id
        event = _event(record)
        if logging.getLevelName(event.level) >= logging.getLevelName(level) and _contains(event, search):
            found.append(event)
    return Page(items=found, next=None if ended else cursor_of(place or 0))


@router.get(
    "/runs/{id}/output",
    summary="The output of a run's processes",
    description="From stdout or stderr, in parts of up to 64 KiB. While the run is under way, `next` is never null.",
    operation_id="run_output",
    responses=problems(404, 422, 503),
    dependencies=[Depends(somewhere(Permission.LOOK))],
)
def output(
    id: RunId,
    dagster: Dagster,
    rights: Own,
    stream: Literal["stdout", "stderr"] = "stdout",
    cursor: Cursor = None,
) -> Page[OutputPart]:
    instance = dagster.instance
    ended = seen(instance, rights, id).dagster_run.is_finished
    kind = dg.DagsterEventType.LOGS_CAPTURED
    captures = [record.event_log_entry for record in instance.get_records_for_run(id, of_type=kind).records]
    number, offset = place_in(_OFFSET, cursor) or (0, 0)
    for place, capture in enumerate(captures[number:], number):
        if capture.dagster_event is None:
            continue
        captured = capture.dagster_event.logs_captured_data
        key = instance.compute_log_manager.build_log_key_for_run(id, captured.file_key)
        last = place + 1 == len(captures)
        text, after = _text(instance, key, ComputeIOType(stream), offset if place == number else 0, ended or not last)
        if text:
            part = OutputPart(steps=list(captured.step_keys or ()), text=text)
            return Page(items=[part], next=cursor_of([place, after]))
    return Page(items=[], next=None if ended else cursor_of([number, offset]))


def _text(
    instance: dg.DagsterInstance, key: Sequence[str], stream: ComputeIOType, offset: int, whole: bool
) -> tuple[str, int]:
    """The text from this offset, and the offset of its end. An incomplete character is left for the next part, if there is one."""
    data, _ = instance.compute_log_manager.get_log_data_for_type(key, stream, offset, _PART)
    data = data or b""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    text = decoder.decode(data, final=whole and len(data) < _PART)
    return text, offset + len(data) - len(decoder.getstate()[0])


def _records(instance: dg.DagsterInstance, id: str, place: int | None) -> Iterator[EventLogRecord]:
    """The events after this place, oldest first."""
    while True:
        cursor = EventLogCursor.from_storage_id(place).to_string() if place is not None else None
        page = instance.get_records_for_run(id, cursor=cursor, limit=_CHUNK)
        yield from page.records
        if not page.has_more or not page.records:
            return
        place = page.records[-1].storage_id


def _event(record: EventLogRecord) -> LogEvent:
    entry = record.event_log_entry
    event, error = entry.dagster_event, entry.error_info
    if event is not None and event.is_step_failure:
        error = event.step_failure_data.error
    elif event is not None and event.is_job_failure:
        error = event.job_failure_data.error
    kind = event.event_type_value.replace("PIPELINE_", "RUN_") if event is not None else "LOG"
    return LogEvent(
        number=record.storage_id,
        at=datetime.fromtimestamp(entry.timestamp, UTC),
        level=_LEVELS.get(logging.getLevelName(entry.level), "INFO"),
        kind=kind,
        step=entry.step_key,
        asset=event.asset_key.to_user_string() if event is not None and event.asset_key is not None else None,
        message=entry.message,
        error=error.message.strip() if error is not None else None,
    )


def _contains(event: LogEvent, text: str | None) -> bool:
    return text is None or text.casefold() in f"{event.message}\n{event.error or ''}".casefold()
