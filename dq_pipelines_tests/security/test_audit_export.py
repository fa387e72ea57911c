"""The audit log as others are told of it: real listeners for syslog and HTTP, and what becomes of lines that they do not take."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from dq_pipelines.errors import ConfigError
from dq_pipelines.security.audit import AuditLog, Event
from dq_pipelines.security.audit_export import Export, ExportTarget, exporting
from dq_pipelines.security.audit_verify import verify
from dq_pipelines.security.state import State


@pytest.fixture
def log(tmp_path: Path) -> AuditLog:
    log = AuditLog(State.at(tmp_path / "state"))
    for number in range(1, 4):
        log.add(Event("ann", "launch", f"run-{number}", "127.0.0.1", more={"share": "100 % ä"}))
    return log


def export(log: AuditLog, *urls: str) -> Export:
    return Export(log, map(ExportTarget.named, urls))


@contextmanager
def web(statuses: list[int]) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """A server that answers with these, the last one again and again; gives its address and what it took."""
    taken: list[dict[str, Any]] = []

    class Taking(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            status = statuses.pop(0) if len(statuses) > 1 else statuses[0]
            if status < 300:
                taken.append(body | {"authorization": self.headers.get("authorization", "")})
            self.send_response(status)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Taking) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://user:hidden-word@127.0.0.1:{server.server_port}/audit", taken
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def stream() -> Iterator[tuple[str, Callable[[], list[str]]]]:
    """A listener of syslog over TCP: its address, and the lines that it was sent once everybody has closed."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(10)

        def lines() -> list[str]:
            connection, _ = listening.accept()
            with connection, connection.makefile(encoding="utf-8") as file:
                return file.read().splitlines()

        yield f"syslog+tcp://127.0.0.1:{listening.getsockname()[1]}", lines


def test_what_is_exported_has_number_and_hash_in_order(log: AuditLog) -> None:
    with web([200]) as (url, taken):
        assert export(log, url).push() == []
        assert export(log, url).push() == []
        log.add(Event("bob", "login"))
        assert export(log, url).push() == []
    assert [(one["number"], one["who"], one["hash"]) for one in taken] == [
        (number, event.who, mark) for number, mark, event in log.marked()
    ]
    assert taken[0]["more"] == {"share": "100 % ä"}
    assert taken[0]["authorization"].startswith("Basic ")


def test_syslog_is_told_by_datagrams(log: AuditLog) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listening:
        listening.bind(("127.0.0.1", 0))
        listening.settimeout(10)
        assert export(log, f"syslog://127.0.0.1:{listening.getsockname()[1]}").push() == []
        told = [listening.recv(65_536).decode() for _ in range(3)]
    assert all(one.startswith("<86>dq_pipelines[") for one in told)  # authpriv, info
    assert [json.loads(one.partition(": ")[2])["number"] for one in told] == [1, 2, 3]


def test_syslog_is_told_by_a_stream(log: AuditLog) -> None:
    with stream() as (url, lines):
        found: list[str] = []
        thread = threading.Thread(target=lambda: found.extend(lines()))
        thread.start()
        assert export(log, url).push() == []
        thread.join(20)
    assert [json.loads(one.partition(": ")[2])["number"] for one in found] == [1, 2, 3]


@pytest.mark.parametrize("kind", ["http", "tcp", "unix"])
def test_what_nobody_takes_is_kept_told_and_sent_later(log: AuditLog, kind: str, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    url = {
        "http": f"http://user:hidden-word@127.0.0.1:{port}/audit",
        "tcp": f"syslog+tcp://127.0.0.1:{port}",
        "unix": f"syslog://{tmp_path}/log",
    }[kind]
    (said,) = export(log, url).push()
    assert said.startswith(f"audit log: line 1 could not be sent to {ExportTarget.named(url)!s}, and is kept: ")
    assert "hidden-word" not in said
    assert verify(log) == []
    with web([200]) as (other, lines):
        assert export(log, url, other).push() == [said]
        assert [one["number"] for one in lines] == [1, 2, 3], "one place that fails holds up no other"


def test_an_answer_that_is_no_success_is_asked_again_from_that_line_on(log: AuditLog) -> None:
    with web([200, 503, 200]) as (url, taken):
        (said,) = export(log, url).push()
        assert said == "audit log: line 2 could not be sent to http://127.0.0.1, and is kept: answered with 503"
        assert export(log, url).push() == []
    assert [one["number"] for one in taken] == [1, 2, 3]


def test_a_server_tells_of_each_line_as_it_comes_and_of_a_failure_once(
    log: AuditLog, capsys: pytest.CaptureFixture[str]
) -> None:
    with web([503, 503, 200]) as (url, taken), exporting(export(log, url)):
        log.add(Event("ann", "login"))
        until = threading.Event()
        for _ in range(200):
            if len(taken) == 4:
                break
            until.wait(0.1)
        log.add(Event("ann", "logout"))
    with web([200]) as (_, _):
        pass
    assert [one["number"] for one in taken][:4] == [1, 2, 3, 4]
    said = capsys.readouterr().err
    assert said.count("could not be sent") == 1
    assert said.count("it is exported again") == 1


def test_what_is_exported_is_told_once_where_two_tell_at_once(log: AuditLog) -> None:
    with web([200]) as (url, taken):
        both = [threading.Thread(target=export(log, url).push) for _ in range(4)]
        for one in both:
            one.start()
        for one in both:
            one.join()
    assert [one["number"] for one in taken] == [1, 2, 3]


@pytest.mark.parametrize(
    ("url", "got"),
    [
        ("http://logs.example/x", "http://logs.example"),
        ("ftp://a:word@b", "ftp://b"),
        ("syslog+tcp:///dev/log", "syslog+tcp://"),
        ("nonsense", "://"),
    ],
)
def test_what_is_no_place_is_one_sentence(url: str, got: str) -> None:
    with pytest.raises(ConfigError) as error:
        ExportTarget.named(url)
    wanted = "DQ_AUDIT_EXPORT: wanted syslog://host, syslog+tcp://host or https://host, got"
    assert str(error.value) == f"{wanted} {got}"
