"""Turns errors of files and libraries in the lake into PublishError or Unreached, with the address."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from dq_pipelines.config.library_errors import library_errors
from dq_pipelines.config.stores import error_text, is_remote, is_transient
from dq_pipelines.errors import PublishError, Unreached


@contextmanager
def read_errors(key: str, uri: str) -> Iterator[None]:
    """Turn errors of a read into PublishError with the address."""
    with _library_errors(uri, f"wanted to reach {key}"):
        yield


@contextmanager
def publish_errors(key: str, uri: str) -> Iterator[None]:
    """Turn errors of a write into PublishError with the address."""
    with _library_errors(uri, f"wanted to write {key}"):
        yield


@contextmanager
def _library_errors(uri: str, wanted: str) -> Iterator[None]:
    try:
        yield
    except library_errors("pyarrow", "deltalake") as error:
        raise refused(uri, wanted, error) from None


def refused(uri: str, wanted: str, error: BaseException) -> PublishError:
    """The error to raise for a library's error at an address: Unreached where the store may answer a retry."""
    kind = Unreached if is_remote(uri) and is_transient(error) else PublishError
    return kind(f"{uri}: {wanted}, got: {error_text(error)}")
