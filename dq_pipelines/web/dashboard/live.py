"""Notifies browsers of new history, by server-sent events or polling, so that they reload their page.

A browser is only notified of tables that its user may view.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

from anyio import to_thread
from starlette.requests import Request
from starlette.responses import JSONResponse, StreamingResponse

from dq_pipelines.security.roles import Grant
from dq_pipelines.web.auth.access import Caller, caller_of
from dq_pipelines.web.auth.authorization import Rights
from dq_pipelines.web.dashboard.site import Site

#: Seconds between two queries of the history, for all browsers together, and between two keep-alive messages.
_LOOK, _ALIVE = 1.0, 15.0
#: Seconds after which a stream ends, so that permissions are checked again: the browser reconnects.
_LONGEST = 600.0
#: Seconds for which a token is cached without a watcher.
_REMEMBERED = 60.0


class ChangeWatcher:
    """Queries the history's change token once for all watchers with the same grants."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._lock = asyncio.Lock()
        #: grants (None without users) -> the token, and when it was queried
        self._tokens: dict[frozenset[Grant] | None, tuple[str, float]] = {}

    async def token(self, caller: Caller | None) -> str:
        """The change token for this caller, at most a second old."""
        granted = None if caller is None else caller.user.grants
        async with self._lock:
            token, looked = self._tokens.get(granted, ("", float("-inf")))
            if time.monotonic() >= looked + _LOOK:
                token = await to_thread.run_sync(self._look, caller)
                now = time.monotonic()
                recent = {grants: entry for grants, entry in self._tokens.items() if entry[1] > now - _REMEMBERED}
                self._tokens = recent | {granted: (token, now)}
            return token

    def _look(self, caller: Caller | None) -> str:
        seen = None if caller is None else Rights(caller, self._site.known().project).seen
        return self._site.token(seen)

    async def poll(self, request: Request) -> JSONResponse:
        """The token, for a browser whose stream fails: it polls every five seconds."""
        return JSONResponse(
            {"token": await self.token(caller_of(request.scope))}, headers={"Cache-Control": "no-store"}
        )

    async def stream(self, request: Request) -> StreamingResponse:
        """The token now and at each change, as server-sent events."""
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        return StreamingResponse(
            self._events(caller_of(request.scope)), media_type="text/event-stream", headers=headers
        )

    async def _events(self, caller: Caller | None) -> AsyncIterator[str]:
        yield "retry: 5000\n\n"
        sent, sent_at = None, time.monotonic()
        until = sent_at + _LONGEST
        while not self._site.closing.is_set() and time.monotonic() < until:
            token = await self.token(caller)
            if token != sent:
                sent, sent_at = token, time.monotonic()
                yield f"event: pulse\ndata: {' '.join(token.split())}\n\n"
            elif time.monotonic() >= sent_at + _ALIVE:
                sent_at = time.monotonic()
                yield ": alive\n\n"
            await asyncio.sleep(_LOOK)
