"""The environment as one value: where things lie. What a table or a rule is told belongs in YAML."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dq_pipelines.config import withheld
from dq_pipelines.errors import ConfigError, Problem

#: What `${NAME}` gives in YAML, and what a setting is, where the environment says nothing.
DEFAULTS: Mapping[str, str] = {"DQ_CONFIG": "assets_config", "DQ_LAKE": "lake", "DQ_LANDING": "landing"}

#: The SQLite file within the folder of the state.
STATE_FILE = "state.db"


@dataclass(frozen=True)
class Settings:
    """Where a process finds its configuration and puts its tables."""

    #: folder of the project's YAML files
    config: str = DEFAULTS["DQ_CONFIG"]
    #: folder or URI of the tables
    lake: str = DEFAULTS["DQ_LAKE"]
    #: folder or URI in which input files land
    landing: str = DEFAULTS["DQ_LANDING"]
    #: SQLAlchemy URL that was given for the history, or None for the default inside the lake
    history: str | None = None
    #: folder or URI that was given for backups, or None for the default beside the lake
    backup: str | None = None
    #: folder of users, keys, sessions and the audit log: never inside the lake
    state: str = ".dq"
    #: SQLAlchemy URL of one PostgreSQL for history and users, or None
    database: str | None = None
    #: where Dagster's UI is, for links to its runs, without a slash at its end; "" for the same address
    dagster_url: str = ""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> Settings:
        """By `DQ_CONFIG`, `DQ_LAKE`, `DQ_LANDING`, `DQ_HISTORY_URL`, `DQ_DATABASE_URL`, `DQ_STATE`, `DQ_BACKUP` and
        `DQ_DAGSTER_URL`; an empty one is not set.

        Raises ConfigError for a DQ_DAGSTER_URL that is no web address, and for a DQ_DATABASE_URL that is no PostgreSQL.
        """
        given = withheld.environment() if environment is None else environment
        where = {name: given.get(name) or default for name, default in DEFAULTS.items()}
        return cls(
            where["DQ_CONFIG"],
            where["DQ_LAKE"],
            where["DQ_LANDING"],
            history=given.get("DQ_HISTORY_URL") or None,
            backup=given.get("DQ_BACKUP") or None,
            state=given.get("DQ_STATE") or ".dq",
            database=_postgresql(given.get("DQ_DATABASE_URL")),
            dagster_url=_web(given.get("DQ_DAGSTER_URL")),
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
        """The history's SQLAlchemy URL; raises ConfigError when none is given and the lake is no folder."""
        if given := self.history or self.database:
            return given
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
            said = f"DQ_STATE: wanted a folder apart from the lake {lake}, which others read, got {folder}"
            raise ConfigError([Problem("", 0, said)])
        return folder

    @property
    def state_url(self) -> str:
        """Where users, keys, sessions and the audit log lie: in PostgreSQL where the records lie there, else in `DQ_STATE`."""
        if self.database:
            return self.database
        if self.history and _is_postgresql(self.history):
            return self.history
        return f"sqlite:///{self.state_folder}/{STATE_FILE}"


def _is_postgresql(url: str) -> bool:
    return url.startswith(("postgresql:", "postgresql+"))


def _postgresql(url: str | None) -> str | None:
    if url and not _is_postgresql(url):
        said = f"DQ_DATABASE_URL: wanted postgresql+psycopg2://…, got {url.partition(':')[0]}:…"
        raise ConfigError([Problem("", 0, said)])
    return url or None


def _web(address: str | None) -> str:
    """A web address without its last slash; what a browser would run instead of open is none."""
    if address and not address.startswith(("http://", "https://")):
        raise ConfigError([Problem("", 0, f"DQ_DAGSTER_URL: wanted http://… or https://…, got {address}")])
    return (address or "").rstrip("/")
