"""A source reaches no machine that its address names: what it says of a store is a bucket, and where that is the environment says."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest

from dq_pipelines.errors import ConfigError, SourceError
from dq_pipelines.sources import read


@pytest.fixture
def listening() -> Iterator[tuple[int, list[bytes]]]:
    """A real server on this machine, and what it was sent."""
    heard: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    connection.settimeout(5)
                    heard.append(connection.recv(1000))
                    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\na\n1\n")

        threading.Thread(target=answer, daemon=True).start()
        yield server.getsockname()[1], heard
        server.shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize("kind", ["csv", "parquet", "delta"])
@pytest.mark.parametrize(
    "address",
    [
        "http://127.0.0.1:{port}/x", "https://localhost:{port}/x", "http://2130706433:{port}/x", "http://0x7f.1:{port}/x",
        "http://[::ffff:127.0.0.1]:{port}/x", "ftp://127.0.0.1:{port}/x", "hf://127.0.0.1:{port}/x", "abfss://c@127.0.0.1:{port}/x",
        "ssh://127.0.0.1:{port}/x", "file://127.0.0.1:{port}/x",
    ],
)  # fmt: skip
def test_an_address_of_a_machine_is_refused_and_nobody_is_asked(
    listening: tuple[int, list[bytes]], kind: str, address: str
) -> None:
    port, heard = listening
    with pytest.raises((SourceError, ConfigError)):
        read({"type": kind, "path": address.format(port=port)}).rows.collect()
    assert heard == []


def test_the_server_would_have_heard(listening: tuple[int, list[bytes]]) -> None:
    port, heard = listening
    with socket.create_connection(("127.0.0.1", port)) as client:
        client.sendall(b"hello")
        client.recv(100)
    assert heard == [b"hello"]
