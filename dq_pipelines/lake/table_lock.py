"""The claim to a table: one run at a time works on it, and what a killed one has left staged is removed by the next.

A claim is a lock of the operating system on a file of the lake. It ends with its process, however that ends, and
holds between all who reach the lake through one file system. The file's lines name what is being staged: a
claim that finds some knows that whoever wrote them is dead. An object store has no such locks: there a commit's
look at the ledger (`publish`) keeps two runs from publishing one batch, and a limit on the table's pool in Dagster
keeps them from working at all.
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

#: Beside the layers, hidden: one file for each table that was ever worked on.
FOLDER = ".claims"

#: `<layer>/<table>`: a line of a torn file must not send the sweep anywhere else.
_KEY = re.compile(r"(bronze|silver|quarantine|gold)/[^/.][^/]*")

#: Seconds between two attempts to get hold of a claim.
_PAUSE = 0.2


@dataclass(frozen=True)
class Claim:
    """What the holder of a table may do with it."""

    #: None in an object store
    _file: IO[str] | None = None

    def note(self, stage: Stage) -> None:
        """Remember that the stage was begun, should this process be killed before it is done with it."""
        if self._file is not None:
            self._file.write(json.dumps([stage.table.key, stage.batch, stage.partition]) + "\n")
            self._file.flush()

    def sweep(self, lake: Lake) -> None:
        """Remove what a killed holder had staged, where no commit has named it."""
        if self._file is None:
            return
        self._file.seek(0)
        for line in dict.fromkeys(self._file.read().splitlines()):
            if (stage := _noted(lake, line)) is not None:
                stage.discard_uncommitted()
        self.forget()

    def forget(self) -> None:
        """Nothing is staged any more."""
        if self._file is not None:
            self._file.seek(0)
            self._file.truncate()


def is_noted(line: bytes) -> bool:
    """Whether a line of a claim's file tells of a stage."""
    return _noted(Lake(""), line.decode(errors="replace")) is not None


def _noted(lake: Lake, line: str) -> Stage | None:
    """The stage that a line is about; None for a line that its writer did not end, or that a power loss has torn.

    What was staged under such a line stays where nobody sees it, until upkeep or `dq doctor --repair` removes it.
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
    """Hold the claim to the table of this name; `waiting` is called with the seconds for as long as another holds it.

    Whatever `waiting` raises ends the wait. Raises PublishError when the lake cannot be written.
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
        # Not after an error: a writer of Polars' may still be at work on what `staged` has just removed, and the next
        # claim is to look once more.
        claim.forget()


def is_claimed(lake: Lake, name: str) -> bool:
    """Whether some process works on the table of this name now; never, in an object store, which has no claims."""
    path = Path(lake.root) / FOLDER / name
    if is_remote(lake.root) or not path.is_file():
        return False
    with publish_errors(name, str(path)), path.open("rb") as file:
        return not _locked(file, fcntl.LOCK_SH)  # who only asks needs not write it


def _locked(file: IO[Any], how: int = fcntl.LOCK_EX) -> bool:
    try:
        fcntl.flock(file, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextmanager
def staged(*stages: Stage, claim: Claim | None = None) -> Iterator[None]:
    """Remove what was staged and not committed, however the block ends; what is killed in it, the next claim removes."""
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
            # What cannot be removed now is seen by nobody: it must not hide how the block ended.
            with suppress(OSError, PublishError):
                stage.discard_uncommitted()
