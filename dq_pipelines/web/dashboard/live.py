"""Live: a browser is told that there is something new, by server-sent events or when it asks. It then loads its page anew."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator

from anyio import to_thread
from starlette.requests import Request
from starlette.responses import JSONResponse, StreamingResponse

from dq_pipelines.history.pulse import pulse
from dq_pipelines.history.store import History

#: Seconds between two looks at the history, however many browsers watch, and between two signs of life of a stream.
_LOOK, _ALIVE = 1.0, 15.0


class Watch:
    """One look at the history for all who watch."""

    def __init__(self, history: History, closing: threading.Event) -> None:
        self._history, self._closing = history, closing
        self._lock = asyncio.Lock()
        self._token, self._looked = "", float("-inf")

    async def token(self) -> str:
        """What differs from before when there is something new; no older than a second."""
        async with self._lock:
            if time.monotonic() >= self._looked + _LOOK:
                self._token = await to_thread.run_sync(pulse, self._history)
                self._looked = time.monotonic()
            return self._token

    async def asked(self, request: Request) -> JSONResponse:
        """For a browser whose stream fails: it asks every five seconds."""
        return JSONResponse({"token": await self.token()}, headers={"Cache-Control": "no-store"})

    async def stream(self, request: Request) -> StreamingResponse:
        """The token at once and whenever it changes, as server-sent events."""
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        return StreamingResponse(self._events(), media_type="text/event-stream", headers=headers)

    async def _events(self) -> AsyncIterator[str]:
        yield "retry: 5000\n\n"
        told, said = None, time.monotonic()
        while not self._closing.is_set():
            token = await self.token()
            if token != told:
                told, said = token, time.monotonic()
                yield f"event: pulse\ndata: {' '.join(token.split())}\n\n"
            elif time.monotonic() >= said + _ALIVE:
                said = time.monotonic()
                yield ": alive\n\n"
            await asyncio.sleep(_LOOK)
