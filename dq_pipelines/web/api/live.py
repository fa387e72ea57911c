"""Streams the events of a run as server-sent events, or over a WebSocket at the same address."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from typing import Annotated, Any

import dagster as dg
from anyio.to_thread import run_sync
from fastapi import APIRouter, Depends, Header, Query, Request, WebSocket
from starlette.requests import HTTPConnection
from starlette.responses import Response, StreamingResponse
from starlette.types import Message, Send
from starlette.websockets import WebSocketDisconnect

from dq_pipelines.security.roles import Permission
from dq_pipelines.web.api.dependencies import Dagster, Own, backend_of, dagster_of, rights_of, somewhere
from dq_pipelines.web.api.runs import RunId, seen
from dq_pipelines.web.problem_details import ApiError, problems
from dq_pipelines.web.streaming.run_events import RunEvent, events_after
from dq_pipelines.web.streaming.run_stream import RunStreams

router = APIRouter(tags=["runs"])

#: Seconds between two keep-alive messages of a stream without events.
ALIVE = 15.0
#: Seconds after which a stream ends, so that permissions are checked again: clients reconnect and miss nothing.
LONGEST = 600.0
#: Seconds for which a client may block a message; after that it is disconnected, and may reconnect.
PATIENCE = 20.0
#: Open streams of a server at most.
MOST = 2_000

_NUMBER = r"^[0-9]{1,18}$"
After = Annotated[int, Query(ge=0, le=10**18, description="`id` of the last received event; 0 for all.")]

_EVENTS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "`status`, `step`, `progress`, `check` and `materialized` as they happen, each with an `id` to resume after; "
        "`end` when the run has ended.",
        "content": {
            "text/event-stream": {
                "schema": {"type": "string"},
                "example": 'id: 7\nevent: check\ndata: {"id":7,"type":"check","at":"2026-11-22T02:00:00.000+00:00",'
                '"table":"silver/sales","check":"id__not_null","passed":true,"severity":"critical","fails":false}\n\n',
            }
        },
    },
    204: {"description": "The run has ended, and the client has received its last event."},
}


def streams_of(connection: HTTPConnection) -> RunStreams:
    """The app's run streams."""
    state = connection.app.state
    if not hasattr(state, "run_streams"):
        state.run_streams = RunStreams(backend_of(connection).site.closing)
    streams: RunStreams = state.run_streams
    if streams.watchers >= MOST:
        raise ApiError(503, f"wanted fewer than {MOST:,} streams at once")
    return streams


@router.get(
    "/runs/{id}/events",
    summary="A run's events as they happen",
    description="Server-sent events. At the same address, a WebSocket sends the data of each as a JSON text. An interrupted stream "
    "resumes after `Last-Event-ID`, or `after`. A stream ends after ten minutes at most: reconnect then.",
    operation_id="run_events",
    response_class=StreamingResponse,
    responses={**_EVENTS, **problems(404, 406, 422, 503)},
    dependencies=[Depends(somewhere(Permission.LOOK))],
)
async def events(
    id: RunId,
    request: Request,
    dagster: Dagster,
    rights: Own,
    after: After = 0,
    last_event_id: Annotated[str | None, Header(pattern=_NUMBER, description="As browsers send it.")] = None,
) -> Response:
    accepted = request.headers.get("accept", "*/*")
    if not any(kind in accepted for kind in ("text/event-stream", "text/*", "*/*")):
        raise ApiError(406, f"wanted Accept: text/event-stream, got {accepted}")
    run = await run_sync(seen, dagster.instance, rights, id)
    last = int(last_event_id) if last_event_id is not None else after
    if last and run.dagster_run.is_finished and not await run_sync(_anything_after, dagster.instance, id, last):
        return Response(status_code=204)  # with 200, a browser would reconnect forever
    stream = _lines(streams_of(request), dagster.instance, id, last)
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return _Events(stream, media_type="text/event-stream", headers=headers)


class _Events(StreamingResponse):
    """A stream that ends if its client accepts no data for `PATIENCE` seconds."""

    async def stream_response(self, send: Send) -> None:
        async def patiently(message: Message) -> None:
            async with asyncio.timeout(PATIENCE):  # `wait_for` would make a task for each message
                await send(message)

        with suppress(TimeoutError):
            await super().stream_response(patiently)


@router.websocket("/runs/{id}/events")
async def watched(socket: WebSocket, id: RunId, after: After = 0) -> None:
    """The same over a WebSocket. Close codes: 1000 at the run's end, 1001 to reconnect, 4404 for an unknown run."""
    await socket.accept()
    try:
        dagster, rights = dagster_of(socket), await run_sync(rights_of, socket)
        await run_sync(seen, dagster.instance, rights, id)
        streams = streams_of(socket)
    except ApiError as error:
        await socket.close(4404 if error.status == 404 else 1013, error.detail[:100])
        return
    sending = asyncio.create_task(_send(socket, streams, dagster.instance, id, after))
    leaving = asyncio.create_task(_left(socket))
    try:
        await asyncio.wait({sending, leaving}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        sending.cancel()
        leaving.cancel()
        await asyncio.gather(sending, leaving, return_exceptions=True)


def _anything_after(instance: dg.DagsterInstance, id: str, last: int) -> bool:
    return any(page for page in events_after(instance, id, last))


async def _events_until_end(
    streams: RunStreams, instance: dg.DagsterInstance, id: str, last: int
) -> AsyncGenerator[RunEvent | None]:
    """The run's events after `last`, None as a keep-alive, and an event of the type `end` if the run has ended."""
    until = time.monotonic() + LONGEST
    async with streams.watch(instance, id) as stream:
        async for event in stream.after(last, ALIVE):
            yield event
            if time.monotonic() > until:
                return
        if stream.has_ended:
            yield RunEvent(0, "end", '{"type":"end"}', is_last=True)


async def _lines(streams: RunStreams, instance: dg.DagsterInstance, id: str, last: int) -> AsyncGenerator[str]:
    yield "retry: 2000\n\n"
    async with aclosing(_events_until_end(streams, instance, id, last)) as stream:
        async for event in stream:
            if event is None:
                yield ": alive\n\n"
            else:
                number = f"id: {event.id}\n" if event.id else ""
                yield f"{number}event: {event.type}\ndata: {event.text}\n\n"


async def _send(socket: WebSocket, streams: RunStreams, instance: dg.DagsterInstance, id: str, last: int) -> None:
    code, reason = 1001, "reconnect after the last event"
    try:
        async with aclosing(_events_until_end(streams, instance, id, last)) as stream:
            async for event in stream:
                text = '{"type":"alive"}' if event is None else event.text
                async with asyncio.timeout(PATIENCE):
                    await socket.send_text(text)
                if event is not None and event.type == "end":
                    code, reason = 1000, "the run has ended"
        async with asyncio.timeout(PATIENCE):
            await socket.close(code, reason)
    except (TimeoutError, WebSocketDisconnect):
        return  # too slow, or gone: the client may reconnect for the rest


async def _left(socket: WebSocket) -> None:
    """Wait until the client disconnects; its messages are ignored."""
    while (await socket.receive())["type"] != "websocket.disconnect":
        continue
