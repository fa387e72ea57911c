"""Python code in a process of its own, a fork of one that has imported what runs need and has done nothing yet.

A new interpreter takes two seconds to import that, as long as many a run. Where a new one is what is tested, start that.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.context import ForkServerProcess
from pathlib import Path

_CONTEXT = multiprocessing.get_context("forkserver")
# No Dagster: what lands, judges and commits knows nothing of it.
_PIPELINE = (
    "gold",
    "maintenance.compaction",
    "maintenance.retention",
    "replay.replay",
    "silver.refinement",
    "silver.rerun",
)
_CONTEXT.set_forkserver_preload(
    [__name__, "dq_pipelines.project", *(f"dq_pipelines.pipeline.{name}" for name in _PIPELINE)]
)


@dataclass(frozen=True)
class Fork:
    """A process under way."""

    process: ForkServerProcess
    _heard: Path

    def ended(self, seconds: float = 120) -> int:
        """Wait for its end: its exit status, or minus the signal that ended it."""
        self.process.join(seconds)
        assert self.process.exitcode is not None, f"it still runs: {self.said}"
        return self.process.exitcode

    @property
    def said(self) -> str:
        """What it has printed so far."""
        return self._heard.read_text(encoding="utf-8")


def fork(code: str, *arguments: object) -> Fork:
    """Run code with these arguments (`sys.argv[1:]`), in the environment and folder of now."""
    with tempfile.NamedTemporaryFile(prefix="dq-fork-", suffix=".txt", delete=False) as heard:
        given = (code, [str(argument) for argument in arguments], heard.name, dict(os.environ), str(Path.cwd()))
    process = _CONTEXT.Process(target=_run, args=given)
    process.start()
    return Fork(process, Path(heard.name))


def _run(code: str, arguments: Sequence[str], heard: str, environment: Mapping[str, str], folder: str) -> None:
    out = os.open(heard, os.O_WRONLY | os.O_APPEND)
    for stream in (1, 2):
        os.dup2(out, stream)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    sys.argv = ["-c", *arguments]
    exec(compile(code, "<forked>", "exec"), {"__name__": "__main__"})  # noqa: S102 - a test's own code
