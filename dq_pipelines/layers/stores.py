"""The two stores that a run writes: the lake and the history."""

from __future__ import annotations

from dataclasses import dataclass

from dq_pipelines.config.settings import Settings
from dq_pipelines.history.store import History
from dq_pipelines.lake.tables import Lake


@dataclass(frozen=True)
class Stores:
    """Where tables and verdicts go."""

    lake: Lake
    history: History

    @classmethod
    def from_environment(cls) -> Stores:
        """The stores that `DQ_LAKE` and `DQ_HISTORY_URL` name."""
        settings = Settings.from_environment()
        return cls(Lake.at(settings.lake), History(settings.history_url))
