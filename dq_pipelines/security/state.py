"""Locates the state: users, keys, sessions and the audit log, in a private folder and a database.

The folder (`DQ_STATE`, `.dq` by default) has mode 0700 and its files 0600. If the tables are in PostgreSQL, the folder has only
the keys.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from pathlib import Path

from dq_pipelines.config.private import private_folder, why_not_private, write_private
from dq_pipelines.config.settings import STATE_FILE, Settings
from dq_pipelines.config.sqlite_files import sqlite_file
from dq_pipelines.errors import ConfigError, Problem, PublishError


@dataclass(frozen=True)
class State:
    """The folder and the database of users, keys, sessions and the audit log."""

    #: mode 0700
    folder: Path
    #: SQLAlchemy URL of the tables in `store`
    url: str
    #: SQLite files in which earlier releases kept these tables, together with the history
    earlier: tuple[Path, ...] = ()

    @classmethod
    def at(cls, folder: Path) -> State:
        """A state with folder and database in this folder."""
        return cls(folder, f"sqlite:///{folder}/{STATE_FILE}")

    @classmethod
    def from_environment(cls) -> State:
        """From `DQ_STATE`, `DQ_DATABASE_URL`, `DQ_HISTORY_URL` and `DQ_LAKE`; raises ConfigError."""
        settings = Settings.from_environment()
        earlier = [path for path in (_sqlite_file(settings.history), _in_lake(settings)) if path is not None]
        return cls(settings.state_folder, settings.state_url, tuple(dict.fromkeys(earlier)))

    def made(self) -> State:
        """This state, with its folder created if it does not exist.

        Raises ConfigError, with the remedy, if others can read the folder or a file in it; PublishError if it
        cannot be created.
        """
        try:
            private_folder(self.folder)
        except OSError as error:
            raise PublishError(f"DQ_STATE: wanted a folder to write at {self.folder}, got: {error.strerror}") from None
        if problems := self.problems():
            raise ConfigError([Problem("", 0, problems[0])])
        return self

    def problems(self) -> list[str]:
        """A sentence, with the remedy, for the folder or each file that others can read or own."""
        if not self.folder.is_dir():
            return [] if not self.folder.exists() else [f"DQ_STATE: wanted a folder, got a file at {self.folder}"]
        why = why_not_private(self.folder)
        return [why] if why else [reason for path in self.files() if (reason := why_not_private(path))]

    def files(self) -> list[Path]:
        """The files of the state, for a backup: the database (if it is SQLite) with its journals, keys and anchors.

        Back up the database by SQLite's own means; copy the other files.
        """
        return sorted(path for path in self.folder.rglob("*") if path.is_file()) if self.folder.is_dir() else []

    def secret(self, name: str) -> str:
        """The secret in the file of this name, 64 hexadecimal digits, created by the first call; raises PublishError."""
        path = self.folder / name
        try:
            private_folder(self.folder)
            if not path.exists():
                _make_once(path, secrets.token_hex(32))
            return path.read_text(encoding="utf-8").strip()
        except OSError as error:
            raise PublishError(f"{path}: wanted a file to read and write, got: {error.strerror}") from None


def _make_once(path: Path, text: str) -> None:
    """Write the file, unless another process has done so meanwhile: the first one counts for both."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    write_private(temporary, f"{text}\n")
    try:
        path.hardlink_to(temporary)
    except FileExistsError:
        pass
    finally:
        temporary.unlink()


def _sqlite_file(url: str | None) -> Path | None:
    path = sqlite_file(url) if url else None
    return None if path is None else path.absolute()


def _in_lake(settings: Settings) -> Path | None:
    return None if settings.lake_folder is None else settings.lake_folder / "history.db"
