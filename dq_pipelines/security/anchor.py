"""Writes and reads the audit log's anchor: an append-only file with the number and the hash of each line of the log.

Truncating or rewriting the log in its database goes undetected only if this file is changed too, which needs the key.
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
#: number, hash, id of the key, MAC
_FIELDS = 4


@dataclass(frozen=True)
class AnchorEntry:
    """One line of the file."""

    #: the number of the log's line
    number: int
    #: the hash of that line
    hash: str
    #: the id of the key
    key: str
    #: the MAC of number and hash
    mark: str

    def is_marked_by(self, key: AuditKey | None) -> bool:
        """Whether the MAC is valid for this key."""
        return key is not None and self.mark == key.mark(_DOMAIN, self.number, self.hash)


@dataclass(frozen=True)
class Anchor:
    """The anchor file of a state."""

    state: State

    def add(self, lines: Sequence[tuple[int, str]], key: AuditKey) -> None:
        """Append the numbers and hashes of lines. A failure is reported on stderr; the log keeps the lines anyway."""
        entries = [f"{number} {digest} {key.id} {key.mark(_DOMAIN, number, digest)}" for number, digest in lines]
        try:
            private_folder(self.state.folder)
            append_private(self.state.folder / FILE, "\n".join(entries))
        except OSError as error:
            path, number = self.state.folder / FILE, lines[-1][0]
            sys.stderr.write(f"audit log: line {number} is written, but not anchored: {path}: {error.strerror}\n")

    @property
    def exists(self) -> bool:
        """Whether anything was ever anchored here."""
        return (self.state.folder / FILE).exists()

    def lines(self) -> Iterator[AnchorEntry | str]:
        """The entries, oldest first; an invalid line as its text."""
        if not self.exists:
            return
        with (self.state.folder / FILE).open(encoding="utf-8", errors="replace") as file:
            for line in file:
                fields = line.split()
                if len(fields) == _FIELDS and fields[0].isascii() and fields[0].isdigit():
                    yield AnchorEntry(int(fields[0]), *fields[1:])
                else:
                    yield line.rstrip("\n")
