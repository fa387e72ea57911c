"""A real S3 server on this machine, and a workshop whose landing and lake lie in one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from dq_pipelines_tests.remote.afar import AWS_NAMES, Afar, Bucket, environment, serving


@pytest.fixture(scope="session")
def s3_server() -> Iterator[str]:
    with serving() as address:
        yield address


@pytest.fixture
def s3(s3_server: str, monkeypatch: pytest.MonkeyPatch) -> Bucket:
    """An empty bucket of this test alone; the environment is what a person would set."""
    for name in AWS_NAMES:
        monkeypatch.delenv(name, raising=False)
    for name, value in environment(s3_server).items():
        monkeypatch.setenv(name, value)
    return Bucket.made(f"test-{uuid4().hex[:12]}", s3_server)


@pytest.fixture
def afar(s3: Bucket, tmp_path: Path) -> Iterator[Afar]:
    """A workshop whose landing and lake lie in the bucket."""
    workshop = Afar(tmp_path / "afar", bucket=s3)
    with workshop.instance:
        yield workshop
