"""Servers in the test's own process that listen for what is sent: web hooks and mail."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import Message as Mail
from email.policy import default
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session


@dataclass
class Hook:
    """A web hook, and what came."""

    port: int = 0
    #: the status that it answers with
    status: int = 200
    #: each body, as JSON
    got: list[dict[str, Any]] = field(default_factory=list)
    #: the headers of each
    headers: list[dict[str, str]] = field(default_factory=list)

    @property
    def titles(self) -> list[str]:
        return [str(body["title"]) for body in self.got]


@contextmanager
def hook() -> Iterator[Hook]:
    heard = Hook()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if heard.status == 200:
                heard.got.append(json.loads(body))
                heard.headers.append(dict(self.headers))
            self.send_response(heard.status)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        heard.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield heard
        server.shutdown()
        thread.join()


@dataclass
class Mailbox:
    """A mail server, and the mails that it took."""

    port: int = 0
    got: list[Mail] = field(default_factory=list)

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 - as aiosmtpd calls it
        assert isinstance(envelope.content, bytes)
        self.got.append(message_from_bytes(envelope.content, policy=default))
        return "250 OK"


@contextmanager
def mailbox() -> Iterator[Mailbox]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        box = Mailbox(free.getsockname()[1])
    controller = Controller(box, hostname="127.0.0.1", port=box.port)
    controller.start()
    try:
        yield box
    finally:
        controller.stop()
