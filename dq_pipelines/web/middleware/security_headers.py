"""Adds security headers to every answer, and limits the size and the time of request bodies.

It is pure ASGI, since Starlette's BaseHTTPMiddleware buffers streams and does not see WebSockets.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass

import anyio
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dq_pipelines.web.problem_details import problem

#: Policies of answers without one of their own: JSON loads nothing; no other site may embed scripts, styles or images.
_OF_JSON = "default-src 'none'; frame-ancestors 'none'"
_OF_THE_REST = "object-src 'none'; base-uri 'none'; frame-ancestors 'self'"
_A_YEAR = "max-age=31536000"


class SecurityHeaders:
    """Sets the content security policy, and headers against MIME sniffing, framing and leaking referrers.

    Without a `policy`, an answer keeps its own, or gets the default one of its type.
    """

    def __init__(self, app: ASGIApp, policy: str | None = None) -> None:
        self.app = app
        self.policy = policy
        self.headers = {
            "X-Content-Type-Options": "nosniff",
            "X-Frame-Options": "SAMEORIGIN",
            "Referrer-Policy": "same-origin",
            "Cross-Origin-Opener-Policy": "same-origin",
            "Cross-Origin-Resource-Policy": "same-origin",
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self.headers.items():
                    headers[name] = value
                if self.policy is not None:
                    headers["Content-Security-Policy"] = self.policy
                kind = headers.get("content-type", "").partition(";")[0]
                headers.setdefault("Content-Security-Policy", _OF_JSON if kind.endswith("json") else _OF_THE_REST)
                if scope.get("scheme") == "https":
                    headers.setdefault("Strict-Transport-Security", _A_YEAR)
            await send(message)

        await self.app(scope, receive, sending if scope["type"] == "http" else send)


@dataclass(frozen=True)
class BodyLimit:
    """How much a body may be, and how long it may take."""

    #: bytes
    most: int = 2 << 20
    #: in which the whole body must arrive
    seconds: float = 30


class Bounds:
    """Limits the bytes of a request body, and the seconds in which it must arrive."""

    def __init__(
        self, app: ASGIApp, most: int = 2 << 20, seconds: float = 30, files: Mapping[str, BodyLimit] | None = None
    ) -> None:
        self.app = app
        self.usual = BodyLimit(most, seconds)
        #: limits of addresses that take files, by a pattern of the whole path
        self.files = [(re.compile(pattern), limit) for pattern, limit in (files or {}).items()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        length, limit = Headers(scope=scope).get("content-length", ""), self.limit_at(scope["path"])
        body = _Body(limit.most, limit.seconds, scope, receive, send)
        if length.isdigit() and int(length) > limit.most:
            if limit is self.usual:
                await body.refuse(413)
                return
            body.is_too_large = True  # refused when it is read: the caller is known then, and the audit log names them
        try:
            await self.app(scope, body.receive, body.send)
        except ClientDisconnect:
            if not body.refused:
                raise

    def limit_at(self, path: str) -> BodyLimit:
        """The limit of a body at this address."""
        return next((limit for pattern, limit in self.files if pattern.fullmatch(path)), self.usual)


class _Body:
    """One request's body while it arrives, and its answer."""

    def __init__(self, most: int, seconds: float, scope: Scope, receive: Receive, send: Send) -> None:
        self._most, self._seconds = most, seconds
        self._scope, self._receive, self._send = scope, receive, send
        self._until = time.monotonic() + seconds
        self._bytes = 0
        self._whole = self._answered = False
        self.refused = self.is_too_large = False

    async def receive(self) -> Message:
        if self._whole:  # the next message is the client's disconnect
            return await self._receive()
        if self.is_too_large:
            return await self._end(413)
        with anyio.move_on_after(self._until - time.monotonic()) as waiting:
            message = await self._receive()
        if waiting.cancelled_caught:
            return await self._end(408)
        self._bytes += len(message.get("body", b""))
        self._whole = not message.get("more_body", False)
        return await self._end(413) if self._bytes > self._most else message

    async def send(self, message: Message) -> None:
        if not self.refused:
            self._answered = True
            await self._send(message)

    async def refuse(self, status: int) -> None:
        """Send an error answer in place of the app's."""
        self.refused = True
        why = (
            f"wanted a body of at most {self._most:,} bytes, got more"
            if status == 413
            else f"wanted the body within {self._seconds:g} seconds"
        )
        self._scope["refused"] = why
        answer = problem(status, why, {"Connection": "close"})
        await answer(self._scope, self._receive, self._send)

    async def _end(self, status: int) -> Message:
        if not self._answered:
            await self.refuse(status)
        self._whole = True
        return {"type": "http.disconnect"}
