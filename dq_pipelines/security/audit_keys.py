"""The keys of the audit log's chain, and how one follows another. What they sign belongs in `audit` and `anchor`."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass

from dq_pipelines.config import withheld
from dq_pipelines.config.private import append_private, private_folder
from dq_pipelines.errors import ConfigError, Problem, PublishError
from dq_pipelines.security.state import State

#: The file of the state with a key in each line, the newest last.
FILE = "audit.keys"


@dataclass(frozen=True)
class AuditKey:
    """One key."""

    secret: str

    @property
    def id(self) -> str:
        """What a line names it by; tells nothing of the key."""
        return hashlib.sha256(f"dq_pipelines audit key\n{self.secret}".encode()).hexdigest()[:12]

    def mark(self, *parts: object) -> str:
        """The HMAC-SHA256 of these parts, a line each."""
        text = "\n".join(map(str, parts)).encode()
        return hmac.new(self.secret.encode(), text, hashlib.sha256).hexdigest()


@dataclass(frozen=True)
class AuditKeys:
    """The keys of this state: those of `DQ_AUDIT_KEY` (with spaces between, the first signs), else those of its file."""

    state: State

    def newest(self) -> AuditKey:
        """The key that signs; made where there is none. Raises PublishError where its file cannot be read or written."""
        if given := _given():
            return AuditKey(given[0])
        return (self._kept() or [self._made()])[-1]

    def all(self) -> dict[str, AuditKey]:
        """Every key that there is, by id."""
        return {key.id: key for key in (*map(AuditKey, _given()), *self._kept())}

    def rotate(self) -> AuditKey:
        """Sign by a new key from now on; those before stay, to verify by. Raises ConfigError where the environment has the key."""
        if _given():
            said = "dq audit rotate-key: wanted the key in DQ_STATE, found DQ_AUDIT_KEY set: set it to `NEW OLD`, the first signs"
            raise ConfigError([Problem("", 0, said)])
        return self._made()

    def _made(self) -> AuditKey:
        secret = secrets.token_hex(32)
        try:
            private_folder(self.state.folder)
            append_private(self.state.folder / FILE, secret)
        except OSError as error:
            raise PublishError(f"{self.state.folder / FILE}: wanted a file to write, got: {error.strerror}") from None
        # Of two who made the first at once, both go by the one that came last.
        return self._kept()[-1]

    def _kept(self) -> list[AuditKey]:
        path = self.state.folder / FILE
        try:
            return [AuditKey(line) for line in path.read_text(encoding="utf-8").split()] if path.exists() else []
        except OSError as error:
            raise PublishError(f"{path}: wanted a file to read, got: {error.strerror}") from None


def _given() -> list[str]:
    return withheld.environment().get("DQ_AUDIT_KEY", "").split()
