"""Live: a browser is told that there is something new, by server-sent events or when it asks. It then loads its page anew.

Of tables that its reader may not look at, it is told nothing.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

from anyio import to_thread
from starlette.requests import Request
from starlette.responses import JSONResponse, StreamingResponse

from dq_pipelines.history.queries.change_token import change_token
from dq_pipelines.security.roles import Grant
from dq_pipelines.web.auth.access import Caller, caller_of
from dq_pipelines.web.auth.authorization import Rights
from dq_pipelines.web.dashboard.site import Site

#: Seconds between two looks at the history, however many browsers watch, and between two signs of life of a stream.
_LOOK, _ALIVE = 1.0, 15.0
#: Seconds after which a stream ends: a browser begins another, unless its reader is let in no more.
_LONGEST = 600.0
#: Seconds for which it is remembered what somebody was told who watches no more.
_REMEMBERED = 60.0


class ChangeWatcher:
    """One look at the history for all who watch and are granted the same."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._lock = asyncio.Lock()
        #: by what is granted (None where nobody is asked): the token, and when it was looked for
        self._told: dict[frozenset[Grant] | None, tuple[str, float]] = {}

    async def token(self, caller: Caller | None) -> str:
        """What differs from before when there is something new for this caller; no older than a second."""
        granted = None if caller is None else caller.user.grants
        async with self._lock:
            token, looked = self._told.get(granted, ("", float("-inf")))
            if time.monotonic() >= looked + _LOOK:
                token = await to_thread.run_sync(self._look, caller)
                now = time.monotonic()
                recent = {who: told for who, told in self._told.items() if told[1] > now - _REMEMBERED}
                self._told = recent | {granted: (token, now)}
            return token

    def _look(self, caller: Caller | None) -> str:
        seen = None if caller is None else Rights(caller, self._site.known().project).seen
        return change_token(self._site.stores.history, seen)

    async def asked(self, request: Request) -> JSONResponse:
        """For a browser whose stream fails: it asks every five seconds."""
        return JSONResponse(
            {"token": await self.token(caller_of(request.scope))}, headers={"Cache-Control": "no-store"}
        )

    async def stream(self, request: Request) -> StreamingResponse:
        """The token at once and whenever it changes, as server-sent events."""
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        return StreamingResponse(
            self._events(caller_of(request.scope)), media_type="text/event-stream", headers=headers
        )

    async def _events(self, caller: Caller | None) -> AsyncIterator[str]:
        yield "retry: 5000\n\n"
        told, said = None, time.monotonic()
        until = said + _LONGEST
        while not self._site.closing.is_set() and time.monotonic() < until:
            token = await self.token(caller)
            if token != told:
                told, said = token, time.monotonic()
                yield f"event: pulse\ndata: {' '.join(token.split())}\n\n"
            elif time.monotonic() >= said + _ALIVE:
                said = time.monotonic()
                yield ": alive\n\n"
            await asyncio.sleep(_LOOK)
