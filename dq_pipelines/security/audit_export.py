"""The audit log, told to others as it grows: to syslog or by HTTP, so that whoever owns this machine cannot unsay it.

`DQ_AUDIT_EXPORT` names one place or several, with spaces between: `syslog:///dev/log`, `syslog://host:514` (UDP), `syslog+tcp://host:601`,
`https://host/path` (a POST of JSON for each line). Lines come in order and at least once, each with its number and hash. What
cannot be told stays in the log, and is told later.
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

#: The files of the state: how far each place was told, and who tells just now.
FILE, _LOCK = "audit.exported", "audit.exported.lock"

#: Seconds that a place has to take a line, between two looks for new lines, and the longest after failures.
_PATIENCE, _LOOK, _LONGEST = 5.0, 1.0, 60.0
_SYSLOG_TCP_PORT = 601
#: Lines between two notes of how far a place was told.
_AT_ONCE = 100

#: A line as it is sent: its number, and its text.
Line = tuple[int, str]


@dataclass(frozen=True)
class Place:
    """One of those who are told."""

    url: SplitResult

    @classmethod
    def named(cls, text: str) -> Place:
        """The place of this address; raises ConfigError for another kind, and for HTTP without TLS beyond this machine."""
        url = urlsplit(text)
        local = url.hostname in ("127.0.0.1", "::1", "localhost")
        syslog = url.scheme in ("syslog", "syslog+tcp") and bool(url.hostname or (url.scheme == "syslog" and url.path))
        if not syslog and not (url.hostname and (url.scheme == "https" or (url.scheme == "http" and local))):
            told = f"{url.scheme}://{url.hostname or ''}"
            raise ConfigError(
                [
                    Problem(
                        "", 0, f"DQ_AUDIT_EXPORT: wanted syslog://host, syslog+tcp://host or https://host, got {told}"
                    )
                ]
            )
        return cls(url)

    def __str__(self) -> str:
        """The address without what may be a secret."""
        return f"{self.url.scheme}://{self.url.hostname or self.url.path}"

    @property
    def id(self) -> str:
        """What it is called in the file of what was told."""
        return hashlib.sha256(self.url.geturl().encode()).hexdigest()[:12]

    def tell(self, lines: Iterable[Line]) -> Iterator[int]:
        """Send lines; gives the number of each that was taken. Raises OSError where one was not."""
        return _by_http(self.url.geturl(), lines) if self.url.scheme.startswith("http") else _by_syslog(self.url, lines)


class Export:
    """What is told to whom, and how far it was."""

    def __init__(self, log: AuditLog, places: Iterable[Place]) -> None:
        self.log = log
        self.places = tuple(places)

    @classmethod
    def from_environment(cls, log: AuditLog) -> Export:
        """By `DQ_AUDIT_EXPORT`; to nobody where that is not set. Raises ConfigError."""
        return cls(log, map(Place.named, withheld.environment().get("DQ_AUDIT_EXPORT", "").split()))

    def push(self) -> list[str]:
        """Tell each place what it was not told yet; gives a sentence for each that did not take it."""
        if not self.places:
            return []
        with self._alone() as mine:
            return [said for place in self.places if (said := self._told(place))] if mine else []

    def _told(self, place: Place) -> str:
        told = before = self._so_far().get(place.id, 0)
        try:
            for told in place.tell(self._lines(before)):
                if told - before >= _AT_ONCE:
                    self._note(place, before := told)
        except OSError as error:
            why = error.strerror or str(error) or type(error).__name__
            return f"audit log: line {told + 1} could not be told to {place}, and is kept: {why}"
        finally:
            if told > before:
                self._note(place, told)
        return ""

    def _lines(self, after: int) -> Iterator[Line]:
        for number, mark, event in self.log.marked(after):
            told = asdict(event) | {"at": event.at.isoformat(), "number": number, "hash": mark}
            yield number, json.dumps(told, ensure_ascii=False, default=str)

    def _so_far(self) -> dict[str, int]:
        path = self._file(FILE)
        try:
            found = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        except ValueError:
            return {}  # told anew from the beginning, which loses nothing
        return {str(name): int(number) for name, number in found.items()}

    def _note(self, place: Place, number: int) -> None:
        write_private(self._file(FILE), json.dumps(self._so_far() | {place.id: number}))

    def _file(self, name: str) -> Path:
        return self.log.state.folder / name

    @contextmanager
    def _alone(self) -> Iterator[bool]:
        """Whether nobody else tells just now: then they will tell of these lines, too."""
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
    """Tell what comes, in a thread, as long as the block lasts; a place that fails is told of once, and tried again."""
    if not export.places:
        yield
        return
    ending = threading.Event()
    thread = threading.Thread(target=_go_on, args=(export, ending), name="audit export", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ending.set()
        thread.join(_PATIENCE)


def _go_on(export: Export, ending: threading.Event) -> None:
    pause, failing = _LOOK, False
    while True:
        last = ending.is_set()
        try:
            failures = export.push()
        except Exception as error:  # noqa: BLE001 - the log goes on, whatever its export meets, and says so
            failures = [f"audit log: it could not be exported, and is kept: {type(error).__name__}"]
        if failures and not failing:
            sys.stderr.write("\n".join(failures) + "\n")
        if failing and not failures:
            sys.stderr.write("audit log: it is exported again\n")
        failing = bool(failures)
        pause = min(pause * 2, _LONGEST) if failing else _LOOK
        if last:
            return
        ending.wait(pause)


# --- how lines are sent --------------------------------------------------------------------------------


def _by_http(url: str, lines: Iterable[Line]) -> Iterator[int]:
    import httpx

    headers = {"content-type": "application/json"}
    with httpx.Client(timeout=_PATIENCE, headers=headers) as client:
        for number, text in lines:
            try:
                answer = client.post(url, content=text.encode())
            except httpx.HTTPError as error:
                raise OSError(type(error).__name__) from None  # its text may have the address, with a password
            if not answer.is_success:
                raise OSError(f"answered with {answer.status_code}")
            yield number


class _Syslog(SysLogHandler):
    """The standard library's, which says when it fails, and waits for nobody for ever."""

    append_nul = False

    def createSocket(self) -> None:  # noqa: N802 - as the class above calls it
        if self.socktype == socket.SOCK_STREAM and isinstance(self.address, tuple):
            self.unixsocket = False
            self.socket = socket.create_connection(self.address, _PATIENCE)
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
            said = f"dq_pipelines[{os.getpid()}]: {text}" + "\n" * stream
            handler.emit(logging.makeLogRecord({"msg": said, "levelname": "INFO"}))
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
    """Wait until the other side has read all: it closes, too, or says nothing against it; raises OSError where it was reset."""
    connection.shutdown(socket.SHUT_WR)
    connection.settimeout(_PATIENCE)
    with contextlib.suppress(TimeoutError):
        connection.recv(1)
