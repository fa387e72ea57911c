"""Reads a workbook that somebody has uploaded, in a process of its own with limited memory and time.

A small file may need any amount of memory: packed texts, a cell in the last row of the last column. It runs as
`python -m dq_pipelines.pipeline.exchange.isolated_reading FILE`.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from pathlib import Path

from dq_pipelines.config.process_limits import limit_process
from dq_pipelines.errors import SourceError
from dq_pipelines.pipeline.exchange.workbook import Book
from dq_pipelines.pipeline.exchange.workbook_files import read_book

_MODULE = "dq_pipelines.pipeline.exchange.isolated_reading"
#: Bytes of address space, and seconds of CPU and of the clock.
_MEMORY, _CPU, _CLOCK = 4 << 30, 60, 120
#: Exit code for a file that no export wrote: the output is one sentence.
_REFUSED = 3


def read_isolated(path: Path) -> Book:
    """Read a returned workbook; raises SourceError for a file that no export wrote, or that needs too much."""
    command = [sys.executable, "-m", _MODULE, str(path)]
    # Each thread of Polars reserves memory, and none is needed.
    quiet = os.environ | {"POLARS_MAX_THREADS": "1"}
    try:
        done = subprocess.run(command, capture_output=True, timeout=_CLOCK, env=quiet, check=False)  # noqa: S603 - our own module
    except subprocess.TimeoutExpired:
        raise SourceError(f"{path}: wanted a workbook that is read within {_CLOCK} seconds, got a larger one") from None
    if done.returncode == _REFUSED:
        raise SourceError(done.stdout.decode())
    if done.returncode:
        memory = f"{_MEMORY >> 30} GiB of memory and {_CPU} seconds"
        raise SourceError(f"{path}: wanted a workbook that is read with {memory}, got one that needs more")
    book = pickle.loads(done.stdout)  # noqa: S301 - written by our own process
    if not isinstance(book, Book):
        raise TypeError(f"wanted a Book, got {type(book).__name__}")
    return book


def _main(path: str) -> int:
    limit_process(_MEMORY, _CPU)
    try:
        book = read_book(Path(path))
    except SourceError as error:
        sys.stdout.write(str(error))
        return _REFUSED
    sys.stdout.buffer.write(pickle.dumps(book))
    return 0


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1]))
