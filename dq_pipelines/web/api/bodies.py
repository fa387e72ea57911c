"""How much a request may bring: more than that is refused before it is read."""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dq_pipelines.web.api.errors import problem

#: Bytes; the longest that is sent on purpose is a table's YAML.
MOST = 1 << 20


class BodyLimit:
    """Answers 413 to a body that is longer, whether it says so at its beginning or not."""

    def __init__(self, app: ASGIApp, most: int = MOST) -> None:
        self.app = app
        self.most = most

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        told = Headers(scope=scope).get("content-length", "")
        refusal = problem(413, f"wanted a body of at most {self.most:,} bytes, got more")
        if told.isdecimal() and int(told[:20]) > self.most:
            await refusal(scope, receive, send)
            return
        body, more = b"", scope["method"] not in ("GET", "HEAD")
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body += message.get("body", b"")
            more = message.get("more_body", False)
            if len(body) > self.most:
                await refusal(scope, receive, send)
                return
        await self.app(scope, _Read(body, receive) if scope["method"] not in ("GET", "HEAD") else receive, send)


class _Read:
    """Gives on what was read, and then whatever else comes."""

    def __init__(self, body: bytes, receive: Receive) -> None:
        self._body: bytes | None = body
        self._receive = receive

    async def __call__(self) -> Message:
        if self._body is None:
            return await self._receive()
        body, self._body = self._body, None
        return {"type": "http.request", "body": body, "more_body": False}
