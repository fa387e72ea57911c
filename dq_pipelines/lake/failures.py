"""What libraries raise at a place of the lake, said as PublishError. How a format says its own errors belongs in `formats`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pyarrow as pa

from dq_pipelines.config.store_client import store_errors
from dq_pipelines.config.stores import error_text, is_remote, is_transient
from dq_pipelines.errors import PublishError, Unreached


@contextmanager
def reached(key: str, uri: str) -> Iterator[None]:
    """Raise PublishError when the files beneath a place cannot be read, with the place."""
    try:
        yield
    except (OSError, pa.ArrowException, *store_errors()) as error:
        raise refused(uri, f"wanted to reach {key}", error) from None


@contextmanager
def publish_errors(key: str, uri: str) -> Iterator[None]:
    """Raise PublishError when a place cannot be written, with the place."""
    try:
        yield
    except (OSError, pa.ArrowException, *store_errors()) as error:
        raise refused(uri, f"wanted to write {key}", error) from None


def refused(uri: str, wanted: str, error: BaseException) -> PublishError:
    """What to say of a library's error at a place of the lake: Unreached where a store may answer at the next try."""
    kind = Unreached if is_remote(uri) and is_transient(error) else PublishError
    return kind(f"{uri}: {wanted}, got: {error_text(error)}")
