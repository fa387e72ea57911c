"""Real object stores on this machine, and a workshop whose landing and lake lie in one."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import pytest

from dq_pipelines_tests.remote.afar import AWS_NAMES, Afar, Bucket


@contextmanager
def serving(**environment: str) -> Iterator[str]:
    """The address of an S3 server of its own, in a process of its own: the libraries wait without Python's lock."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-W", "ignore", "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    quiet = subprocess.DEVNULL
    with subprocess.Popen(command, stdout=quiet, stderr=quiet, env=os.environ | environment) as server:
        try:
            _wait_for(port, server)
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()


def _wait_for(port: int, server: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + 30
    while server.poll() is None and time.monotonic() < until:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise AssertionError(f"the S3 server did not start: {server.poll()}")


@pytest.fixture(scope="session")
def s3_server() -> Iterator[str]:
    with serving() as address:
        yield address


@pytest.fixture
def s3(s3_server: str, monkeypatch: pytest.MonkeyPatch) -> Bucket:
    """An empty bucket of this test alone; the environment is what a person would set."""
    for name in AWS_NAMES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3_server)
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "somebody")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hush-hush")
    return Bucket.made(f"test-{uuid4().hex[:12]}", s3_server)


@pytest.fixture
def afar(s3: Bucket, tmp_path: Path) -> Iterator[Afar]:
    """A workshop whose landing and lake lie in the bucket."""
    workshop = Afar(tmp_path / "afar", bucket=s3)
    with workshop.instance:
        yield workshop
