"""Reads, makes and rotates the keys that sign the audit log."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass

from dq_pipelines.config import withheld
from dq_pipelines.config.private import append_private, private_folder
from dq_pipelines.errors import ConfigError, Problem, PublishError
from dq_pipelines.security.state import State

#: A file of the state with one key per line, the newest last.
FILE = "audit.keys"


@dataclass(frozen=True)
class AuditKey:
    """A key for HMACs of the audit log."""

    secret: str

    @property
    def id(self) -> str:
        """The id in a line; it does not reveal the key."""
        return hashlib.sha256(f"dq_pipelines audit key\n{self.secret}".encode()).hexdigest()[:12]

    def mark(self, *parts: object) -> str:
        """The HMAC-SHA256 of these parts, joined by newlines."""
        text = "\n".join(map(str, parts)).encode()
        return hmac.new(self.secret.encode(), text, hashlib.sha256).hexdigest()


@dataclass(frozen=True)
class AuditKeys:
    """The keys of a state: those in `DQ_AUDIT_KEY` (separated by spaces, the first signs), else those in its file."""

    state: State

    def newest(self) -> AuditKey:
        """The key that signs; made if there is none. Raises PublishError if its file cannot be read or written."""
        if secrets_given := _from_environment():
            return AuditKey(secrets_given[0])
        return (self._from_file() or [self._make()])[-1]

    def all(self) -> dict[str, AuditKey]:
        """All keys by id."""
        return {key.id: key for key in (*map(AuditKey, _from_environment()), *self._from_file())}

    def rotate(self) -> AuditKey:
        """Sign by a new key from now on; earlier keys stay, for verification. Raises ConfigError if the environment gives the key."""
        if _from_environment():
            message = "dq audit rotate-key: wanted the key in DQ_STATE, found DQ_AUDIT_KEY set: set it to `NEW OLD`, the first signs"
            raise ConfigError([Problem("", 0, message)])
        return self._make()

    def _make(self) -> AuditKey:
        secret = secrets.token_hex(32)
        try:
            private_folder(self.state.folder)
            append_private(self.state.folder / FILE, secret)
        except OSError as error:
            raise PublishError(f"{self.state.folder / FILE}: wanted a file to write, got: {error.strerror}") from None
        # If two processes make the first key at once, both use the last one in the file.
        return self._from_file()[-1]

    def _from_file(self) -> list[AuditKey]:
        path = self.state.folder / FILE
        try:
            return [AuditKey(line) for line in path.read_text(encoding="utf-8").split()] if path.exists() else []
        except OSError as error:
            raise PublishError(f"{path}: wanted a file to read, got: {error.strerror}") from None


def _from_environment() -> list[str]:
    return withheld.environment().get("DQ_AUDIT_KEY", "").split()
