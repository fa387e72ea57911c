"""Defines the installation to examine: the project, the stores and Dagster's records."""

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
from dq_pipelines.pipeline.runtime.table_run import TableRun
from dq_pipelines.project import Project, Table, load_sound_tables

#: Folder within the lake to which repairs move files; they never delete what may be the only copy.
MOVED_AWAY = ".moved_away"


@dataclass(frozen=True)
class Installation:
    """Everything that is examined."""

    stores: Stores
    #: None if no table can be loaded
    project: Project | None
    #: the problems of its files
    problems: ConfigError | None = None
    #: DAGSTER_HOME; None if it is not set
    dagster_home: Path | None = None
    #: DQ_STATE
    state: Path | None = None
    now: datetime = field(default_factory=lambda: datetime.now(UTC))

    @classmethod
    def from_environment(cls) -> Installation:
        """From `DQ_CONFIG`, `DQ_LAKE`, `DQ_STATE` and `DAGSTER_HOME`; raises ConfigError for invalid settings."""
        settings, home = Settings.from_environment(), os.environ.get("DAGSTER_HOME")
        found = cls._loaded(settings.config)
        return cls(Stores.from_environment(), *found, Path(home) if home else None, settings.state_folder)

    @classmethod
    def at(cls, config: Path, stores: Stores, dagster_home: Path, state: Path) -> Installation:
        """The installation in these folders, regardless of the environment."""
        return cls(stores, *cls._loaded(str(config), {}), dagster_home, state)

    @classmethod
    def of(cls, config: str, stores: Stores, dagster_home: Path | None, state: Path) -> Installation:
        """The installation of a server with these stores, by the environment's settings."""
        return cls(stores, *cls._loaded(config), dagster_home, state)

    @staticmethod
    def _loaded(config: str, environment: Mapping[str, str] | None = None) -> tuple[Project | None, ConfigError | None]:
        """The tables with valid files, and the problems of the others."""
        try:
            project = load_sound_tables(config, environment=environment)
        except ConfigError as error:
            return None, error
        problems = [problem for table in project.left_out for problem in table.problems]
        return project, ConfigError(problems) if problems else None

    @property
    def tables(self) -> list[Table]:
        return [] if self.project is None else list(self.project)

    @property
    def left_out(self) -> frozenset[str]:
        """Names of tables with invalid files."""
        return frozenset(table.name for table in self.project.left_out) if self.project is not None else frozenset()

    @property
    def landed(self) -> list[Table]:
        """The tables that land."""
        return [table for table in self.tables if not table.is_gold]

    @property
    def folder(self) -> Path | None:
        """The lake's folder; None for one in an object store."""
        root = self.stores.lake.root
        return None if is_remote(root) else Path(root.removeprefix("file://"))

    def work(self, table: Table) -> TableRun:
        return TableRun(table, self.stores.lake, now=self.now)

    def lake_tables(self) -> Iterator[LakeTable]:
        """Every table of the lake that the project knows."""
        for table in self.tables:
            yield from (self.stores.lake.table(key) for key in table.keys)

    def readable(self, *keys: str) -> bool:
        """Whether the logs of these tables can be read; if not, the examination of logs reports it, and others skip them."""
        try:
            for key in keys:
                self.stores.lake.table(key).rows()
        except DqError:
            return False
        return True

    def move_away(self, path: Path) -> Path:
        """Move a file of the lake to `MOVED_AWAY`, and remove folders that become empty; returns its new path.

        Raises OSError.
        """
        root = self.folder or path.parent
        beneath = path.relative_to(root) if path.is_relative_to(root) else Path(path.name)
        target = root / MOVED_AWAY / f"{self.now:%Y%m%dT%H%M%SZ}" / beneath
        target.parent.mkdir(parents=True, exist_ok=True)
        path.rename(target)
        for folder in path.parents:
            # Keep a table's own folder, and folders outside of the lake.
            if not folder.is_relative_to(root) or len(folder.relative_to(root).parts) <= 2 or any(folder.iterdir()):
                break
            folder.rmdir()
        return target
