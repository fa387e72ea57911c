"""Records who wrote a table's file over the network, in a file next to it that no request can remove.

`sales.yaml` written by REST has `.sales.author.json` next to it. Each load of the project checks such a file against its author's
permissions (see `remote_policy`). A file without a record was written on the server's disk, by somebody who controls the server anyway.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from dq_pipelines.errors import ConfigError, Problem


@dataclass(frozen=True)
class Author:
    """The user who sends a file, and what it may use of the server."""

    #: a user's name
    name: str
    #: the scopes within which they may write tables, such as `domain:retail`; empty: everywhere
    scopes: tuple[str, ...] = ()
    #: whether their files may name Python functions; only a global admin's may
    functions: bool = False

    @property
    def is_scoped(self) -> bool:
        return bool(self.scopes)


@dataclass(frozen=True)
class Authorship:
    """Record of a file that was written over the network."""

    author: Author
    #: the earlier text, by an author with more permissions; what it contains may stay. None for a new file
    base: str | None = None

    @property
    def content(self) -> bytes:
        """The record as JSON."""
        return json.dumps({**asdict(self.author), "base": self.base}, indent=1).encode()


def authorship_path(file: Path) -> Path:
    """The path of the record for a table's file."""
    return file.with_name(f".{file.stem}.author.json")


def authorship_of(file: Path) -> Authorship | None:
    """The record of a table's file, or None; raises ConfigError for an unreadable record."""
    path = authorship_path(file)
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError) as error:
        raise _unreadable(path, str(error)) from None
    return _authorship(path, record)


def next_authorship(author: Author, before: Authorship | None, content: bytes | None) -> Authorship:
    """The record for a file that `author` writes over `content` (None: a new file), whose record was `before`."""
    if content is None:
        return Authorship(author)
    if before is not None and not before.author.functions:
        return Authorship(author, before.base)
    return Authorship(author, content.decode("utf-8", "replace"))


def _authorship(path: Path, record: Any) -> Authorship:
    if not isinstance(record, dict):
        raise _unreadable(path, "no mapping")
    name, scopes, functions, base = (record.get(key) for key in ("name", "scopes", "functions", "base"))
    if not isinstance(name, str) or not isinstance(scopes, list) or not all(isinstance(scope, str) for scope in scopes):
        raise _unreadable(path, "no name or no scopes")
    if not isinstance(functions, bool) or not isinstance(base, str | None):
        raise _unreadable(path, "no functions or no base")
    return Authorship(Author(name, tuple(scopes), functions), base)


def _unreadable(path: Path, got: str) -> ConfigError:
    wanted = "wanted who wrote this table over the network, got"
    hint = "if you trust the table's file as it is on disk, delete this record"
    return ConfigError([Problem(str(path), 0, f"{wanted} {got[:200]} ({hint})")])
