"""Inputs: what a source lists, in which version, and what bronze's ledger has kept of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime


@dataclass(frozen=True)
class Version:
    """The state in which an input was listed. Bronze's ledger keeps its two numbers."""

    #: another one for another content, as far as the source knows without reading it: a modification time, the version of a
    #: table, an offset in a log. Of two inputs of a source, the one with the greater number is the later one
    number: int
    #: another one after every write, and sometimes without one: a local file's change time; 0 where the source has none.
    #: It says when to compare contents, and is no part of what the input is
    changed: int = field(default=0, compare=False, repr=False)

    @property
    def written_at(self) -> datetime | None:
        """When the input was written; None where the version is no time."""
        return None

    def __str__(self) -> str:
        return f"version {self.number}"


@dataclass(frozen=True)
class ModificationTime(Version):
    """The version of a file: `number` is its modification time, `changed` its change time, in nanoseconds since the epoch.

    The kernel sets the change time at every write, and nobody else can. `chmod` and `mv` set it, too.
    """

    @property
    def written_at(self) -> datetime | None:
        return datetime.fromtimestamp(self.number / 1e9, UTC)

    def __str__(self) -> str:
        return f"the version of {self.written_at:%Y-%m-%d %H:%M:%S} UTC"


@dataclass(frozen=True)
class Input:
    """One thing that bronze consumes once in each version: a file, an object in a store, a Delta table, a range of a log."""

    #: absolute path or URI
    uri: str
    #: bytes; of a Delta table, its version
    size: int
    version: Version

    @property
    def fingerprint(self) -> str:
        """Address, size and version number as text, of which digests such as a batch's id are made."""
        return f"{self.uri}\n{self.size}\n{self.version.number}\n"


@dataclass(frozen=True)
class ConsumedVersion:
    """The version of an input that bronze consumed last, as its ledger has it."""

    #: where the input lay
    uri: str
    #: `Version.number`
    number: int
    #: `Version.changed`; None where it was 0, and in the ledgers of earlier releases
    changed: int | None
    #: `Source.content_of`; None in the ledgers of early releases
    content: int | None


@dataclass(frozen=True)
class PassedOver:
    """Something at a source's address that no run reads: no file, a file of no partition, a member of an archive that is no data."""

    #: absolute path or URI; of a member of an archive, followed by `#` and its name
    uri: str
    #: why, to stand after the address: `it is a folder`
    why: str


@dataclass(frozen=True)
class Listed:
    """What there is at a source's address."""

    #: in a stable order
    inputs: tuple[Input, ...]
    passed_over: tuple[PassedOver, ...] = ()
