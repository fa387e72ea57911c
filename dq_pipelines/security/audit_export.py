"""Exports the audit log as it grows, to syslog or by HTTP, so that the owner of this machine cannot remove lines unnoticed.

`DQ_AUDIT_EXPORT` has one target or several, separated by spaces: `syslog:///dev/log`, `syslog://host:514` (UDP), `syslog+tcp://host:601`,
`https://host/path` (a POST of JSON for each line). Delivery is in order and at least once; each line has its number and hash. A line
that cannot be sent stays in the log, and is sent later.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import logging
import os
import socket
import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from logging.handlers import SYSLOG_UDP_PORT, SysLogHandler
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from dq_pipelines.config import withheld
from dq_pipelines.config.private import private_file, write_private
from dq_pipelines.errors import ConfigError, Problem
from dq_pipelines.security.audit import AuditLog

#: The files of the state: the last line sent to each target, and the lock of the exporting process.
FILE, _LOCK = "audit.exported", "audit.exported.lock"

#: Seconds: the timeout for sending, the pause between polls, and the longest pause after failures.
_TIMEOUT, _POLL, _LONGEST_PAUSE = 5.0, 1.0, 60.0
_SYSLOG_TCP_PORT = 601
#: Lines sent between two writes of the position.
_LINES_PER_NOTE = 100

#: A line as it is sent: its number, and its text.
Line = tuple[int, str]


@dataclass(frozen=True)
class ExportTarget:
    """One target of the export."""

    url: SplitResult

    @classmethod
    def named(cls, text: str) -> ExportTarget:
        """The target of this URL; raises ConfigError for another scheme, and for HTTP without TLS to another machine."""
        url = urlsplit(text)
        local = url.hostname in ("127.0.0.1", "::1", "localhost")
        syslog = url.scheme in ("syslog", "syslog+tcp") and bool(url.hostname or (url.scheme == "syslog" and url.path))
        if not syslog and not (url.hostname and (url.scheme == "https" or (url.scheme == "http" and local))):
            got = f"{url.scheme}://{url.hostname or ''}"
            raise ConfigError(
                [Problem("", 0, f"DQ_AUDIT_EXPORT: wanted syslog://host, syslog+tcp://host or https://host, got {got}")]
            )
        return cls(url)

    def __str__(self) -> str:
        """The URL without parts that may be secret."""
        return f"{self.url.scheme}://{self.url.hostname or self.url.path}"

    @property
    def id(self) -> str:
        """Its key in the file of positions."""
        return hashlib.sha256(self.url.geturl().encode()).hexdigest()[:12]

    def send(self, lines: Iterable[Line]) -> Iterator[int]:
        """Send lines; yields the number of each accepted line. Raises OSError if one is not accepted."""
        return _by_http(self.url.geturl(), lines) if self.url.scheme.startswith("http") else _by_syslog(self.url, lines)


class Export:
    """The export of a log to its targets."""

    def __init__(self, log: AuditLog, targets: Iterable[ExportTarget]) -> None:
        self.log = log
        self.targets = tuple(targets)

    @classmethod
    def from_environment(cls, log: AuditLog) -> Export:
        """The export to the targets in `DQ_AUDIT_EXPORT`; none if it is not set. Raises ConfigError."""
        return cls(log, map(ExportTarget.named, withheld.environment().get("DQ_AUDIT_EXPORT", "").split()))

    def push(self) -> list[str]:
        """Send the new lines to each target; returns a message for each one that failed."""
        if not self.targets:
            return []
        with self._lock() as locked:
            return [failure for target in self.targets if (failure := self._send(target))] if locked else []

    def _send(self, target: ExportTarget) -> str:
        sent = before = self._positions().get(target.id, 0)
        try:
            for sent in target.send(self._lines(before)):
                if sent - before >= _LINES_PER_NOTE:
                    self._note(target, before := sent)
        except OSError as error:
            why = error.strerror or str(error) or type(error).__name__
            return f"audit log: line {sent + 1} could not be sent to {target}, and is kept: {why}"
        finally:
            if sent > before:
                self._note(target, sent)
        return ""

    def _lines(self, after: int) -> Iterator[Line]:
        for number, mark, event in self.log.marked(after):
            fields = asdict(event) | {"at": event.at.isoformat(), "number": number, "hash": mark}
            yield number, json.dumps(fields, ensure_ascii=False, default=str)

    def _positions(self) -> dict[str, int]:
        path = self._file(FILE)
        try:
            positions = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        except ValueError:
            return {}  # all lines are sent again, which loses nothing
        return {str(name): int(number) for name, number in positions.items()}

    def _note(self, target: ExportTarget, number: int) -> None:
        write_private(self._file(FILE), json.dumps(self._positions() | {target.id: number}))

    def _file(self, name: str) -> Path:
        return self.log.state.folder / name

    @contextmanager
    def _lock(self) -> Iterator[bool]:
        """Take the lock; False if another process has it, which then sends these lines too."""
        private_file(self._file(_LOCK))
        with self._file(_LOCK).open() as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
            else:
                yield True


@contextmanager
def exporting(export: Export) -> Iterator[None]:
    """Export new lines in a thread during the block. A failure is reported once, and sending is retried."""
    if not export.targets:
        yield
        return
    stop = threading.Event()
    thread = threading.Thread(target=_run, args=(export, stop), name="audit export", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(_TIMEOUT)


def _run(export: Export, stop: threading.Event) -> None:
    pause, failing = _POLL, False
    while True:
        last = stop.is_set()
        try:
            failures = export.push()
        except Exception as error:  # noqa: BLE001 - no failure of the export may stop the server
            failures = [f"audit log: it could not be exported, and is kept: {type(error).__name__}"]
        if failures and not failing:
            sys.stderr.write("\n".join(failures) + "\n")
        if failing and not failures:
            sys.stderr.write("audit log: it is exported again\n")
        failing = bool(failures)
        pause = min(pause * 2, _LONGEST_PAUSE) if failing else _POLL
        if last:
            return
        stop.wait(pause)


# --- how lines are sent --------------------------------------------------------------------------------


def _by_http(url: str, lines: Iterable[Line]) -> Iterator[int]:
    import httpx

    headers = {"content-type": "application/json"}
    with httpx.Client(timeout=_TIMEOUT, headers=headers) as client:
        for number, text in lines:
            try:
                answer = client.post(url, content=text.encode())
            except httpx.HTTPError as error:
                raise OSError(type(error).__name__) from None  # its text may have the URL, with a password
            if not answer.is_success:
                raise OSError(f"answered with {answer.status_code}")
            yield number


class _Syslog(SysLogHandler):
    """The standard library's handler, with a timeout, and with exceptions for failures."""

    append_nul = False

    def createSocket(self) -> None:  # noqa: N802 - as the class above calls it
        if self.socktype == socket.SOCK_STREAM and isinstance(self.address, tuple):
            self.unixsocket = False
            self.socket = socket.create_connection(self.address, _TIMEOUT)
        else:
            super().createSocket()

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - as the class above calls it
        error = sys.exc_info()[1]
        raise error if isinstance(error, OSError) else OSError(type(error).__name__)


def _by_syslog(url: SplitResult, lines: Iterable[Line]) -> Iterator[int]:
    stream = url.scheme == "syslog+tcp"
    handler: _Syslog | None = None
    sent: list[int] = []
    try:
        for number, text in lines:
            if handler is None:
                port = url.port or (_SYSLOG_TCP_PORT if stream else SYSLOG_UDP_PORT)
                address = (url.hostname, port) if url.hostname else url.path
                kind = socket.SOCK_STREAM if stream else socket.SOCK_DGRAM
                handler = _Syslog(address, SysLogHandler.LOG_AUTHPRIV, kind if url.hostname else None)
            message = f"dq_pipelines[{os.getpid()}]: {text}" + "\n" * stream
            handler.emit(logging.makeLogRecord({"msg": message, "levelname": "INFO"}))
            sent.append(number)
            if not stream:
                yield number
        if stream and handler is not None:
            _finish(handler.socket)
            yield from sent
    finally:
        if handler is not None:
            handler.close()


def _finish(connection: socket.socket) -> None:
    """Wait until the other side has read everything: it closes too, or stays silent. Raises OSError on a reset."""
    connection.shutdown(socket.SHUT_WR)
    connection.settimeout(_TIMEOUT)
    with contextlib.suppress(TimeoutError):
        connection.recv(1)
