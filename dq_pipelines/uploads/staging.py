"""Uploaded files until they are saved, in a hidden folder of the landing folder that no source reads.

`.dq-uploads/<id>/` has the file and a record of who sent it. A file that still arrives is in `.dq-uploads/<id>.part/`.
Whoever delivers data may write into the landing folder as well: links there are not followed, and a record names no other file.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dq_pipelines.config.disk_sync import sync
from dq_pipelines.config.stores import is_remote
from dq_pipelines.errors import ConfigError, DqError, Problem, PublishError
from dq_pipelines.uploads.content import must_be_what_its_name_says
from dq_pipelines.uploads.file_names import FileKind, ending_of, kind_of_name
from dq_pipelines.uploads.settings import UploadLimits

FOLDER = ".dq-uploads"
_RECORD, _PART = "upload.json", ".part"
_ID = re.compile(r"[0-9a-f]{32}")
#: The folder of an upload, whole or arriving.
_PLACE = re.compile(rf"{_ID.pattern}({re.escape(_PART)})?")
#: Uploads of this process begin one after the other, so that each counts those before it.
_beginning = threading.Lock()


class FileExists(DqError):
    """The landing folder has a file of this name."""


class TooMany(DqError):
    """The user has too many files waiting."""


@dataclass(frozen=True)
class Upload:
    """A whole file that waits to be saved."""

    id: str
    #: its name, checked
    name: str
    domain: str
    #: the folder below the landing folder in which it may land
    folder: str
    by: str
    at: datetime
    #: bytes
    size: int
    path: Path

    @property
    def kind(self) -> FileKind:
        return kind_of_name(self.name)


@dataclass(frozen=True)
class Staging:
    """The uploads below a landing folder."""

    landing: Path
    limits: UploadLimits

    @classmethod
    def below(cls, landing: str, limits: UploadLimits) -> Staging:
        """Raises ConfigError for a landing place that is no folder of this machine."""
        if is_remote(landing):
            message = (
                f"uploads want a landing folder on this machine, got DQ_LANDING={landing}: put the file there yourself"
            )
            raise ConfigError([Problem("", 0, message)])
        return cls(Path(landing.removeprefix("file://")).absolute(), limits)

    @property
    def root(self) -> Path:
        return self.landing / FOLDER

    def begin(self, name: str, domain: str, folder: str, by: str) -> Arriving:
        """A new file that is about to arrive. Raises ConfigError for its name, TooMany, PublishError."""
        kind_of_name(name)
        if self.root.is_symlink():
            raise _wrong(
                f"{FOLDER}: wanted a folder of the server's own, got a link: remove it from the landing folder"
            )
        self.expire()
        id_ = secrets.token_hex(16)
        place = self.root / f"{id_}{_PART}"
        upload = Upload(id_, name, domain, folder, by, datetime.now(UTC), 0, place / _file_of(name))
        with _beginning, _writing(name):
            if sum(one.by == by for one in map(self._read, self._folders()) if one) >= self.limits.files:
                raise TooMany(
                    f"wanted at most {self.limits.files} files of one user that wait, got one more: save or remove one"
                )
            self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
            place.mkdir(mode=0o700)
            _record(upload)
        return Arriving(self, upload)

    def of(self, by: str) -> list[Upload]:
        """The uploads of this user, the newest first."""
        found = (self._read(folder) for folder in self._folders() if _ID.fullmatch(folder.name))
        return sorted((one for one in found if one and one.by == by), key=lambda one: one.at, reverse=True)

    def find(self, id_: str, by: str) -> Upload | None:
        """This user's upload; None if there is none, or it is somebody else's."""
        found = self._read(self.root / id_) if _ID.fullmatch(id_) else None
        return found if found is not None and found.by == by else None

    def remove(self, upload: Upload) -> None:
        shutil.rmtree(self.root / upload.id, ignore_errors=True)

    def expire(self) -> int:
        """Remove what has waited too long, arriving files included. Returns how many files."""
        oldest = time.time() - self.limits.keep.total_seconds()
        late = [folder for folder in self._folders() if _changed(folder) < oldest]
        for folder in late:
            shutil.rmtree(folder, ignore_errors=True)
        return len(late)

    # --- landing --------------------------------------------------------------------------------------

    def target(self, upload: Upload, table: str) -> Path:
        """Where the file lands as an input of this table."""
        return self.landing / upload.folder / table / upload.name

    def land(self, upload: Upload, table: str, *, replace: bool) -> Path:
        """Move the file to its place, all or nothing. Raises FileExists unless `replace`, ConfigError, PublishError."""
        target = self.target(upload, table)
        with _writing(upload.name):
            self._must_be_below(target.parent, upload)  # before a folder is made there
            target.parent.mkdir(parents=True, exist_ok=True)
            self._must_be_below(target.parent, upload)
            beside = target.with_name(f".{upload.id}{_PART}")  # sources pass hidden names over
            try:
                _linked(upload.path, beside)
                _moved(beside, target, replace=replace)
            except FileExistsError:
                where = f"{upload.folder}/{table}/{upload.name}"
                raise FileExists(
                    f"wanted a new file, got {where}, which exists: replace it, or send it by another name"
                ) from None
            finally:
                beside.unlink(missing_ok=True)
        return target

    # --- within ---------------------------------------------------------------------------------------

    def _must_be_below(self, place: Path, upload: Upload) -> None:
        if not place.resolve().is_relative_to(self.landing.resolve() / upload.folder):
            where = f"{upload.folder}/{place.name}"
            raise _wrong(f"{where}: wanted a folder below the landing folder, got a link to elsewhere")

    def _folders(self) -> Iterator[Path]:
        if self.root.is_symlink():
            return
        try:
            yield from [folder for folder in self.root.iterdir() if _PLACE.fullmatch(folder.name) and _is_own(folder)]
        except FileNotFoundError:
            return

    def _read(self, folder: Path) -> Upload | None:
        if self.root.is_symlink() or not _is_own(folder):
            return None
        try:
            told: Any = json.loads((folder / _RECORD).read_text(encoding="utf-8"))
            kind_of_name(told["name"])
            path = folder / _file_of(told["name"])
            found = Upload(**told | {"at": datetime.fromisoformat(told["at"]), "path": path})
        except (OSError, ValueError, KeyError, TypeError, AttributeError, ConfigError):
            return None  # removed meanwhile, or no upload
        return None if path.is_symlink() or told["path"] != path.name else found


@dataclass
class Arriving:
    """A file that arrives piece by piece."""

    staging: Staging
    upload: Upload
    size: int = 0

    def write(self, piece: bytes) -> None:
        """Append a piece. Raises PublishError where the disk takes no more."""
        self.size += len(piece)
        with _writing(self.upload.name), self.upload.path.open("ab") as stream:
            stream.write(piece)

    def finish(self) -> Upload:
        """The whole upload. Raises SourceError for a file that is not what its name says, PublishError."""
        place, name = self.upload.path.parent, self.upload.name
        with _writing(name):
            self.upload.path.touch()
            must_be_what_its_name_says(self.upload.path, name)
            _record(replace(self.upload, size=self.size))
            sync(self.upload.path)
            place.rename(self.staging.root / self.upload.id)
        found = self.staging.find(self.upload.id, self.upload.by)
        if found is None:
            raise PublishError(f"{name}: wanted to keep it until it is saved, but it was removed meanwhile")
        return found

    def abandon(self) -> None:
        """Remove what has arrived."""
        shutil.rmtree(self.upload.path.parent, ignore_errors=True)


def _file_of(name: str) -> str:
    """The name under which a file of this name waits."""
    return f"file{ending_of(name)}"


def _is_own(folder: Path) -> bool:
    return folder.is_dir() and not folder.is_symlink()


def _record(upload: Upload) -> None:
    """Write who sent the file next to it."""
    told = asdict(upload) | {"at": upload.at.isoformat(), "path": upload.path.name}
    upload.path.with_name(_RECORD).write_text(json.dumps(told), encoding="utf-8")


def _changed(folder: Path) -> float:
    """When something was last written into the folder, as seconds since 1970."""
    try:
        return max(entry.stat().st_mtime for entry in (folder, *folder.iterdir()))
    except OSError:
        return time.time()


def _linked(path: Path, beside: Path) -> None:
    """A second name of the file in its target's folder; a copy where that is another file system."""
    try:
        os.link(path, beside)
    except FileExistsError:
        raise
    except OSError:
        shutil.copyfile(path, beside)
    beside.chmod(0o644)


def _moved(beside: Path, target: Path, *, replace: bool) -> None:
    if replace:
        beside.replace(target)
    else:
        _named_anew(beside, target)
    sync(target.parent)


def _named_anew(beside: Path, target: Path) -> None:
    """Give the file its name, unless another has it."""
    try:
        os.link(beside, target)  # unlike a rename, it never replaces a file
    except FileExistsError:
        raise
    except OSError:  # a file system without links
        os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
        beside.replace(target)


@contextmanager
def _writing(name: str) -> Iterator[None]:
    """Turn errors of the disk into PublishError."""
    try:
        yield
    except OSError as error:
        raise PublishError(f"{name}: wanted room for it in the landing folder, got: {error.strerror}") from error


def _wrong(message: str) -> ConfigError:
    return ConfigError([Problem("", 0, message)])
