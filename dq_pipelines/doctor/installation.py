"""An installation: the project, the stores and Dagster's records that are examined together."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from dq_pipelines.config.settings import Settings
from dq_pipelines.config.stores import is_remote
from dq_pipelines.errors import ConfigError, DqError
from dq_pipelines.lake.tables import LakeTable
from dq_pipelines.pipeline.runtime.stores import Stores
from dq_pipelines.pipeline.runtime.table_run import Work
from dq_pipelines.project import Project, Table, load_sound_tables

#: Within the lake: what a repair has taken away from its place, for nothing is deleted that may be the only copy.
MOVED_AWAY = ".moved_away"


@dataclass(frozen=True)
class Installation:
    """Everything that is looked at."""

    stores: Stores
    #: None where its files do not load
    project: Project | None
    #: why they do not
    problems: ConfigError | None = None
    #: DAGSTER_HOME; None where it is not set
    dagster_home: Path | None = None
    #: DQ_STATE
    state: Path | None = None
    now: datetime = field(default_factory=lambda: datetime.now(UTC))

    @classmethod
    def from_environment(cls) -> Installation:
        """As `DQ_CONFIG`, `DQ_LAKE`, `DQ_STATE` and `DAGSTER_HOME` say; raises ConfigError for settings that are wrong."""
        settings, home = Settings.from_environment(), os.environ.get("DAGSTER_HOME")
        found = cls._loaded(settings.config)
        return cls(Stores.from_environment(), *found, Path(home) if home else None, settings.state_folder)

    @classmethod
    def at(cls, config: Path, stores: Stores, dagster_home: Path, state: Path) -> Installation:
        """That of these folders, whatever the environment says."""
        return cls(stores, *cls._loaded(str(config), {}), dagster_home, state)

    @staticmethod
    def _loaded(config: str, environment: Mapping[str, str] | None = None) -> tuple[Project | None, ConfigError | None]:
        """The tables whose files are sound, and what is wrong with the others."""
        try:
            project = load_sound_tables(config, environment=environment)
        except ConfigError as error:
            return None, error
        problems = [problem for one in project.left_out for problem in one.problems]
        return project, ConfigError(problems) if problems else None

    @property
    def tables(self) -> list[Table]:
        return [] if self.project is None else list(self.project)

    @property
    def left_out(self) -> frozenset[str]:
        """Names of tables whose files are not sound: nothing is known of them."""
        return frozenset(one.name for one in self.project.left_out) if self.project is not None else frozenset()

    @property
    def landed(self) -> list[Table]:
        """The tables that come from outside."""
        return [table for table in self.tables if not table.is_gold]

    @property
    def folder(self) -> Path | None:
        """The lake's folder; None for one in an object store."""
        root = self.stores.lake.root
        return None if is_remote(root) else Path(root.removeprefix("file://"))

    def work(self, table: Table) -> Work:
        return Work(table, self.stores.lake, now=self.now)

    def lake_tables(self) -> Iterator[LakeTable]:
        """Every table of the lake that the project knows."""
        for table in self.tables:
            yield from (self.stores.lake.table(key) for key in table.keys)

    def readable(self, *keys: str) -> bool:
        """Whether the logs of these tables can be read; where not, the examination of logs says so, and others pass over."""
        try:
            for key in keys:
                self.stores.lake.table(key).rows()
        except DqError:
            return False
        return True

    def move_away(self, path: Path) -> Path:
        """Move a file of the lake to where nobody reads it, and remove folders that it leaves empty; its new path.

        Raises OSError.
        """
        root = self.folder or path.parent
        beneath = path.relative_to(root) if path.is_relative_to(root) else Path(path.name)
        target = root / MOVED_AWAY / f"{self.now:%Y%m%dT%H%M%SZ}" / beneath
        target.parent.mkdir(parents=True, exist_ok=True)
        path.rename(target)
        for folder in path.parents:
            # A table's own folder stays, and so does what lies outside of the lake.
            if not folder.is_relative_to(root) or len(folder.relative_to(root).parts) <= 2 or any(folder.iterdir()):
                break
            folder.rmdir()
        return target
