"""Puts a waiting upload into the folder of its table: prepared under a hidden name, then given its own in one step."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from dq_pipelines.errors import DqError, PublishError
from dq_pipelines.uploads.open_folder import OpenFolder
from dq_pipelines.uploads.upload import Upload

#: The suffix of names of files that are not whole.
PART = ".part"


class FileExists(DqError):
    """The landing folder has a file of this name."""


@dataclass(frozen=True)
class PreparedFile:
    """A file in its table's folder that has a hidden name, which sources pass over."""

    folder: OpenFolder
    hidden: str
    name: str
    #: the folder as a sentence names it
    where: str

    def must_be_free(self) -> None:
        """Raise FileExists if another file has its name."""
        if self.folder.has(self.name):
            raise self._exists()

    def land(self, *, replace: bool) -> None:
        """Give it its name, all or nothing. Raises FileExists unless `replace`, PublishError."""
        with writing(self.name):
            if replace:
                self.folder.rename(self.hidden, self.name)
            else:
                self._named_anew()
        with suppress(OSError):  # the file has its name: nothing may be undone any more
            self.folder.sync()

    def _named_anew(self) -> None:
        try:
            self.folder.link(self.hidden, self.folder, self.name)  # unlike a rename, it never replaces a file
        except FileExistsError:
            raise self._exists() from None
        except OSError:  # a file system without links
            self._renamed()

    def _renamed(self) -> None:
        try:
            with self.folder.creating(self.name):
                pass
        except FileExistsError:
            raise self._exists() from None
        try:
            self.folder.rename(self.hidden, self.name)
        except OSError:
            self.folder.remove(self.name)
            raise

    def _exists(self) -> FileExists:
        place = f"{self.where}/{self.name}"
        return FileExists(f"wanted a new file, got {place}, which exists: replace it, or send it by another name")


@contextmanager
def prepared(waiting: OpenFolder, upload: Upload, folder: OpenFolder, where: str) -> Iterator[PreparedFile]:
    """The upload in this folder under a hidden name, which is gone after the block. Raises OSError where there is no room."""
    hidden = f".{upload.id}{PART}"
    folder.remove(hidden)  # left by a server that was killed
    try:
        _linked(waiting, upload.file, folder, hidden)
        yield PreparedFile(folder, hidden, upload.name, where)
    finally:
        folder.remove(hidden)


def _linked(waiting: OpenFolder, file: str, folder: OpenFolder, hidden: str) -> None:
    """A second name of the file in its target's folder; a copy where that is another file system."""
    try:
        waiting.link(file, folder, hidden)
    except OSError:
        with waiting.reading(file) as source, folder.creating(hidden) as copy:
            shutil.copyfileobj(source, copy)
            copy.flush()
            os.fsync(copy.fileno())
    with folder.reading(hidden) as stream:
        os.fchmod(stream.fileno(), 0o644)


@contextmanager
def writing(name: str) -> Iterator[None]:
    """Turn errors of the disk into PublishError."""
    try:
        yield
    except OSError as error:
        raise PublishError(f"{name}: wanted room for it in the landing folder, got: {error.strerror}") from error
