"""A scratch folder for copies of remote objects, unpacked archives and parsed rows. It lives as long as the process.

A reading is lazy and may be collected long after `Source.read` has returned.
"""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from dq_pipelines.errors import Transient


@cache
def scratch() -> Path:
    """The folder of this process."""
    folder = Path(tempfile.mkdtemp(prefix="dq-inputs-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


@contextmanager
def _room() -> Iterator[None]:
    """Raise Transient where the scratch folder takes nothing: that is no input's fault."""
    try:
        yield
    except OSError as error:
        raise Transient(f"{tempfile.gettempdir()}: wanted room to unpack inputs, got {error.strerror}") from error


def scratch_folder() -> Path:
    """A new folder, removed with the process at the latest; raises Transient."""
    with _room():
        return Path(tempfile.mkdtemp(dir=scratch()))


def scratch_file(suffix: str) -> Path:
    """A new file, removed with the process at the latest; raises Transient."""
    with _room():
        handle, name = tempfile.mkstemp(dir=scratch(), suffix=suffix)
        os.close(handle)
        return Path(name)
