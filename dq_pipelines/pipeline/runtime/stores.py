"""Holds the stores that a run writes: the lake, the history and the backup lake."""

from __future__ import annotations

from dataclasses import dataclass

from dq_pipelines.config.settings import Settings
from dq_pipelines.history.store.verdicts import History
from dq_pipelines.lake.tables import Lake


@dataclass(frozen=True)
class Stores:
    """Where tables and verdicts go."""

    lake: Lake
    history: History
    #: where backups go; None for `<lake>-backup`
    backup: Lake | None = None

    @property
    def backups(self) -> Lake:
        """The backup lake: the layout of the lake, with rows that retention deleted."""
        return self.backup or Lake(f"{self.lake.root}-backup")

    @classmethod
    def from_environment(cls) -> Stores:
        """The stores that `DQ_LAKE`, `DQ_HISTORY_URL` and `DQ_BACKUP` name."""
        settings = Settings.from_environment()
        backup = Lake.at(settings.backup, "DQ_BACKUP") if settings.backup else None
        return cls(Lake.at(settings.lake), History(settings.history_url), backup)
