"""Folders and files that nobody but their owner reads, by what this code does and not by the umask."""

from __future__ import annotations

import os
import shlex
import stat
from pathlib import Path

FOLDER, FILE = 0o700, 0o600
_OTHERS = 0o077


def private_folder(folder: Path) -> None:
    """Make the folder with mode 0700; an empty one of ours is closed, one with files is left for `why_not_private`.

    Raises OSError.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    try:
        folder.mkdir(FOLDER)
    except FileExistsError:
        if folder.stat().st_uid != os.geteuid() or any(folder.iterdir()):
            return
    folder.chmod(FOLDER)  # a umask may have taken from the owner, too


def private_file(path: Path) -> None:
    """Make the file, empty and with mode 0600; one that is there stays as it is. Raises OSError."""
    try:
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW, FILE)
    except FileExistsError:
        return
    try:
        os.fchmod(descriptor, FILE)
    finally:
        os.close(descriptor)


def write_private(path: Path, text: str) -> None:
    """Write a file of mode 0600 whole or not at all, and to the disk. Raises OSError."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    beside.unlink(missing_ok=True)
    private_file(beside)
    with beside.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)


def append_private(path: Path, line: str) -> None:
    """Add a line, or several, to a file of mode 0600, by one write: those of several writers do not mix. Raises OSError."""
    descriptor = os.open(path, os.O_CREAT | os.O_APPEND | os.O_WRONLY | os.O_NOFOLLOW, FILE)
    try:
        if os.fstat(descriptor).st_size == 0:
            os.fchmod(descriptor, FILE)
        os.write(descriptor, f"{line}\n".encode())
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def why_not_private(path: Path) -> str:
    """One sentence, with the remedy, where others than this user may read or own the folder or file; else ""."""
    found = path.stat()
    told = shlex.quote(str(path))
    if found.st_uid != os.geteuid():
        return (
            f"{path}: wanted it to belong to the user who runs this (uid {os.geteuid()}), "
            f"got uid {found.st_uid}: run this as that user, or `chown {os.geteuid()} {told}`"
        )
    mode = stat.S_IMODE(found.st_mode)
    if mode & _OTHERS:
        wanted = FOLDER if stat.S_ISDIR(found.st_mode) else FILE
        return f"{path}: wanted it closed to others (mode {wanted:o}), got {mode:o}: `chmod {wanted:o} {told}`"
    return ""
