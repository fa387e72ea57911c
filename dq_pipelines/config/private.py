"""Creates and checks folders and files that only their owner can read, regardless of the umask."""

from __future__ import annotations

import os
import shlex
import stat
from pathlib import Path

FOLDER, FILE = 0o700, 0o600
_OTHERS = 0o077


def private_folder(folder: Path) -> None:
    """Create the folder with mode 0700. An existing empty one of ours gets this mode; `why_not_private` reports one with files.

    Raises OSError.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    try:
        folder.mkdir(FOLDER)
    except FileExistsError:
        if folder.stat().st_uid != os.geteuid() or any(folder.iterdir()):
            return
    folder.chmod(FOLDER)  # a umask may have removed permissions of the owner too


def private_file(path: Path) -> None:
    """Create the file, empty and with mode 0600; an existing one does not change. Raises OSError."""
    try:
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW, FILE)
    except FileExistsError:
        return
    try:
        os.fchmod(descriptor, FILE)
    finally:
        os.close(descriptor)


def write_private(path: Path, text: str) -> None:
    """Write a file of mode 0600 atomically, and sync it to disk. Raises OSError."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.unlink(missing_ok=True)
    private_file(temporary)
    with temporary.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def append_private(path: Path, line: str) -> None:
    """Append a line, or several, to a file of mode 0600 by one write, so that writers do not interleave. Raises OSError."""
    descriptor = os.open(path, os.O_CREAT | os.O_APPEND | os.O_WRONLY | os.O_NOFOLLOW, FILE)
    try:
        if os.fstat(descriptor).st_size == 0:
            os.fchmod(descriptor, FILE)
        os.write(descriptor, f"{line}\n".encode())
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def why_not_private(path: Path) -> str:
    """One sentence, with the remedy, if others can read or own the folder or file; else ""."""
    status = path.stat()
    quoted = shlex.quote(str(path))
    if status.st_uid != os.geteuid():
        return (
            f"{path}: wanted it to belong to the user who runs this (uid {os.geteuid()}), "
            f"got uid {status.st_uid}: run this as that user, or `chown {os.geteuid()} {quoted}`"
        )
    mode = stat.S_IMODE(status.st_mode)
    if mode & _OTHERS:
        wanted = FOLDER if stat.S_ISDIR(status.st_mode) else FILE
        return f"{path}: wanted it closed to others (mode {wanted:o}), got {mode:o}: `chmod {wanted:o} {quoted}`"
    return ""
