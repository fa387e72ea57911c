"""A run as it goes on: its events as server-sent events, or over a WebSocket at the same address.

Who reads Dagster's log is `web.streaming.run_stream`; what an event says, `web.streaming.run_events`.
"""

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

#: Seconds between two signs of life of a stream on which nothing else is sent.
ALIVE = 15.0
#: Seconds after which a stream ends: whoever is still let in comes back and misses nothing.
LONGEST = 600.0
#: Seconds for which a client may keep what it is sent waiting; it is dropped then, and may come back.
PATIENCE = 20.0
#: Streams that a server has at once.
MOST = 2_000

_NUMBER = r"^[0-9]{1,18}$"
After = Annotated[int, Query(ge=0, le=10**18, description="`id` of the last event that was received; 0 for all.")]

_EVENTS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "`status`, `step`, `progress`, `check` and `materialized` as they come, each with an `id` to go on from; "
        "`end` when the run has ended.",
        "content": {
            "text/event-stream": {
                "schema": {"type": "string"},
                "example": 'id: 7\nevent: check\ndata: {"id":7,"type":"check","at":"2026-11-22T02:00:00.000+00:00",'
                '"table":"silver/sales","check":"expect_column_values_to_not_be_null__id","passed":true,"severity":"critical"}\n\n',
            }
        },
    },
    204: {"description": "The run has ended, and the client has had its last event."},
}


def feeds_of(connection: HTTPConnection) -> RunStreams:
    """The app's readers; one for each run that is watched."""
    state = connection.app.state
    if not hasattr(state, "feeds"):
        state.feeds = RunStreams(backend_of(connection).site.closing)
    found: RunStreams = state.feeds
    if found.watchers >= MOST:
        raise ApiError(503, f"wanted fewer than {MOST:,} streams at once")
    return found


@router.get(
    "/runs/{id}/events",
    summary="A run's events while it goes on",
    description="Server-sent events; at the same address a WebSocket sends their data as one JSON text each. One that was broken "
    "off goes on after `Last-Event-ID`, or `after`. A stream ends after ten minutes at most: come back then.",
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
        return Response(status_code=204)  # a browser would come back for ever to a stream that only ends
    stream = _lines(feeds_of(request), dagster.instance, id, last)
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return _Events(stream, media_type="text/event-stream", headers=headers)


class _Events(StreamingResponse):
    """A stream that is given up when its client takes nothing for a while."""

    async def stream_response(self, send: Send) -> None:
        async def patiently(message: Message) -> None:
            async with asyncio.timeout(PATIENCE):  # no task for each message, as `wait_for` makes one
                await send(message)

        with suppress(TimeoutError):
            await super().stream_response(patiently)


@router.websocket("/runs/{id}/events")
async def watched(socket: WebSocket, id: RunId, after: After = 0) -> None:
    """The same over a WebSocket: closed with 1000 at the run's end, 1001 when it is time to come back, 4404 for no such run."""
    await socket.accept()
    try:
        dagster, rights = dagster_of(socket), await run_sync(rights_of, socket)
        await run_sync(seen, dagster.instance, rights, id)
        feeds = feeds_of(socket)
    except ApiError as error:
        await socket.close(4404 if error.status == 404 else 1013, error.detail[:100])
        return
    sending = asyncio.create_task(_send(socket, feeds, dagster.instance, id, after))
    leaving = asyncio.create_task(_left(socket))
    try:
        await asyncio.wait({sending, leaving}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        sending.cancel()
        leaving.cancel()
        await asyncio.gather(sending, leaving, return_exceptions=True)


def _anything_after(instance: dg.DagsterInstance, id: str, last: int) -> bool:
    return any(page for page in events_after(instance, id, last))


async def _words(
    feeds: RunStreams, instance: dg.DagsterInstance, id: str, last: int
) -> AsyncGenerator[RunEvent | None]:
    """The run's words after `last`, None as a sign of life, and a last one of the type `end` where the run has ended."""
    until = time.monotonic() + LONGEST
    async with feeds.watch(instance, id) as feed:
        async for word in feed.after(last, ALIVE):
            yield word
            if time.monotonic() > until:
                return
        if feed.has_ended:
            yield RunEvent(0, "end", '{"type":"end"}', is_last=True)


async def _lines(feeds: RunStreams, instance: dg.DagsterInstance, id: str, last: int) -> AsyncGenerator[str]:
    yield "retry: 2000\n\n"
    async with aclosing(_words(feeds, instance, id, last)) as words:
        async for word in words:
            if word is None:
                yield ": alive\n\n"
            else:
                number = f"id: {word.id}\n" if word.id else ""
                yield f"{number}event: {word.type}\ndata: {word.text}\n\n"


async def _send(socket: WebSocket, feeds: RunStreams, instance: dg.DagsterInstance, id: str, last: int) -> None:
    code, said = 1001, "come back after the last event"
    try:
        async with aclosing(_words(feeds, instance, id, last)) as words:
            async for word in words:
                text = '{"type":"alive"}' if word is None else word.text
                async with asyncio.timeout(PATIENCE):
                    await socket.send_text(text)
                if word is not None and word.type == "end":
                    code, said = 1000, "the run has ended"
        async with asyncio.timeout(PATIENCE):
            await socket.close(code, said)
    except (TimeoutError, WebSocketDisconnect):
        return  # too slow, or gone: it may come back for what it has not had


async def _left(socket: WebSocket) -> None:
    """Until the client goes; what it says meanwhile is passed over."""
    while (await socket.receive())["type"] != "websocket.disconnect":
        continue
