"""The anchor of the audit log: a second, append-only file that says how long the log is and how it ends, line by line.

Whoever cuts the log's end off in its database, or writes it anew, has to change this file too, and cannot without the key.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from dq_pipelines.config.private import append_private, private_folder
from dq_pipelines.security.audit_keys import AuditKey
from dq_pipelines.security.state import State

FILE = "audit.anchor"
_DOMAIN = "anchor"
#: number, hash, id of the key, mark
_FIELDS = 4


@dataclass(frozen=True)
class Anchored:
    """What one line of the file says."""

    #: how many lines the log had
    number: int
    #: the hash of the last
    hash: str
    key: str
    mark: str

    def is_marked_by(self, key: AuditKey | None) -> bool:
        """Whether this is what was written with that key."""
        return key is not None and self.mark == key.mark(_DOMAIN, self.number, self.hash)


@dataclass(frozen=True)
class Anchor:
    """The file of this state."""

    state: State

    def add(self, lines: Sequence[tuple[int, str]], key: AuditKey) -> None:
        """Say of lines their numbers and hashes. Where that cannot be written it is told, and the log has them all the same."""
        said = [f"{number} {digest} {key.id} {key.mark(_DOMAIN, number, digest)}" for number, digest in lines]
        try:
            private_folder(self.state.folder)
            append_private(self.state.folder / FILE, "\n".join(said))
        except OSError as error:
            path, number = self.state.folder / FILE, lines[-1][0]
            sys.stderr.write(f"audit log: line {number} is written, but not anchored: {path}: {error.strerror}\n")

    @property
    def is_there(self) -> bool:
        """Whether anything was ever anchored here."""
        return (self.state.folder / FILE).exists()

    def lines(self) -> Iterator[Anchored | str]:
        """What was said, oldest first; a line that says nothing of the kind as it is."""
        if not self.is_there:
            return
        with (self.state.folder / FILE).open(encoding="utf-8", errors="replace") as file:
            for line in file:
                fields = line.split()
                if len(fields) == _FIELDS and fields[0].isascii() and fields[0].isdigit():
                    yield Anchored(int(fields[0]), *fields[1:])
                else:
                    yield line.rstrip("\n")
