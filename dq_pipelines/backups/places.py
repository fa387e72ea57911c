"""Lists what to back up: the places of an installation, each with its files."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from dq_pipelines.config.settings import Settings
from dq_pipelines.config.sqlite_files import sqlite_file
from dq_pipelines.errors import ConfigError, Problem
from dq_pipelines.lake import formats

#: The place of the records by which formats keep their tables (Delta: logs), copied only on request.
LAKE_LOGS = "lake"
#: SQLite's journals next to a database; the online backup includes their content.
_JOURNALS = ("-wal", "-shm", "-journal")


@dataclass(frozen=True)
class Place:
    """One place of an installation."""

    #: its folder within a backup
    name: str
    #: its path; None if it is not on a disk of this machine (see `elsewhere`)
    folder: Path | None
    #: glob patterns of its files within the folder
    patterns: tuple[str, ...] = ("**/*",)
    #: a sentence about a place that cannot be copied as files
    elsewhere: str = ""
    #: whether only its owner may read it
    is_private: bool = False
    #: whether a newly created folder is private; unlike `is_private`, it may contain files before
    is_folder_private: bool = False

    def files(self) -> Iterator[Path]:
        """The paths of its files relative to its folder, without SQLite's journals."""
        if self.folder is None or not self.folder.is_dir():
            return
        paths = {path for pattern in self.patterns for path in self.folder.glob(pattern) if path.is_file()}
        yield from sorted(path.relative_to(self.folder) for path in paths if not path.name.endswith(_JOURNALS))


def places_of(settings: Settings, *, lake_logs: bool = False) -> list[Place]:
    """The places in the order of copying.

    The history comes before the lake's logs: missing verdicts can be recovered from commits, but not the reverse. Raises ConfigError.
    """
    places = [
        _history(settings),
        _state(settings),
        *_dagster(),
        Place("assets_config", Path(settings.config).absolute()),
    ]
    if lake_logs:
        if settings.lake_folder is None:
            raise ConfigError([Problem("", 0, f"dq backup --lake-logs: wanted a lake on a disk, got {settings.lake}")])
        places.append(Place(LAKE_LOGS, settings.lake_folder, (*_records(), ".aside/*.json")))
    return places


def _records() -> Iterator[str]:
    for name in formats.names():
        yield from (f"*/*/{pattern}" for pattern in formats.named(name).records)


def _history(settings: Settings) -> Place:
    path = sqlite_file(settings.history_url)
    if path is None:
        where = sa.make_url(settings.history_url).render_as_string()
        return Place("history", None, elsewhere=f"the history lies in {where}: back it up with pg_dump")
    return Place("history", path.absolute().parent, (path.name,))


def _state(settings: Settings) -> Place:
    return Place("state", settings.state_folder, is_private=True)


def _dagster() -> Iterator[Place]:
    if home := os.environ.get("DAGSTER_HOME"):
        yield Place("dagster", Path(home).absolute(), ("*.yaml", "**/*.db"), is_folder_private=True)
    else:
        yield Place("dagster", None, elsewhere="DAGSTER_HOME is not set, so nobody knows where Dagster's records lie")
