"""Uploaded files until they are saved, in a hidden folder of the landing folder that no source reads.

`.dq-uploads/<id>/` has the file and a record of who sent it. A file that still arrives is in `.dq-uploads/<id>.part/`.
Whoever delivers data may write into the landing folder as well: a folder stays open while it is used, and no link is followed.
"""

from __future__ import annotations

import os
import re
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from dq_pipelines.config.stores import is_remote
from dq_pipelines.errors import ConfigError, DqError, Problem, PublishError, SourceError
from dq_pipelines.uploads.content import must_be_what_its_name_says
from dq_pipelines.uploads.file_names import kind_of_name
from dq_pipelines.uploads.landing import PART, PreparedFile, prepared, writing
from dq_pipelines.uploads.open_folder import IsLink, OpenFolder
from dq_pipelines.uploads.settings import UploadLimits
from dq_pipelines.uploads.upload import Upload, recorded

FOLDER = ".dq-uploads"
_ID = re.compile(r"[0-9a-f]{32}")
#: The folder of an upload, whole or arriving.
_PLACE = re.compile(rf"{_ID.pattern}({re.escape(PART)})?")
#: Uploads of this process begin one after the other, so that each counts those before it.
_beginning = threading.Lock()


class TooMany(DqError):
    """Too many files wait, or they are too large together."""


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
        self.expire()
        upload = Upload(secrets.token_hex(16), name, domain, folder, by, datetime.now(UTC), 0)
        arriving = Arriving(self, upload)
        with _beginning, writing(name):
            self.landing.mkdir(parents=True, exist_ok=True)
            with self.opened(make=True) as root:
                self._must_be_few(root, by)
                self.must_have_room(root)
                with root.folder(arriving.place, make=0o700) as own:
                    upload.write_record(own)
        return arriving

    def of(self, by: str) -> list[Upload]:
        """The uploads of this user, the newest first."""
        with self.known() as root:
            found = [_read(root, name) for name in _places(root) if _ID.fullmatch(name)] if root is not None else []
        return sorted((one for one in found if one and one.by == by), key=lambda one: one.at, reverse=True)

    def find(self, id_: str, by: str) -> Upload | None:
        """This user's upload; None if there is none, or it is somebody else's."""
        with self.known() as root:
            found = _read(root, id_) if root is not None and _ID.fullmatch(id_) else None
        return found if found is not None and found.by == by else None

    @contextmanager
    def reading(self, upload: Upload) -> Iterator[BinaryIO]:
        """The file, open. Raises SourceError if it was removed meanwhile."""
        with ExitStack() as stack:
            try:
                root = stack.enter_context(self.opened())
                file = stack.enter_context(stack.enter_context(root.folder(upload.id)).reading(upload.file))
            except OSError:
                raise SourceError(f"{upload.name}: wanted the file that waits, but it was removed meanwhile") from None
            yield file

    def remove(self, upload: Upload) -> None:
        with self.known() as root:
            if root is not None:
                root.remove_tree(upload.id)

    def expire(self) -> int:
        """Remove what has waited too long, arriving files included. Returns how many files."""
        oldest = time.time() - self.limits.keep.total_seconds()
        with self.known() as root:
            if root is None:
                return 0
            late = [name for name in _places(root) if _changed(root, name) < oldest]
            for name in late:
                root.remove_tree(name)
        return len(late)

    # --- its folder -----------------------------------------------------------------------------------

    @contextmanager
    def opened(self, *, make: bool = False) -> Iterator[OpenFolder]:
        """The folder of uploads. Raises FileNotFoundError without one, ConfigError for another's folder or a link."""
        with ExitStack() as stack:
            landing = stack.enter_context(OpenFolder.at(self.landing))
            try:
                root = stack.enter_context(landing.folder(FOLDER, make=0o700 if make else None))
                is_own = root.is_own
            except IsLink:
                is_own = False
            if not is_own:
                message = f"{FOLDER}: wanted a folder of the server's own, got a link or another's folder: remove it from the landing folder"
                raise ConfigError([Problem("", 0, message)])
            yield root

    @contextmanager
    def known(self) -> Iterator[OpenFolder | None]:
        """The folder of uploads; None if there is none of ours."""
        with ExitStack() as stack:
            root = None
            with suppress(OSError, ConfigError):
                root = stack.enter_context(self.opened())
            yield root

    def must_have_room(self, root: OpenFolder) -> None:
        """Raise TooMany if the files of all users take more than they may."""
        if sum(_size(root, name) for name in _places(root)) > self.limits.total:
            raise TooMany(
                f"wanted at most {self.limits.total / 1e6:,.0f} MB of files that wait, of all users together "
                f"(DQ_UPLOAD_TOTAL), got more: save or remove some, or send it later"
            )

    # --- landing --------------------------------------------------------------------------------------

    def target(self, upload: Upload, table: str) -> Path:
        """Where the file lands as an input of this table."""
        return self.landing / upload.folder / table / upload.name

    @contextmanager
    def landing_of(self, upload: Upload, table: str) -> Iterator[PreparedFile]:
        """The file next to its place as an input of this table, from where it lands. Raises ConfigError, PublishError."""
        with ExitStack() as stack:
            with writing(upload.name):
                root = stack.enter_context(self.opened())
                waiting = stack.enter_context(root.folder(upload.id))
                folder = stack.enter_context(self._table_folder(upload.folder, table))
                file = stack.enter_context(prepared(waiting, upload, folder, f"{upload.folder}/{table}"))
            yield file

    # --- within ---------------------------------------------------------------------------------------

    @contextmanager
    def _table_folder(self, folder: str, table: str) -> Iterator[OpenFolder]:
        with ExitStack() as stack:
            try:
                inner = stack.enter_context(OpenFolder.at(self.landing))
                for name in (folder, table):
                    inner = stack.enter_context(inner.folder(name, make=0o755))
            except IsLink:
                message = f"{folder}/{table}: wanted a folder below the landing folder, got a link to elsewhere"
                raise ConfigError([Problem("", 0, message)]) from None
            yield inner

    def _must_be_few(self, root: OpenFolder, by: str) -> None:
        if sum(one.by == by for one in (_read(root, name) for name in _places(root)) if one) >= self.limits.files:
            raise TooMany(
                f"wanted at most {self.limits.files} files of one user that wait, got one more: save or remove one"
            )


@dataclass
class Arriving:
    """A file that arrives piece by piece."""

    staging: Staging
    upload: Upload
    size: int = 0

    @property
    def place(self) -> str:
        """The name of its folder until it is whole."""
        return f"{self.upload.id}{PART}"

    def write(self, piece: bytes) -> None:
        """Append a piece. Raises PublishError where the disk takes no more, TooMany where all users' files are too large."""
        self.size += len(piece)
        with writing(self.upload.name), self.staging.opened() as root:
            with root.folder(self.place) as own, own.appending(self.upload.file) as stream:
                stream.write(piece)
            self.staging.must_have_room(root)

    def finish(self) -> Upload:
        """The whole upload. Raises SourceError for a file that is not what its name says, PublishError."""
        upload = replace(self.upload, size=self.size)
        with writing(upload.name), self.staging.opened() as root:
            with root.folder(self.place) as own:
                with own.appending(upload.file) as whole:
                    os.fsync(whole.fileno())
                with own.reading(upload.file) as stream:
                    must_be_what_its_name_says(stream, upload.name)
                upload.write_record(own)
            root.rename(self.place, upload.id)
        found = self.staging.find(upload.id, upload.by)
        if found is None:
            raise PublishError(f"{upload.name}: wanted to keep it until it is saved, but it was removed meanwhile")
        return found

    def abandon(self) -> None:
        """Remove what has arrived."""
        with self.staging.known() as root:
            if root is not None:
                root.remove_tree(self.place)


def _places(root: OpenFolder) -> list[str]:
    return [name for name in root.names() if _PLACE.fullmatch(name)]


def _read(root: OpenFolder, name: str) -> Upload | None:
    try:
        with root.folder(name) as own:
            found = recorded(own)
    except OSError:
        return None
    return found if found is not None and name.removesuffix(PART) == found.id else None


def _changed(root: OpenFolder, name: str) -> float:
    """When something was last written into the folder, as seconds since 1970."""
    try:
        with root.folder(name) as own:
            return max(root.status(name).st_mtime, *(own.status(one).st_mtime for one in own.names()), 0.0)
    except IsLink:
        return time.time()  # no upload
    except OSError:
        return time.time()


def _size(root: OpenFolder, name: str) -> int:
    """The bytes of the files in a folder."""
    try:
        with root.folder(name) as own:
            return sum(own.status(one).st_size for one in own.names())
    except OSError:
        return 0  # removed meanwhile
