"""What a run said: Dagster's events in order, and what its process wrote to stdout and stderr."""

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

#: Events that are looked at for one page, and of them those that Dagster is asked for at once.
_MOST, _CHUNK = 5000, 500
#: Bytes of one part of an output.
_PART = 64 * 1024
#: What no file and no log is longer than.
_Number = Annotated[int, Field(ge=0, le=1 << 53)]
_EVENT: TypeAdapter[int] = TypeAdapter(_Number)
_OFFSET: TypeAdapter[tuple[int, int]] = TypeAdapter(tuple[_Number, _Number])


class LogEvent(BaseModel):
    """One line of a run's log."""

    number: int = Field(description="Its place in the log: a later event has a higher one.", examples=[17])
    at: datetime
    level: Level
    kind: str = Field(description="Dagster's type of event; LOG for what the code said.", examples=["STEP_START"])
    step: str | None = Field(examples=["sales"])
    asset: str | None = Field(examples=["silver/sales"])
    message: str
    error: str | None = Field(description="The error's class and what it said.")


class OutputPart(BaseModel):
    """Some of what a process wrote."""

    steps: list[str] = Field(description="The steps that ran in it.", examples=[["sales"]])
    text: str


@router.get(
    "/runs/{id}/logs",
    summary="What a run said, event by event",
    description="Oldest first. As long as the run goes on, `next` is never null: ask again later for what was said since. A page "
    "that is searched may hold fewer items than `limit` and go on all the same.",
    operation_id="run_logs",
    responses=problems(404, 422, 503),
    dependencies=[Depends(somewhere(Permission.LOOK))],
)
def logs(
    id: RunId,
    dagster: Dagster,
    rights: Own,
    level: Annotated[Level, Query(description="Of this level, or worse.")] = "DEBUG",
    search: Annotated[Text | None, Query(description="Only what says this, in capitals or not.")] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Page[LogEvent]:
    ended = seen(
        dagster.instance, rights, id
    ).dagster_run.is_finished  # asked before its events, so that none of its own is missed
    place = place_in(_EVENT, cursor)
    found: list[LogEvent] = []
    for looked, record in enumerate(_records(dagster.instance, id, place)):
        if len(found) == limit or looked == _MOST:
            return Page(items=found, next=cursor_of(place))
        place = record.storage_id
        event = _event(record)
        if logging.getLevelName(event.level) >= logging.getLevelName(level) and _says(event, search):
            found.append(event)
    return Page(items=found, next=None if ended else cursor_of(place or 0))


@router.get(
    "/runs/{id}/output",
    summary="What a run's processes wrote",
    description="To stdout or stderr, in parts of up to 64 KiB. As long as the run goes on, `next` is never null.",
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
        told = capture.dagster_event.logs_captured_data
        key = instance.compute_log_manager.build_log_key_for_run(id, told.file_key)
        last = place + 1 == len(captures)
        text, after = _text(instance, key, ComputeIOType(stream), offset if place == number else 0, ended or not last)
        if text:
            part = OutputPart(steps=list(told.step_keys or ()), text=text)
            return Page(items=[part], next=cursor_of([place, after]))
    return Page(items=[], next=None if ended else cursor_of([number, offset]))


def _text(
    instance: dg.DagsterInstance, key: Sequence[str], stream: ComputeIOType, offset: int, whole: bool
) -> tuple[str, int]:
    """What was written from there on, and where it ends; half a letter is left for the next part unless that is all."""
    data, _ = instance.compute_log_manager.get_log_data_for_type(key, stream, offset, _PART)
    data = data or b""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    text = decoder.decode(data, final=whole and len(data) < _PART)
    return text, offset + len(data) - len(decoder.getstate()[0])


def _records(instance: dg.DagsterInstance, id: str, place: int | None) -> Iterator[EventLogRecord]:
    """The events after this place, oldest first."""
    while True:
        cursor = EventLogCursor.from_storage_id(place).to_string() if place is not None else None
        found = instance.get_records_for_run(id, cursor=cursor, limit=_CHUNK)
        yield from found.records
        if not found.has_more or not found.records:
            return
        place = found.records[-1].storage_id


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


def _says(event: LogEvent, text: str | None) -> bool:
    return text is None or text.casefold() in f"{event.message}\n{event.error or ''}".casefold()
