"""Locks a table for one run at a time, and removes the staged files of a killed run.

A claim is a lock of the operating system on a file of the lake. It ends with its process, and holds between all processes
that use one file system. The file's lines name the stages in progress: a new holder that finds lines knows that their writer
is dead. An object store has no such locks. There a commit checks the ledger (`publish`), so that two runs never publish one
batch, and a limit on the table's pool in Dagster keeps the runs apart.
"""

from __future__ import annotations

import fcntl
import json
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from dq_pipelines.config.stores import is_remote
from dq_pipelines.errors import PublishError
from dq_pipelines.lake.failures import publish_errors
from dq_pipelines.lake.staging import Stage
from dq_pipelines.lake.tables import Lake

#: A hidden folder next to the layers: one file for each table that was ever locked.
FOLDER = ".claims"

#: `<layer>/<table>`: a line of a torn file must not make the sweep delete anything else.
_KEY = re.compile(r"(bronze|silver|quarantine|gold)/[^/.][^/]*")

#: Seconds between two attempts to get a claim.
_PAUSE = 0.2


@dataclass(frozen=True)
class Claim:
    """The lock of a table, as its holder uses it."""

    #: None in an object store
    _file: IO[str] | None = None

    def note(self, stage: Stage) -> None:
        """Record that a stage was begun, so that it can be removed if this process is killed."""
        if self._file is not None:
            self._file.write(json.dumps([stage.table.key, stage.batch, stage.partition]) + "\n")
            self._file.flush()

    def sweep(self, lake: Lake) -> None:
        """Remove the uncommitted stages of a killed holder."""
        if self._file is None:
            return
        self._file.seek(0)
        for line in dict.fromkeys(self._file.read().splitlines()):
            if (stage := _noted(lake, line)) is not None:
                stage.discard_uncommitted()
        self.forget()

    def forget(self) -> None:
        """Remove all lines: nothing is staged any more."""
        if self._file is not None:
            self._file.seek(0)
            self._file.truncate()


def is_noted(line: bytes) -> bool:
    """Whether a line of a claim's file names a stage."""
    return _noted(Lake(""), line.decode(errors="replace")) is not None


def _noted(lake: Lake, line: str) -> Stage | None:
    """The stage that a line names; None for an unfinished line, or one torn by a power loss.

    Files staged under such a line are invisible, and stay until upkeep or `dq doctor --repair` removes them.
    """
    try:
        key, batch, partition = json.loads(line)
        is_stage = isinstance(key, str) and isinstance(batch, str) and isinstance(partition, str | None)
        if not is_stage or not _KEY.fullmatch(key) or not batch or "/" in batch or batch.startswith("."):
            return None
        return Stage(lake.table(key), batch, partition)
    except (ValueError, TypeError):
        return None


@contextmanager
def claimed(lake: Lake, name: str, waiting: Callable[[float], None] = lambda _: None) -> Iterator[Claim]:
    """Hold the claim to the table of this name. While another process holds it, `waiting` is called with the seconds waited.

    An exception of `waiting` ends the wait. Raises PublishError when the lake cannot be written.
    """
    if is_remote(lake.root):
        yield Claim()
        return
    path = Path(lake.root) / FOLDER / name
    with publish_errors(name, str(path)):
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("a+", encoding="utf-8", errors="replace")
    with file:
        begun = time.monotonic()
        while not _locked(file):
            waiting(time.monotonic() - begun)
            time.sleep(_PAUSE)
        claim = Claim(file)
        claim.sweep(lake)
        yield claim
        # Not after an error: a Polars writer may still write files that `staged` has just removed, so the next holder
        # sweeps again.
        claim.forget()


def is_claimed(lake: Lake, name: str) -> bool:
    """Whether a process holds the claim to the table of this name; always False in an object store, which has no claims."""
    path = Path(lake.root) / FOLDER / name
    if is_remote(lake.root) or not path.is_file():
        return False
    with publish_errors(name, str(path)), path.open("rb") as file:
        return not _locked(file, fcntl.LOCK_SH)  # a check needs no write access


def _locked(file: IO[Any], how: int = fcntl.LOCK_EX) -> bool:
    try:
        fcntl.flock(file, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextmanager
def staged(*stages: Stage, claim: Claim | None = None) -> Iterator[None]:
    """Remove uncommitted stages when the block ends. If the process is killed in it, the next holder of the claim does so."""
    begun = []
    try:
        for stage in stages:
            with publish_errors(stage.table.key, stage.table.uri):
                if claim is not None:
                    claim.note(stage)
                stage.prepare()
            begun.append(stage)
        yield
    finally:
        for stage in begun:
            # Leftover files are invisible: a failed removal must not hide the error of the block.
            with suppress(OSError, PublishError):
                stage.discard_uncommitted()
