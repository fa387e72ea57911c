"""What a tunnel proves itself with, and whom it trusts: the private key, the agent and the known hosts."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from dq_pipelines.databases.tunnel import Tunnel
from dq_pipelines.errors import SourceError

if TYPE_CHECKING:
    import asyncssh

#: No key and no list of known hosts is longer.
_MOST_BYTES = 16 << 20


def private_key(tunnel: Tunnel) -> asyncssh.SSHKey:
    """The private key of a tunnel with `key`. Raises SourceError, without a word of the key or its passphrase."""
    import asyncssh

    key = tunnel.key or ""
    is_text = "PRIVATE KEY-----" in key
    text = key if is_text else _file_of(key)
    name = "the key" if is_text else f"the key {_shown(key)}"
    try:
        return asyncssh.import_private_key(text.strip() + "\n", tunnel.passphrase or None)
    except ValueError as error:  # KeyImportError and KeyEncryptionError
        if str(error).startswith("Passphrase must"):
            raise SourceError(f"{name} has a passphrase: wanted 'passphrase', got none") from None
        if "passphrase" in str(error) or "decrypt" in str(error):
            raise SourceError(f"wanted the passphrase of {name}, got a wrong one") from None
        raise SourceError(f"wanted a private key in 'key', or the path of one, got what is none in {name}") from None


def _file_of(path: str) -> str:
    file, name = Path(path).expanduser(), f"the key {_shown(path)}"
    try:
        status = file.stat()
        # As OpenSSH has it: a file of ours is ours alone; one of another user may be lent to our group.
        if status.st_mode & (0o077 if status.st_uid == os.geteuid() else 0o007):
            raise SourceError(f"wanted {name} to be closed to others (mode 600), got {status.st_mode & 0o777:o}")
        return _read(file)
    except FileNotFoundError:
        raise SourceError(f"wanted {name}, found no such file") from None
    except (OSError, ValueError) as error:
        raise SourceError(f"wanted to read {name}, got: {_why(error)}") from None


def _shown(path: str) -> str:
    """The path of a file; what may be the text of a key in a form that nobody knows is not shown."""
    return f"'{path}'" if path[:1] in "/~." and len(path) <= 200 and "\n" not in path else "file"


def _read(file: Path) -> str:
    with file.open("rb") as opened:
        return opened.read(_MOST_BYTES).decode()


def _why(error: OSError | ValueError) -> str:
    return (error.strerror or "it cannot be read") if isinstance(error, OSError) else "it is no text"


def known_hosts(tunnel: Tunnel) -> asyncssh.SSHKnownHosts:
    """The host keys that are trusted. Raises SourceError without such a file: then nobody could be trusted."""
    import asyncssh

    path = tunnel.known_hosts
    try:
        text = _read(Path(path).expanduser())
    except FileNotFoundError:
        raise SourceError(f"wanted the known_hosts file '{path}', found no such file") from None
    except (OSError, ValueError) as error:
        raise SourceError(f"wanted to read the known_hosts file '{path}', got: {_why(error)}") from None
    try:
        return asyncssh.import_known_hosts(text)
    except ValueError:
        raise SourceError(f"wanted a known_hosts file as OpenSSH writes it, got what is none in '{path}'") from None


def agent_path() -> str:
    """Where the agent listens. Raises SourceError."""
    path = os.environ.get("SSH_AUTH_SOCK", "")
    if not path:
        raise SourceError("wanted an SSH agent, got no SSH_AUTH_SOCK")
    return path
