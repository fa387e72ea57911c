"""Where users, keys, sessions and the audit log lie: a folder for this user alone, and a database. What lies in it belongs in `store`.

The folder (`DQ_STATE`, `.dq` by default) has mode 0700 and its files 0600. Where the records lie in PostgreSQL, the tables lie
there and the folder has the keys alone.
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
    """The place of what says who is who."""

    #: mode 0700
    folder: Path
    #: SQLAlchemy URL of the tables in `store`
    url: str
    #: SQLite files in which earlier releases kept these tables, beside the history
    earlier: tuple[Path, ...] = ()

    @classmethod
    def at(cls, folder: Path) -> State:
        """All of it in this folder."""
        return cls(folder, f"sqlite:///{folder}/{STATE_FILE}")

    @classmethod
    def from_environment(cls) -> State:
        """As `DQ_STATE`, `DQ_DATABASE_URL`, `DQ_HISTORY_URL` and `DQ_LAKE` say; raises ConfigError."""
        settings = Settings.from_environment()
        earlier = [path for path in (_sqlite_file(settings.history), _in_lake(settings)) if path is not None]
        return cls(settings.state_folder, settings.state_url, tuple(dict.fromkeys(earlier)))

    def made(self) -> State:
        """This state, with its folder made where there is none.

        Raises ConfigError, with the remedy, where others can read the folder or a file in it, and PublishError where it
        cannot be made.
        """
        try:
            private_folder(self.folder)
        except OSError as error:
            raise PublishError(f"DQ_STATE: wanted a folder to write at {self.folder}, got: {error.strerror}") from None
        if problems := self.problems():
            raise ConfigError([Problem("", 0, problems[0])])
        return self

    def problems(self) -> list[str]:
        """What others could read, or own, of the folder and its files: a sentence each, with the remedy."""
        if not self.folder.is_dir():
            return [] if not self.folder.exists() else [f"DQ_STATE: wanted a folder, got a file at {self.folder}"]
        told = why_not_private(self.folder)
        return [told] if told else [said for path in self.files() if (said := why_not_private(path))]

    def files(self) -> list[Path]:
        """The files that make up the state, for a backup: the database (where it is SQLite) with its journals, keys and anchors.

        A backup of the database goes by SQLite's own means; the other files are copied as they are.
        """
        return sorted(path for path in self.folder.rglob("*") if path.is_file()) if self.folder.is_dir() else []

    def secret(self, name: str) -> str:
        """The secret in the file of this name, 64 hexadecimal digits, made at the first call; raises PublishError."""
        path = self.folder / name
        try:
            private_folder(self.folder)
            if not path.exists():
                _make_once(path, secrets.token_hex(32))
            return path.read_text(encoding="utf-8").strip()
        except OSError as error:
            raise PublishError(f"{path}: wanted a file to read and write, got: {error.strerror}") from None


def _make_once(path: Path, text: str) -> None:
    """Write the file, unless another process has meanwhile: both go by the one that was there first."""
    mine = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    write_private(mine, f"{text}\n")
    try:
        path.hardlink_to(mine)
    except FileExistsError:
        pass
    finally:
        mine.unlink()


def _sqlite_file(url: str | None) -> Path | None:
    path = sqlite_file(url) if url else None
    return None if path is None else path.absolute()


def _in_lake(settings: Settings) -> Path | None:
    return None if settings.lake_folder is None else settings.lake_folder / "history.db"
