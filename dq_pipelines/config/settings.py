"""Reads the settings in the environment: the locations of the project, the lake, the records and Dagster's UI."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dq_pipelines.config import withheld
from dq_pipelines.errors import ConfigError, Problem

#: Defaults of settings, which also apply to `${NAME}` in YAML.
DEFAULTS: Mapping[str, str] = {"DQ_CONFIG": "assets_config", "DQ_LAKE": "lake", "DQ_LANDING": "landing"}

#: The SQLite file within the folder of the state.
STATE_FILE = "state.db"


@dataclass(frozen=True)
class Settings:
    """The locations of configuration, tables and records."""

    #: folder of the project's YAML files
    config: str = DEFAULTS["DQ_CONFIG"]
    #: folder or URI of the tables
    lake: str = DEFAULTS["DQ_LAKE"]
    #: folder or URI in which input files land
    landing: str = DEFAULTS["DQ_LANDING"]
    #: SQLAlchemy URL of the history, or None for the default inside the lake
    history: str | None = None
    #: folder or URI of backups, or None for the default next to the lake
    backup: str | None = None
    #: folder of users, keys, sessions and the audit log: never inside the lake
    state: str = ".dq"
    #: SQLAlchemy URL of one PostgreSQL for history and users, or None
    database: str | None = None
    #: URL of Dagster's UI, for links to its runs, without a slash at its end; "" for the same server
    dagster_url: str = ""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> Settings:
        """From `DQ_CONFIG`, `DQ_LAKE`, `DQ_LANDING`, `DQ_HISTORY_URL`, `DQ_DATABASE_URL`, `DQ_STATE`, `DQ_BACKUP` and
        `DQ_DAGSTER_URL`; an empty variable counts as unset.

        Raises ConfigError for a DQ_DAGSTER_URL that is no web address, and for a DQ_DATABASE_URL that is no PostgreSQL.
        """
        variables = withheld.environment() if environment is None else environment
        values = {name: variables.get(name) or default for name, default in DEFAULTS.items()}
        return cls(
            values["DQ_CONFIG"],
            values["DQ_LAKE"],
            values["DQ_LANDING"],
            history=variables.get("DQ_HISTORY_URL") or None,
            backup=variables.get("DQ_BACKUP") or None,
            state=variables.get("DQ_STATE") or ".dq",
            database=_postgresql(variables.get("DQ_DATABASE_URL")),
            dagster_url=_web(variables.get("DQ_DAGSTER_URL")),
        )

    @property
    def lake_is_remote(self) -> bool:
        return "://" in self.lake and not self.lake.startswith("file://")

    @property
    def lake_folder(self) -> Path | None:
        """The lake's folder on this machine; None for a lake in an object store."""
        return None if self.lake_is_remote else Path(self.lake.removeprefix("file://")).absolute()

    @property
    def history_url(self) -> str:
        """The history's SQLAlchemy URL; raises ConfigError if none is set and the lake is no folder."""
        if url := self.history or self.database:
            return url
        if self.lake_folder is None:
            raise ConfigError(
                [Problem("", 0, f"wanted DQ_HISTORY_URL beside DQ_LAKE={self.lake}, which cannot hold SQLite")]
            )
        return f"sqlite:///{self.lake_folder}/history.db"

    @property
    def state_folder(self) -> Path:
        """The folder of users, keys, sessions and the audit log; raises ConfigError for one inside the lake."""
        folder, lake = Path(self.state).absolute(), self.lake_folder
        if lake is not None and folder.resolve().is_relative_to(lake.resolve()):
            message = f"DQ_STATE: wanted a folder apart from the lake {lake}, which others read, got {folder}"
            raise ConfigError([Problem("", 0, message)])
        return folder

    @property
    def state_url(self) -> str:
        """The SQLAlchemy URL of users, keys, sessions and the audit log: the records' PostgreSQL, else SQLite in `DQ_STATE`."""
        if self.database:
            return self.database
        if self.history and _is_postgresql(self.history):
            return self.history
        return f"sqlite:///{self.state_folder}/{STATE_FILE}"


def _is_postgresql(url: str) -> bool:
    return url.startswith(("postgresql:", "postgresql+"))


def _postgresql(url: str | None) -> str | None:
    if url and not _is_postgresql(url):
        message = f"DQ_DATABASE_URL: wanted postgresql+psycopg2://…, got {url.partition(':')[0]}:…"
        raise ConfigError([Problem("", 0, message)])
    return url or None


def _web(address: str | None) -> str:
    """A URL without its last slash; refuses schemes such as `javascript:`."""
    if address and not address.startswith(("http://", "https://")):
        raise ConfigError([Problem("", 0, f"DQ_DAGSTER_URL: wanted http://… or https://…, got {address}")])
    return (address or "").rstrip("/")
