"""Makes and restores backups: copies files, SQLite databases by the online backup, and verifies all by digest."""

from __future__ import annotations

import hashlib
import json
import shutil
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

from dq_pipelines.backups.places import LAKE_LOGS, Place
from dq_pipelines.config.private import FILE, FOLDER, private_folder
from dq_pipelines.errors import PublishError

#: The list of a backup's files with size and SHA-256; written last.
MANIFEST = "manifest.json"
_SQLITE = b"SQLite format 3\0"


@dataclass(frozen=True)
class Copied:
    """The result of copying one place."""

    name: str
    files: int
    #: of all its files
    bytes: int
    #: for a place that was not copied, where its data are
    elsewhere: str = ""


def back_up(places: Sequence[Place], target: Path) -> list[Copied]:
    """Copy the places into a new folder while other processes may write to them.

    Only its owner can read the backup, since it has the users' credentials. Raises PublishError, and leaves no partial backup.
    """
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise PublishError(f"{target}: wanted an empty folder, or none, for a backup, got one with files: name another")
    unfinished = target.with_name(f"{target.name}.unfinished")
    try:
        if unfinished.exists():
            shutil.rmtree(unfinished)  # left by a backup that was killed
        private_folder(unfinished)
        listed: dict[str, tuple[int, str]] = {}
        copied = []
        for place in places:
            found = {
                f"{place.name}/{path}": _copy(place, path, unfinished / place.name / path) for path in place.files()
            }
            files = {name: manifest for name, manifest in found.items() if manifest is not None}
            listed |= files
            copied.append(Copied(place.name, len(files), sum(size for size, _ in files.values()), place.elsewhere))
        manifest = {
            "dq_pipelines": metadata.version("dq_pipelines"),
            "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "elsewhere": [each.elsewhere for each in copied if each.elsewhere],
            "files": {name: {"bytes": size, "sha256": digest} for name, (size, digest) in listed.items()},
        }
        (unfinished / MANIFEST).write_text(json.dumps(manifest, indent=1), encoding="utf-8")
        if target.exists():
            target.rmdir()
        unfinished.rename(target)
    except (OSError, sqlite3.Error) as error:
        raise PublishError(
            f"{target}: wanted to write a backup, got: {error}; what it was to hold is as it was"
        ) from None
    return copied


def _copy(place: Place, path: Path, target: Path) -> tuple[int, str] | None:
    """Copy one file; returns its size and digest, or None if it was deleted meanwhile, like that of a purged run."""
    source = (place.folder or Path()) / path
    target.parent.mkdir(parents=True, exist_ok=True, mode=FOLDER)
    try:
        with source.open("rb") as file:
            is_database = file.read(len(_SQLITE)) == _SQLITE
        if is_database:
            with (
                closing(sqlite3.connect(f"{source.as_uri()}?mode=ro", uri=True, timeout=30)) as live,
                closing(sqlite3.connect(target)) as copy,
            ):
                live.backup(copy)
        else:
            shutil.copyfile(source, target)
    except FileNotFoundError:
        return None
    target.chmod(FILE)
    return target.stat().st_size, _digest(target)


def put_back(places: Sequence[Place], source: Path, log: Callable[[str], None] = lambda _: None) -> list[Copied]:
    """Restore a backup to the places, which must be empty; else raises PublishError before it writes anything.

    It verifies the digests first, and refuses a damaged backup.
    """
    listed = _listed(source)
    wanted = {place.name: place for place in places if place.folder is not None}
    for place in wanted.values():
        # In the project, the history and the lake's logs, only files that would be overwritten are in the way.
        existing = [path for path in place.files() if f"{place.name}/{path}" in listed or place.is_private]
        if existing:
            raise PublishError(
                f"{place.folder}/{existing[0]}: wanted nothing there to put a backup back, got a file: move it away first"
            )
    try:
        for place in wanted.values():
            for name in (name for name in listed if name.startswith(f"{place.name}/")):
                _put(place, source / name, name.removeprefix(f"{place.name}/"))
    except OSError as error:
        raise PublishError(
            f"{source}: wanted to put the backup back, got: {error}; what was written so far is whole"
        ) from None
    unknown = sorted({name.partition("/")[0] for name in listed} - wanted.keys())
    for name in unknown:
        log(f"{name}: is in the backup and was not put back: {_why_left_out(name, places)}")
    sizes = {place: [size for name, size in listed.items() if name.startswith(f"{place}/")] for place in wanted}
    return [Copied(name, len(some), sum(some)) for name, some in sizes.items()]


def _why_left_out(name: str, places: Sequence[Place]) -> str:
    if name == LAKE_LOGS:
        return "Delta logs fit only the data files that they were copied with, so they stay unless asked for: --lake-logs puts them back"
    reasons = [place.elsewhere for place in places if place.name == name and place.elsewhere]
    return reasons[0] if reasons else "this release knows no such place"


def _put(place: Place, copy: Path, path: str) -> None:
    folder = place.folder or Path()
    if place.is_private or place.is_folder_private:
        private_folder(folder)
    target = folder / path
    target.parent.mkdir(parents=True, exist_ok=True)
    unfinished = target.with_name(f".{target.name}.new")
    shutil.copyfile(copy, unfinished)
    unfinished.chmod(FILE if place.is_private else 0o644)
    unfinished.replace(target)


def _listed(source: Path) -> dict[str, int]:
    """The verified files of a backup with their sizes; raises PublishError if one has changed."""
    try:
        manifest = json.loads((source / MANIFEST).read_text(encoding="utf-8"))
        files = {str(name): (int(each["bytes"]), str(each["sha256"])) for name, each in manifest["files"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise PublishError(
            f"{source}: wanted a folder that dq backup has made, got none with a whole {MANIFEST}"
        ) from None
    for name, (_, digest) in files.items():
        found = ""
        with suppress(OSError):
            if ".." not in Path(name).parts:
                found = _digest(source / name)
        if found != digest:
            raise PublishError(
                f"{source / name}: wanted the file as it was backed up, got another or none: nothing was done"
            )
    return {name: size for name, (size, _) in files.items()}


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
