"""A folder that is held open by its descriptor. Names in it are used through the descriptor, and links are not followed.

Between a check of a path and its use, others may rename a folder and put a link in its place. A descriptor stays with the
folder that was checked.
"""

from __future__ import annotations

import errno
import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_FILE = os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK


class IsLink(OSError):
    """A name leads elsewhere: it is a link, or no folder or file at all."""


@dataclass(frozen=True)
class OpenFolder:
    """An open folder. All methods raise OSError."""

    descriptor: int

    @classmethod
    @contextmanager
    def at(cls, path: Path) -> Iterator[OpenFolder]:
        """The folder at this path, whose own links are followed."""
        with _closing(os.open(path, _FOLDER)) as descriptor:
            yield cls(descriptor)

    @contextmanager
    def folder(self, name: str, *, make: int | None = None) -> Iterator[OpenFolder]:
        """A folder in this one, made with the mode `make` where it is missing. Raises IsLink for a link or a file."""
        if make is not None and not self.has(name):
            with suppress(FileExistsError):  # another process has made it meanwhile
                os.mkdir(name, make, dir_fd=self.descriptor)
        with _no_links(name):
            descriptor = os.open(name, _FOLDER | os.O_NOFOLLOW, dir_fd=self.descriptor)
        with _closing(descriptor):
            yield OpenFolder(descriptor)

    def names(self) -> list[str]:
        return os.listdir(self.descriptor)  # noqa: PTH208 - of a descriptor

    def has(self, name: str) -> bool:
        """Whether there is anything of this name, a link included."""
        try:
            self.status(name)
        except FileNotFoundError:
            return False
        return True

    def status(self, name: str) -> os.stat_result:
        """The status of the file, folder or link itself."""
        return os.stat(name, dir_fd=self.descriptor, follow_symlinks=False)

    @property
    def is_own(self) -> bool:
        """Whether it belongs to this process's user."""
        return os.fstat(self.descriptor).st_uid == os.geteuid()

    @contextmanager
    def reading(self, name: str) -> Iterator[BinaryIO]:
        """A regular file to read. Raises IsLink for anything else."""
        with _no_links(name):
            descriptor = os.open(name, os.O_RDONLY | _FILE, dir_fd=self.descriptor)
        with os.fdopen(descriptor, "rb") as stream:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise IsLink(errno.ELOOP, "is no file", name)
            yield stream

    @contextmanager
    def appending(self, name: str) -> Iterator[BinaryIO]:
        """A file to append to, made where it is missing."""
        with _no_links(name):
            descriptor = os.open(name, os.O_WRONLY | os.O_APPEND | os.O_CREAT | _FILE, 0o600, dir_fd=self.descriptor)
        with os.fdopen(descriptor, "ab") as stream:
            yield stream

    @contextmanager
    def creating(self, name: str, mode: int = 0o600) -> Iterator[BinaryIO]:
        """A new file to write. Raises FileExistsError."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        with os.fdopen(os.open(name, flags, mode, dir_fd=self.descriptor), "wb") as stream:
            yield stream

    def link(self, name: str, other: OpenFolder, new: str) -> None:
        """Give the file a second name in another folder. Unlike a rename, it never replaces a file."""
        os.link(name, new, src_dir_fd=self.descriptor, dst_dir_fd=other.descriptor, follow_symlinks=False)

    def rename(self, name: str, new: str) -> None:
        """Rename within this folder, and replace what has the new name."""
        os.replace(name, new, src_dir_fd=self.descriptor, dst_dir_fd=self.descriptor)

    def remove(self, name: str) -> None:
        """Remove a file; none is no error."""
        with suppress(FileNotFoundError):
            os.unlink(name, dir_fd=self.descriptor)

    def remove_tree(self, name: str) -> None:
        """Remove a folder with all in it, as far as it can be. Links in it are removed, not followed."""
        shutil.rmtree(name, ignore_errors=True, dir_fd=self.descriptor)

    def sync(self) -> None:
        """Sync the names to the disk."""
        os.fsync(self.descriptor)


@contextmanager
def _closing(descriptor: int) -> Iterator[int]:
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@contextmanager
def _no_links(name: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENOTDIR):
            raise IsLink(error.errno, "is a link", name) from None
        raise
