"""`dq serve` as a process: it listens on this machine only, and notifies browsers of new verdicts."""

from __future__ import annotations

import http.client
import json
import signal
import socket
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from dq_pipelines_tests.web.conftest import bad_day, build
from dq_pipelines_tests.web.served import dq, environment, served
from dq_pipelines_tests.workshop import Workshop

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    return build(tmp_path_factory.mktemp("served"))


@pytest.fixture(scope="module")
def address(shop: Workshop) -> Iterator[str]:
    with served(shop) as found:
        yield found


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.1.2.3", "example.org", "localhost.example.org"])  # noqa: S104
def test_it_refuses_to_listen_where_others_reach_it(host: str, tmp_path: Path) -> None:
    ran = subprocess.run(
        dq("serve", "--host", host, "--port", "0"), env=environment(Workshop(tmp_path)), capture_output=True, text=True,
        timeout=60, check=False,
    )  # fmt: skip
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr == (
        "dq serve --host: wanted 127.0.0.1, ::1 or localhost, since there are no users yet and everybody who reaches "
        f"{host} could read refused rows, got {host}; `dq user add NAME --role admin` adds the first one\n"
    )


def test_a_port_that_is_taken_is_one_sentence(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ran = subprocess.run(
            dq("serve", "--port", str(port)), env=environment(Workshop(tmp_path)), capture_output=True, text=True,
            timeout=60, check=False,
        )  # fmt: skip
    assert ran.returncode == 2
    assert ran.stderr == f"dq serve: wanted to listen on 127.0.0.1:{port}, got: Address already in use\n"


def get(address: str) -> http.client.HTTPResponse:
    """The answer to a plain request."""
    answer = urllib.request.urlopen(address, timeout=60)  # noqa: S310 - our own server
    assert isinstance(answer, http.client.HTTPResponse)
    return answer


def test_it_is_served_and_checks_the_host_name(address: str) -> None:
    with get(f"{address}/") as answer:
        assert answer.geturl() == f"{address}/dashboard/"
        assert "Every table that has run is healthy" in answer.read().decode()
    connection = http.client.HTTPConnection(address.removeprefix("http://"), timeout=30)
    connection.request("GET", "/dashboard/", headers={"Host": "evil.example"})
    assert connection.getresponse().status == 421
    connection.close()


@pytest.mark.parametrize(
    "head",
    [
        "Content-Length: 5\r\nTransfer-Encoding: chunked",
        "Content-Length: 5\r\nContent-Length: 6",
        "Content-Length: 5, 5",
        "Content-Length: +5",
        "Content-Length : 5",
        " Content-Length: 5",
        "X: x\nContent-Length: 5",
        "Transfer-Encoding: xchunked",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
        "Transfer-Encoding\x0b: chunked",
    ],
)
def test_a_request_with_an_ambiguous_length_is_refused(address: str, head: str) -> None:
    host, _, port = address.removeprefix("http://").partition(":")
    asked = (
        f"POST /login HTTP/1.1\r\nHost: {host}\r\n{head}\r\n\r\n0\r\n\r\nGET /health HTTP/1.1\r\nHost: {host}\r\n\r\n"
    )
    with socket.create_connection((host, int(port)), timeout=60) as connection:
        connection.sendall(asked.encode())
        told = b"".join(iter(lambda: connection.recv(65_536), b""))  # until it is closed
    assert told.startswith(b"HTTP/1.1 400 ")
    assert told.count(b"HTTP/1.1 ") == 1


def test_it_prints_a_link_that_works_once(tmp_path: Path) -> None:
    with subprocess.Popen(
        dq("serve", "--port", "0", "--no-dagster"),
        env=environment(Workshop(tmp_path)),
        stdout=subprocess.PIPE,
        text=True,
    ) as serving:
        assert serving.stdout is not None
        address = serving.stdout.readline().split("http://")[1].split("/")[0]
        told = serving.stdout.readline()
        assert told.startswith(
            f"there are no users yet; to make changes, open this link, which works once: http://{address}/login/once?"
        )
        seen = []
        for _ in range(2):
            connection = http.client.HTTPConnection(address, timeout=30)
            connection.request("GET", "/" + told.strip().split("/", 3)[3])
            answer = connection.getresponse()
            seen.append((answer.status, (answer.getheader("set-cookie") or "").partition("=")[0]))
            connection.close()
        serving.terminate()
        serving.wait(30)
    assert seen == [(303, "dq_session"), (403, "")]


def test_a_stream_notifies_of_a_new_verdict(address: str, shop: Workshop) -> None:
    with get(f"{address}/dashboard/events") as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        assert stream.headers["cache-control"] == "no-store"
        first = _next(stream)
        with get(f"{address}/dashboard/pulse") as asked:
            assert json.loads(asked.read())["token"] == first != ""
        bad_day(Workshop(shop.root))
        second = _next(stream)
    assert first != second != ""


def _next(stream: http.client.HTTPResponse) -> str:
    """The next token that the stream tells."""
    while line := stream.readline().decode():
        if line.startswith("data: "):
            return line.removeprefix("data: ").strip()
    raise AssertionError("the stream ended")


def test_ctrl_c_ends_it_with_one_line_despite_an_open_stream(shop: Workshop) -> None:
    command = dq("serve", "--port", "0", "--no-dagster")
    with subprocess.Popen(
        command, env=environment(shop), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as serving:
        assert serving.stdout is not None
        told = serving.stdout.readline()
        with get(f"http://{told.split('http://')[1].split('/')[0]}/dashboard/events") as stream:
            assert _next(stream)
            serving.send_signal(signal.SIGINT)
            _, said = serving.communicate(timeout=30)
    assert (serving.returncode, said) == (0, "dq serve: stopping; press Ctrl-C again to stop at once\n")
