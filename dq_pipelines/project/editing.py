"""Creates, changes and deletes the YAML files of a project for remote users, after checking the project as it would become.

Callers check permissions. A change writes a temporary file and renames it, so a reader sees the old or the new file, even if the
writer is killed. The old file is kept in `.versions`, which no project loads.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from dq_pipelines.config.disk_sync import sync
from dq_pipelines.errors import ConfigError, DqError, Problem
from dq_pipelines.project.authors import Author, Authorship, authorship_of, authorship_path, next_authorship
from dq_pipelines.project.draft import Change
from dq_pipelines.project.files import TableFile, mark_of, said_by, table_files
from dq_pipelines.project.loading import load_project, load_sound_tables
from dq_pipelines.project.model import Project, owners_of
from dq_pipelines.project.names import NAME
from dq_pipelines.project.remote_policy import LONGEST

VERSIONS = ".versions"

_TIME = "%Y%m%dT%H%M%S%fZ"
_VERSION = re.compile(r"(\d{8}T\d{12}Z)-([\w.@+-]{0,64})\.yaml")
_LONGEST_NAME = 100
#: Earlier versions of a file that are kept by default, and at most.
_KEPT, _MOST_KEPT = 100, 100_000
#: The suffix of temporary files.
_PART = ".dq-part"


class VersionConflict(DqError):
    """The file has changed since the user read it."""


class NameTaken(DqError):
    """A table of this name exists already."""


class ReadOnly(DqError):
    """The files cannot be changed from here."""


@dataclass(frozen=True)
class Version:
    """A file as it was before a change or a deletion."""

    id: str
    replaced_at: datetime
    #: a user's name
    replaced_by: str
    domain: str
    path: Path


@dataclass(frozen=True)
class Editing:
    """Edits of the files below a folder, by one user at a time."""

    root: Path
    #: the name of the user, recorded in the versions
    who: str

    def why_read_only(self) -> str:
        """One sentence if nothing can be changed; else ""."""
        if os.environ.get("DQ_CONFIG_READ_ONLY", "").lower() not in ("", "0", "false", "no"):
            return "the configuration is read-only here (DQ_CONFIG_READ_ONLY): change it where it is kept"
        if not os.access(self.root, os.W_OK | os.X_OK):
            return "the configuration is read-only here (its folder cannot be written): change it where it is kept"
        return ""

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Hold the lock for remote edits during the block; raises ReadOnly."""
        if why := self.why_read_only():
            raise ReadOnly(why)
        try:
            _made(self.root / VERSIONS)
            lock = os.open(self.root / VERSIONS / ".lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
        except OSError as error:
            raise ReadOnly(f"the configuration cannot be changed here: {error.strerror}") from None
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            for leftover in [*self.root.glob(f"*/.*{_PART}"), *self.root.glob(f"{VERSIONS}/*/*/.*{_PART}")]:
                leftover.unlink(missing_ok=True)  # of a writer that was killed
            yield
        finally:
            os.close(lock)

    def checked(self, file: TableFile, content: bytes, author: Author) -> Project:
        """The project as it would be with this content; raises ConfigError for invalid content and for missing permissions.

        Permissions come first: before, nothing that the content names is imported or read.
        """
        if len(content) > LONGEST:
            raise _wrong(str(file.path), f"wanted at most {LONGEST:,} bytes, got {len(content):,}")
        with tempfile.TemporaryDirectory(prefix="dq-edit-") as scratch:
            text = Path(scratch) / "table.yaml"
            text.write_bytes(content)
            return self._loaded(file, text, self.authorship(file, author))

    def without(self, file: TableFile) -> Project:
        """The project as it would be without this file; raises ConfigError if others need it."""
        return self._loaded(file, None, None)

    def must_be_new(self, file: TableFile) -> None:
        """Raise NameTaken, or ConfigError for an invalid name or a symbolic link in the path."""
        for what, name in (("domain", file.domain), ("table", file.name)):
            if not NAME.fullmatch(name) or len(name) > _LONGEST_NAME:
                message = f"wanted a {what} of a-z, 0-9 and _ that begins with a letter, got '{name[:60]}'"
                raise _wrong("", message)
        self._refuse_links(file)
        if file.name in table_files(self.root):
            raise NameTaken(f"wanted a new name, got '{file.name}', which exists")

    def create(self, file: TableFile, content: bytes, author: Author) -> None:
        """Write a new file; raises as `must_be_new` does."""
        self.must_be_new(file)
        file.path.parent.mkdir(exist_ok=True)
        self._sign(file, Authorship(author))
        fresh = self._temporary(file.path, content)
        try:
            os.link(fresh, file.path)  # unlike a rename, it never replaces an existing file
        except FileExistsError:
            raise NameTaken(f"wanted a new name, got '{file.name}', which exists") from None
        finally:
            fresh.unlink()
        sync(file.path.parent)

    def take_back(self, file: TableFile, content: bytes) -> None:
        """Remove what `create` has just written, unless somebody has changed it since."""
        if file.path.is_file() and file.content == content:
            file.path.unlink()
            authorship_path(file.path).unlink(missing_ok=True)
            sync(file.path.parent)

    def change(self, file: TableFile, content: bytes, seen: str, author: Author) -> None:
        """Replace the content whose digest is `seen`; raises VersionConflict, ConfigError."""
        self._keep(file, seen)
        fresh = self._temporary(file.path, content)
        shutil.copymode(file.path, fresh)
        authorship = self.authorship(file, author)
        # In this order, a killed writer never leaves a file with more permissions than its author has.
        if not author.functions:
            self._sign(file, authorship)
        fresh.replace(file.path)
        sync(file.path.parent)
        if author.functions:
            self._sign(file, authorship)

    def delete(self, file: TableFile, seen: str) -> None:
        """Delete the file whose content has the digest `seen`; raises VersionConflict, ConfigError."""
        self._keep(file, seen)
        file.path.unlink()
        authorship_path(file.path).unlink(missing_ok=True)
        sync(file.path.parent)

    def versions(self, name: str) -> list[Version]:
        """Earlier versions of the files of this name, the newest first."""
        versions = []
        for folder in (self.root / VERSIONS).glob("*/*"):
            for path in folder.iterdir() if folder.name == name and folder.is_dir() else ():
                if match := _VERSION.fullmatch(path.name):
                    at = datetime.strptime(match[1], _TIME).replace(tzinfo=UTC)
                    versions.append(Version(path.stem, at, match[2], folder.parent.name, path))
        return sorted(versions, key=lambda version: version.replaced_at, reverse=True)

    # --- within --------------------------------------------------------------------------------------

    def _keep(self, file: TableFile, seen: str) -> None:
        self._refuse_links(file)
        try:
            content = file.content
        except FileNotFoundError:
            raise VersionConflict(f"{file.name}: wanted the file that you read, which is deleted") from None
        if mark_of(content) != seen:
            raise VersionConflict(f"{file.name}: wanted the file that you read, which has changed since: read it again")
        who = re.sub(r"[^\w.@+-]", "_", self.who)[:64]
        folder = self.root / VERSIONS / file.domain / file.name
        folder.mkdir(parents=True, exist_ok=True)
        kept = folder / f"{datetime.now(UTC).strftime(_TIME)}-{who}.yaml"
        self._temporary(kept, content).replace(kept)
        sync(folder)
        for version in [one for one in self.versions(file.name) if one.domain == file.domain][versions_kept() :]:
            version.path.unlink(missing_ok=True)

    @staticmethod
    def authorship(file: TableFile, author: Author) -> Authorship:
        """The record of the file if this author writes it now."""
        content = file.content if file.path.exists() else None
        return next_authorship(author, authorship_of(file.path) if content is not None else None, content)

    def _sign(self, file: TableFile, authorship: Authorship) -> None:
        """Write the record of the author next to the file, and sync it to disk."""
        self._temporary(file.path, authorship.content).replace(authorship_path(file.path))
        sync(file.path.parent)

    def _refuse_links(self, file: TableFile) -> None:
        if file.path.is_symlink() or file.path.parent.is_symlink():
            raise _wrong(str(file.path), "wanted a file in a folder of the project, got a link to elsewhere")

    @staticmethod
    def _temporary(path: Path, content: bytes) -> Path:
        """Write a temporary file in the same folder, and sync it to disk; no project loads its name."""
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem}-", suffix=_PART)
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fchmod(stream.fileno(), 0o644)
            os.fsync(stream.fileno())
        return Path(name)

    def _loaded(self, file: TableFile, content: Path | None, authorship: Authorship | None) -> Project:
        """Raises ConfigError with the problems that the change adds; problems that other files already have do not count."""
        change = Change(file.path.relative_to(self.root), content, authorship)
        try:
            return load_project(self.root, change=change)
        except ConfigError as error:
            after = error.problems
        try:
            load_project(self.root)
        except ConfigError as error:
            known = {problem for problem in error.problems if problem.file != str(file.path)}
            after = tuple(problem for problem in after if problem not in known)
            if not after:
                return self._sound_with(change)
        raise ConfigError(after)

    def _sound_with(self, change: Change) -> Project:
        """The project's valid tables; none if a problem concerns all tables."""
        try:
            return load_sound_tables(self.root, change=change)
        except ConfigError:
            return Project(path=str(self.root))

    def told(self, error: ConfigError) -> ConfigError:
        """The same error for a remote user: without the path of the project's folder."""
        root = f"{self.root}/"
        problems = (
            replace(problem, file=problem.file.removeprefix(root), message=problem.message.replace(root, ""))
            for problem in error.problems
        )
        return ConfigError(list(problems))


def versions_kept() -> int:
    """How many earlier versions of a file are kept: `DQ_VERSIONS`, 100 by default. Raises ConfigError."""
    text = os.environ.get("DQ_VERSIONS", "") or str(_KEPT)
    if not text.isdecimal() or not 1 <= int(text) <= _MOST_KEPT:
        raise _wrong("", f"DQ_VERSIONS: wanted a number of versions from 1 to {_MOST_KEPT:,}, got '{text[:40]}'")
    return int(text)


def owners_then(version: Version) -> tuple[str, ...]:
    """The owners named in that version."""
    return owners_of(said_by(version.path))


def _made(versions: Path) -> None:
    """Make the folder of versions, which Git leaves alone: its history has them."""
    if not versions.is_dir():
        versions.mkdir(exist_ok=True)
        (versions / ".gitignore").write_text("*\n", encoding="utf-8")


def _wrong(file: str, message: str) -> ConfigError:
    return ConfigError([Problem(file, 0, message)])
