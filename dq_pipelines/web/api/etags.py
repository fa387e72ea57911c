"""ETag middleware: answers 304 if the client already has the current JSON answer."""

from __future__ import annotations

import hashlib

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

#: Bytes of an answer at most: longer answers are streamed, since buffering them costs memory per client.
_LONGEST = 1 << 20


class ETags:
    """Sets an ETag on each JSON answer to a GET, and answers 304 if If-None-Match names it. Keeps an ETag that is set already."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] not in ("GET", "HEAD"):
            await self.app(scope, receive, send)
            return
        await self.app(scope, receive, _Held(send, Headers(scope=scope).get("if-none-match", "")))


class _Held:
    """One answer, buffered until it is complete."""

    def __init__(self, send: Send, known: str) -> None:
        self._send = send
        self._known = [mark.strip().removeprefix("W/") for mark in known.split(",")]
        self._start: Message | None = None
        self._body = b""

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start" and message["status"] == 200:
            kind = Headers(raw=message["headers"]).get("content-type", "")
            length = int(Headers(raw=message["headers"]).get("content-length", _LONGEST + 1))
            marked = "etag" in Headers(raw=message["headers"])
            if kind.startswith("application/json") and length <= _LONGEST and not marked:
                self._start = message
                return
        if self._start is None or message["type"] != "http.response.body":
            await self._send(message)
            return
        self._body += message.get("body", b"")
        if not message.get("more_body"):
            await self._end(self._start)

    async def _end(self, start: Message) -> None:
        mark = f'"{hashlib.sha256(self._body).hexdigest()[:32]}"'
        headers = MutableHeaders(scope=start)
        headers["ETag"] = mark
        headers.setdefault("Cache-Control", "private, no-cache")
        if mark in self._known:
            del headers["content-length"]
            start["status"], self._body = 304, b""
        await self._send(start)
        await self._send({"type": "http.response.body", "body": self._body})
