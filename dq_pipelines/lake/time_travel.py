"""Restores a table to an earlier version, in one commit.

The ledger is restored with the rows: entries since then are taken back, so that their batches are consumed again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property

from pyarrow import fs

from dq_pipelines.config.stores import filesystem
from dq_pipelines.errors import ConfigError, Problem, PublishError
from dq_pipelines.lake.failures import read_errors
from dq_pipelines.lake.formats.commit import Commit, Restore
from dq_pipelines.lake.formats.snapshot import TAKEN_BACK, Snapshot
from dq_pipelines.lake.publish import Publication
from dq_pipelines.lake.tables import LakeTable
from dq_pipelines.transforms.types import name_of


@dataclass(frozen=True)
class Moment:
    """The target of a restore as a person gives it: a version number or a time."""

    text: str

    @property
    def version(self) -> int | None:
        return int(self.text) if self.text.isdecimal() else None

    @cached_property
    def time(self) -> datetime:
        """The time; UTC without a zone. Raises ConfigError for any other text."""
        try:
            time = datetime.fromisoformat(self.text)
        except ValueError:
            wanted = "a version number or a time such as 2026-10-01T12:00:00Z"
            raise ConfigError([Problem("", 0, f"--as-of: wanted {wanted}, got '{self.text}'")]) from None
        return time if time.tzinfo else time.replace(tzinfo=UTC)


@dataclass(frozen=True)
class TableRestore:
    """One table and the version to restore."""

    table: LakeTable
    now: Snapshot
    then: Snapshot
    #: when that version was committed
    at: datetime

    @classmethod
    def to(cls, table: LakeTable, moment: Moment) -> TableRestore:
        """The restore of a table to a moment.

        Raises ConfigError for a version or time that the table does not have, PublishError where files were vacuumed.
        """
        now = table.snapshot().required()
        times = {commit.version: commit.at for commit in now.history() if commit.at is not None}
        first = min(times)
        if moment.version is not None:
            version = moment.version if moment.version in times else None
            wanted = f"a version from {first} to {now.version}"
        else:
            version = max((each for each, time in times.items() if time <= moment.time), default=None)
            wanted = f"a time since {times[first].isoformat(timespec='seconds')}, when version {first} was committed"
        if version is None:
            raise ConfigError([Problem("", 0, f"{table.key} --as-of: wanted {wanted}, got {moment.text}")])
        restore = cls(table, now, now.at(version), times[version])
        restore._require_files()
        return restore

    @property
    def versions(self) -> tuple[int, int]:
        """The current and the restored version."""
        return self.now.version, self.then.version

    @property
    def rows(self) -> tuple[int, int]:
        """The number of rows now and afterwards."""
        return self.now.rows(), self.then.rows()

    @property
    def files(self) -> tuple[int, int]:
        """The number of files that leave the table and that return."""
        now, then = ({file.path for file in each.files} for each in (self.now, self.then))
        return len(now - then), len(then - now)

    @property
    def columns(self) -> tuple[list[str], list[str]]:
        """The columns that leave the table or change their type, and those that return."""
        now, then = (
            {f"{name}: {name_of(dtype)}" for name, dtype in each.schema.items()} for each in (self.now, self.then)
        )
        return sorted(now - then), sorted(then - now)

    @cached_property
    def taken_back(self) -> Mapping[str, int]:
        """The ledger entries that change: names recorded since then, with their earlier number or `TAKEN_BACK`."""
        current, earlier = self.now.ledger, self.then.entries
        changed = {}
        for name in sorted(self.now.entries_since(self.then.version)):
            before = earlier.get(name, TAKEN_BACK)
            if current.get(name, TAKEN_BACK) != before:
                changed[name] = before
        return changed

    @property
    def changes(self) -> bool:
        return self.files != (0, 0) or bool(self.taken_back) or self.columns != ([], [])

    def commit(self) -> Publication:
        """Restore the version in one commit."""
        metadata = {"dq.restore": f"version {self.then.version}"}
        done = self.table.commit(Commit(Restore(self.then.version), self.taken_back, metadata, read=self.now))
        return Publication(self.table.key, done.version, self.rows[1])

    def _require_files(self) -> None:
        with read_errors(self.table.key, self.table.uri):
            files, root = filesystem(self.table.uri)
            paths = [f"{root}/{file.path}" for file in self.then.files]
            gone = [info for info in files.get_file_info(paths) if info.type is not fs.FileType.File] if paths else []
        if gone:
            raise PublishError(
                f"{self.table.key}: wanted the files of version {self.then.version}, but {len(gone)} of {len(paths)} "
                f"were vacuumed: take a later time, or --from-backup"
            )
