"""Ending a run at one of its commits, as a cancellation or an error would."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from dq_pipelines.lake.publish import publish
from dq_pipelines.lake.update import update
from dq_pipelines_tests.properties.row_model import (
    Commits,
)

Stop = tuple[str, int] | None


class BrokenOff(Exception):
    """What ends a run in this test; nobody in the product knows it."""


class Stopping:
    """Ends a run at a commit: cancelled before it, or by an error just before or just after it."""

    def __init__(self, stop: Stop) -> None:
        self.how, self.at = stop or ("", 0)
        self.asked = self.committed = 0

    @property
    def commits(self) -> Commits:
        """The commits that the run makes."""
        return Commits() if not self.how else Commits(self.at - (self.how != "after"))

    def may_commit(self) -> None:
        self.asked += 1
        if self.how == "cancelled" and self.asked == self.at:
            raise BrokenOff

    def committing(self, commit: Callable[..., Any]) -> Callable[..., Any]:
        def committed(*args: Any, **kwargs: Any) -> Any:
            self.committed += 1
            here = self.committed == self.at
            if here and self.how == "before":
                raise BrokenOff
            done = commit(*args, **kwargs)
            if here and self.how == "after":
                raise BrokenOff
            return done

        return committed

    @contextmanager
    def __call__(self) -> Iterator[None]:
        """While this lasts, whoever commits is stopped; `BrokenOff` ends here."""
        with pytest.MonkeyPatch.context() as patch:
            for name, module in list(sys.modules.items()):
                for commit in (publish, update):
                    if name.startswith("dq_pipelines.pipeline.") and getattr(module, commit.__name__, None) is commit:
                        patch.setattr(module, commit.__name__, self.committing(commit))
            yield
