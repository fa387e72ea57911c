"""Runs that are killed outright, at a random moment or at a step of their way, and how that is told.

A run is a fork of a process that has imported everything and done nothing yet, so that 200 of them take minutes.
"""

from __future__ import annotations

import itertools
import mmap
import os
import random
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import wraps
from typing import Any

from dq_pipelines.history.store.verdicts import History
from dq_pipelines.lake.staging import Stage
from dq_pipelines.pipeline import gold
from dq_pipelines.pipeline.bronze import ingest
from dq_pipelines.pipeline.silver import commit, judged_batch
from dq_pipelines_tests.workshop import Workshop

#: Steps of a run, as a kill is told by.
STEPS = ("judge", "commit bronze", "commit quarantine", "commit silver", "commit gold", "history")


@dataclass(frozen=True)
class Fault:
    """A step of a run at which it kills itself."""

    step: str
    #: before or after
    late: bool
    #: how often the step is passed first: a run goes through four tables
    passes: int


class Watched:
    """What a run says of its steps to the process that started it, in memory that both see."""

    def __init__(self, fault: Fault | None = None) -> None:
        self._memory = mmap.mmap(-1, 64)
        self._fault, self._passed = fault, 0

    @property
    def at(self) -> str:
        """The step that was reached last."""
        return bytes(self._memory[:]).rstrip(b"\0").decode()

    def reached(self, step: str, *, late: bool) -> None:
        """Note it, or die here."""
        said = f"{'after' if late else 'in'} {step}".encode()
        self._memory[:] = said.ljust(64, b"\0")
        if self._fault is not None and (self._fault.step, self._fault.late) == (step, late):
            self._passed += 1
            if self._passed > self._fault.passes:
                os.kill(os.getpid(), signal.SIGKILL)

    def watch(self) -> None:
        """Have the steps of this process told."""
        for module in (judged_batch, gold):
            self._tell(module, "judge", lambda *_: "judge")
        for module in (ingest, commit, gold):
            self._tell(module, "publish", _commit)
        self._tell(History, "record", lambda *_: "history")

    def _tell(self, place: Any, name: str, step: Callable[..., str]) -> None:
        setattr(place, name, self._told(getattr(place, name), step))

    def _told(self, do: Callable[..., Any], step: Callable[..., str]) -> Callable[..., Any]:
        @wraps(do)
        def told(*args: Any, **kwargs: Any) -> Any:
            name = step(*args)
            self.reached(name, late=False)
            result = do(*args, **kwargs)
            self.reached(name, late=True)
            return result

        return told


def _commit(stage: Stage, *_: Any) -> str:
    return f"commit {stage.table.key.partition('/')[0]}"


def forked(do: Callable[[], None], after: float | None = None) -> int:
    """Do it in a process of its own, killed after so many seconds; its exit status, or minus the signal that ended it."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            do()
            status = 0
        except Exception:  # noqa: BLE001 - told, and the process ends here
            import traceback

            traceback.print_exc()
        finally:
            os._exit(status)
    if after is not None:
        time.sleep(after)
        os.kill(child, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def run(shop: Workshop, watched: Watched) -> None:
    """Everything once, through Dagster."""
    watched.watch()
    ran = shop.run()
    assert ran.success, ran.failures


def faults(seed: int) -> Iterator[Fault | None]:
    """How each run is killed: every other one at a step, all steps in turn; None for a random moment."""
    steps = [Fault(step, late, passes) for passes in range(3) for step in STEPS for late in (False, True)]
    # The gold table is one, the others are three.
    every = [fault for fault in steps if fault.passes == 0 or fault.step != "commit gold"]
    random.Random(seed).shuffle(every)
    for fault in itertools.cycle(every):
        yield fault
        yield None
