"""The folder of the backups that admins make on the page Admin, and what is in it."""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from dq_pipelines.backups.copying import MANIFEST
from dq_pipelines.config.settings import Settings
from dq_pipelines.errors import ConfigError, Problem

#: The variable with the folder; by default it lies next to that of the state.
VARIABLE = "DQ_INSTALLATION_BACKUPS"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,79}")
_UNFINISHED = ".unfinished"


@dataclass(frozen=True)
class MadeBackup:
    """A whole backup."""

    name: str
    #: as its manifest says
    made_at: str
    files: int
    bytes: int


def backup_folder(settings: Settings) -> Path:
    """The folder of the backups. Raises ConfigError for one inside the lake, which others read."""
    state = settings.state_folder
    given = os.environ.get(VARIABLE)
    folder = Path(given).absolute() if given else state.with_name(f"{state.name}-backups")
    for what, other in (("the lake", settings.lake_folder), ("the state", state)):
        if other is not None and folder.resolve().is_relative_to(other.resolve()):
            message = f"{VARIABLE}: wanted a folder apart from {what}, got one inside it"
            raise ConfigError([Problem("", 0, message)])
    return folder


def new_backup_name(folder: Path, name: str = "") -> str:
    """The name of a new backup, by default after the time. Raises ConfigError for no plain name, or one that exists."""
    wanted = name or datetime.now(UTC).strftime("%Y-%m-%dT%H%M%SZ")
    if not _NAME.fullmatch(wanted) or wanted.endswith(_UNFINISHED):
        message = f"name: wanted letters, digits, - _ and . that begin with a letter or digit, got '{wanted[:80]}'"
        raise ConfigError([Problem("", 0, message)])
    if (folder / wanted).exists():
        raise ConfigError([Problem("", 0, f"name: wanted a new name, got '{wanted}', which exists")])
    return wanted


def backups_in(folder: Path) -> list[MadeBackup]:
    """The whole backups, the newest first."""
    found = []
    for path in folder.iterdir() if folder.is_dir() else ():
        try:
            manifest = json.loads((path / MANIFEST).read_text(encoding="utf-8"))
            sizes = [int(one["bytes"]) for one in manifest["files"].values()]
            found.append(MadeBackup(path.name, str(manifest["made_at"]), len(sizes), sum(sizes)))
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            continue  # no backup, or one that is not whole yet
    return sorted(found, key=lambda one: one.made_at, reverse=True)
