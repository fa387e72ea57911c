"""Restore: a table brought back to what it was at an earlier version, in one commit of Delta's own.

The ledger goes back with the rows: what was consumed since then is taken back, so that it is consumed again. Which
layers belong together is said in `pipeline.maintenance.restore`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property

from deltalake import DeltaTable
from deltalake.exceptions import DeltaError
from pyarrow import fs

from dq_pipelines.config.stores import filesystem, options, said
from dq_pipelines.errors import ConfigError, Problem, PublishError
from dq_pipelines.lake.durable import sync_commit
from dq_pipelines.lake.ledger import TAKEN_BACK, noted_since, noting, transactions
from dq_pipelines.lake.publish import Publication, publish_errors
from dq_pipelines.lake.tables import LakeTable


@dataclass(frozen=True)
class Moment:
    """What a person says a table is to be brought back to: a version number, or a time."""

    text: str

    @property
    def version(self) -> int | None:
        return int(self.text) if self.text.isdecimal() else None

    @cached_property
    def time(self) -> datetime:
        """A time without a zone is UTC; raises ConfigError for a text that is none."""
        try:
            found = datetime.fromisoformat(self.text)
        except ValueError:
            wanted = "a version number or a time such as 2026-10-01T12:00:00Z"
            raise ConfigError([Problem("", 0, f"--as-of: wanted {wanted}, got '{self.text}'")]) from None
        return found if found.tzinfo else found.replace(tzinfo=UTC)


@dataclass(frozen=True)
class Return:
    """One table and the version that it goes back to."""

    table: LakeTable
    now: DeltaTable
    then: DeltaTable
    #: when the version came into being
    at: datetime

    @classmethod
    def to(cls, table: LakeTable, moment: Moment) -> Return:
        """Raises ConfigError for a version or time that the table does not have, PublishError for vacuumed files."""
        now = table.opened()
        times = {entry["version"]: _time(entry["timestamp"]) for entry in now.history()}
        first = min(times)
        if moment.version is not None:
            version = moment.version if moment.version in times else None
            wanted = f"a version from {first} to {now.version()}"
        else:
            version = max((each for each, time in times.items() if time <= moment.time), default=None)
            wanted = f"a time since {times[first].isoformat(timespec='seconds')}, when version {first} came into being"
        if version is None:
            raise ConfigError([Problem("", 0, f"{table.key} --as-of: wanted {wanted}, got {moment.text}")])
        found = cls(table, now, _opened(table, version), times[version])
        found._must_be_whole()
        return found

    @property
    def versions(self) -> tuple[int, int]:
        """From which to which."""
        return self.now.version(), self.then.version()

    @property
    def rows(self) -> tuple[int, int]:
        """How many now, and how many afterwards."""
        return int(self.now.count()), int(self.then.count())

    @property
    def files(self) -> tuple[int, int]:
        """How many files leave the table, and how many come back."""
        now, then = set(self.now.file_uris()), set(self.then.file_uris())
        return len(now - then), len(then - now)

    @property
    def columns(self) -> tuple[list[str], list[str]]:
        """The columns that leave the table, or change their type, and those that come back."""
        now, then = (
            {f"{field.name}: {_type(field)}" for field in each.schema().fields} for each in (self.now, self.then)
        )
        return sorted(now - then), sorted(then - now)

    @cached_property
    def taken_back(self) -> Mapping[str, int]:
        """What the ledger will say of that which was noted since."""
        holds = transactions(self.table)
        found = {}
        for name in sorted(noted_since(self.table, self.then.version())):
            number = self.then.transaction_version(name)
            before = TAKEN_BACK if number is None else number
            if holds.get(name, TAKEN_BACK) != before:
                found[name] = before
        return found

    @property
    def changes(self) -> bool:
        return self.files != (0, 0) or bool(self.taken_back) or self.columns != ([], [])

    def commit(self) -> Publication:
        """Go back, in one commit."""
        properties = noting(self.taken_back, {"dq.restore": f"version {self.then.version()}"})
        with publish_errors(self.table.key, self.table.uri):
            self.now.restore(self.then.version(), commit_properties=properties)
            sync_commit(self.table)
        return Publication(self.table.key, self.table.opened().version(), self.rows[1])

    def _must_be_whole(self) -> None:
        files, root = filesystem(self.table.uri)
        paths = [_path(uri, self.table.uri, root) for uri in self.then.file_uris()]
        gone = [info for info in files.get_file_info(paths) if info.type is not fs.FileType.File] if paths else []
        if gone:
            raise PublishError(
                f"{self.table.key}: wanted the files of version {self.then.version()}, but {len(gone)} of {len(paths)} "
                f"were vacuumed: take a later time, or --from-backup"
            )


def _opened(table: LakeTable, version: int) -> DeltaTable:
    try:
        return DeltaTable(table.uri, version=version, storage_options=options(table.uri))
    except (DeltaError, OSError) as error:
        raise PublishError(f"{table.uri}: wanted version {version} of {table.key}, got: {said(error)}") from None


def _path(uri: str, table: str, root: str) -> str:
    """The place of a data file in the file system that holds its table."""
    return f"{root}{uri.removeprefix('file://').removeprefix(table.removeprefix('file://'))}"


def _time(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def _type(field: object) -> str:
    kind = getattr(field, "type", None)
    return str(getattr(kind, "type", kind))
