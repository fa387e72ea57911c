"""To change the YAML files of a project from afar: looked through as the project would be with them, whole or not at all, kept.

Who may change which of them is for whoever calls. A file is written beside its place and moved there, so that whoever reads it
sees the one before or the one after, wherever the writer dies; the one before is kept in `.versions`, which no project loads.
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
#: The ending of what is not yet in its place.
_PART = ".dq-part"


class VersionConflict(DqError):
    """The file is not what whoever changes it has seen."""


class NameTaken(DqError):
    """There is a table of this name already."""


class ReadOnly(DqError):
    """The files cannot be changed from here."""


@dataclass(frozen=True)
class Version:
    """A file as it was before somebody changed or deleted it."""

    id: str
    replaced_at: datetime
    #: a user's name
    replaced_by: str
    domain: str
    path: Path


@dataclass(frozen=True)
class Editing:
    """The files below this folder, changed by one user at a time."""

    root: Path
    #: a user's name, for the versions
    who: str

    def why_read_only(self) -> str:
        """One sentence, where nothing can be changed; else ""."""
        if os.environ.get("DQ_CONFIG_READ_ONLY", "").lower() not in ("", "0", "false", "no"):
            return "the configuration is read-only here (DQ_CONFIG_READ_ONLY): change it where it is kept"
        if not os.access(self.root, os.W_OK | os.X_OK):
            return "the configuration is read-only here (its folder cannot be written): change it where it is kept"
        return ""

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Until the block ends nobody else changes a file from afar; raises ReadOnly."""
        if why := self.why_read_only():
            raise ReadOnly(why)
        try:
            (self.root / VERSIONS).mkdir(exist_ok=True)
            lock = os.open(self.root / VERSIONS / ".lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
        except OSError as error:
            raise ReadOnly(f"the configuration cannot be changed here: {error.strerror}") from None
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            for left in [*self.root.glob(f"*/.*{_PART}"), *self.root.glob(f"{VERSIONS}/*/*/.*{_PART}")]:
                left.unlink(missing_ok=True)  # of a writer that was killed
            yield
        finally:
            os.close(lock)

    def checked(self, file: TableFile, content: bytes, author: Author) -> Project:
        """The project as it would be with this content; raises ConfigError with all that is wrong with it, or not for this sender.

        Nothing is imported or read by what it says before it is known to be for this sender.
        """
        if len(content) > LONGEST:
            raise _wrong(str(file.path), f"wanted at most {LONGEST:,} bytes, got {len(content):,}")
        with tempfile.TemporaryDirectory(prefix="dq-edit-") as scratch:
            text = Path(scratch) / "table.yaml"
            text.write_bytes(content)
            return self._loaded(file, text, self._next(file, author))

    def without(self, file: TableFile) -> Project:
        """The project as it would be without this file; raises ConfigError where others need it."""
        return self._loaded(file, None, None)

    def must_be_new(self, file: TableFile) -> None:
        """Raise Taken, or ConfigError for a name that is none or a link on the way."""
        for what, name in (("domain", file.domain), ("table", file.name)):
            if not NAME.fullmatch(name) or len(name) > _LONGEST_NAME:
                said = f"wanted a {what} of a-z, 0-9 and _ that begins with a letter, got '{name[:60]}'"
                raise _wrong("", said)
        self._not_by_a_link(file)
        if file.name in table_files(self.root):
            raise NameTaken(f"wanted a new name, got '{file.name}', which there is")

    def create(self, file: TableFile, content: bytes, author: Author) -> None:
        """A new file; raises Taken, ConfigError for a name that is none or a link on the way."""
        self.must_be_new(file)
        file.path.parent.mkdir(exist_ok=True)
        self._sign(file, Authorship(author))
        fresh = self._beside(file.path, content)
        try:
            os.link(fresh, file.path)  # which, unlike a move, takes nobody else's place
        except FileExistsError:
            raise NameTaken(f"wanted a new name, got '{file.name}', which there is") from None
        finally:
            fresh.unlink()
        _settle(file.path.parent)

    def change(self, file: TableFile, content: bytes, seen: str, author: Author) -> None:
        """Other content, in place of the one with the mark `seen`; raises Changed, ConfigError."""
        self._keep(file, seen)
        fresh = self._beside(file.path, content)
        shutil.copymode(file.path, fresh)
        authorship = self._next(file, author)
        # Wherever the writer dies, nothing is judged by more rights than those of whoever wrote it.
        if not author.functions:
            self._sign(file, authorship)
        fresh.replace(file.path)
        _settle(file.path.parent)
        if author.functions:
            self._sign(file, authorship)

    def delete(self, file: TableFile, seen: str) -> None:
        """The file goes, if it is the one with the mark `seen`; raises Changed, ConfigError."""
        self._keep(file, seen)
        file.path.unlink()
        authorship_path(file.path).unlink(missing_ok=True)
        _settle(file.path.parent)

    def versions(self, name: str) -> list[Version]:
        """What files of this name said before, the newest first."""
        found = []
        for folder in (self.root / VERSIONS).glob("*/*"):
            for path in folder.iterdir() if folder.name == name and folder.is_dir() else ():
                if match := _VERSION.fullmatch(path.name):
                    at = datetime.strptime(match[1], _TIME).replace(tzinfo=UTC)
                    found.append(Version(path.stem, at, match[2], folder.parent.name, path))
        return sorted(found, key=lambda version: version.replaced_at, reverse=True)

    # --- within --------------------------------------------------------------------------------------

    def _keep(self, file: TableFile, seen: str) -> None:
        self._not_by_a_link(file)
        try:
            content = file.content
        except FileNotFoundError:
            raise VersionConflict(f"{file.name}: wanted the file that was seen, which is gone") from None
        if mark_of(content) != seen:
            raise VersionConflict(f"{file.name}: wanted the file that was seen, which somebody has changed: look again")
        who = re.sub(r"[^\w.@+-]", "_", self.who)[:64]
        folder = self.root / VERSIONS / file.domain / file.name
        folder.mkdir(parents=True, exist_ok=True)
        kept = folder / f"{datetime.now(UTC).strftime(_TIME)}-{who}.yaml"
        self._beside(kept, content).replace(kept)
        _settle(folder)

    @staticmethod
    def _next(file: TableFile, author: Author) -> Authorship:
        content = file.content if file.path.exists() else None
        return next_authorship(author, authorship_of(file.path) if content is not None else None, content)

    def _sign(self, file: TableFile, authorship: Authorship) -> None:
        """Note beside the file, on the disk, whose it is."""
        self._beside(file.path, authorship.content).replace(authorship_path(file.path))
        _settle(file.path.parent)

    def _not_by_a_link(self, file: TableFile) -> None:
        if file.path.is_symlink() or file.path.parent.is_symlink():
            raise _wrong(str(file.path), "wanted a file in a folder of the project, got a link to elsewhere")

    @staticmethod
    def _beside(path: Path, content: bytes) -> Path:
        """A whole file, on the disk, beside that place; its name is one that no project loads."""
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem}-", suffix=_PART)
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fchmod(stream.fileno(), 0o644)
            os.fsync(stream.fileno())
        return Path(name)

    def _loaded(self, file: TableFile, content: Path | None, authorship: Authorship | None) -> Project:
        """Raises ConfigError with what is wrong, but for what is wrong already in other files, and would be mended later."""
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
        """The tables that are sound; none where something is wrong that concerns all of them."""
        try:
            return load_sound_tables(self.root, change=change)
        except ConfigError:
            return Project(path=str(self.root))

    def told(self, error: ConfigError) -> ConfigError:
        """The same for somebody far away, whom it is no business where the folder lies."""
        root = f"{self.root}/"
        problems = (
            replace(one, file=one.file.removeprefix(root), message=one.message.replace(root, ""))
            for one in error.problems
        )
        return ConfigError(list(problems))


def owners_then(version: Version) -> tuple[str, ...]:
    """Whom that version named as owners."""
    return owners_of(said_by(version.path))


def _settle(folder: Path) -> None:
    """Have what was renamed in it outlive a loss of power."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _wrong(file: str, message: str) -> ConfigError:
    return ConfigError([Problem(file, 0, message)])
