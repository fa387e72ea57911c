"""Who wrote a table's file over the network: a mark beside the file, which no request can remove.

`sales.yaml` that came by REST has `.sales.author.json` beside it. Whoever loads the project judges such a file by its author's
rights, each time (see `remote_policy`). A file without a mark was written on the server's disk, by somebody who is its master already.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from dq_pipelines.errors import ConfigError, Problem


@dataclass(frozen=True)
class Author:
    """Who sends a file, and what of the server it may use."""

    #: a user's name
    name: str
    #: the scopes of the grants by which they may write tables, such as `domain:retail`; none where they may everywhere
    scopes: tuple[str, ...] = ()
    #: whether they may name Python functions: an admin of everything may
    functions: bool = False

    @property
    def is_scoped(self) -> bool:
        return bool(self.scopes)


@dataclass(frozen=True)
class Authorship:
    """That a file came over the network."""

    author: Author
    #: the text that somebody with more rights had written there before, and that may stay; None for a new file
    base: str | None = None

    @property
    def content(self) -> bytes:
        """As it is kept."""
        return json.dumps({**asdict(self.author), "base": self.base}, indent=1).encode()


def authorship_path(file: Path) -> Path:
    """Where the mark of a table's file is kept."""
    return file.with_name(f".{file.stem}.author.json")


def authorship_of(file: Path) -> Authorship | None:
    """The mark of a table's file, None without one; raises ConfigError for a mark that cannot be read."""
    path = authorship_path(file)
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError) as error:
        raise _unreadable(path, str(error)) from None
    return _authorship(path, found)


def next_authorship(author: Author, before: Authorship | None, content: bytes | None) -> Authorship:
    """The mark of a file that `author` writes over `content` (None for a new file), which had the mark `before`."""
    if content is None:
        return Authorship(author)
    if before is not None and not before.author.functions:
        return Authorship(author, before.base)
    return Authorship(author, content.decode("utf-8", "replace"))


def _authorship(path: Path, found: Any) -> Authorship:
    if not isinstance(found, dict):
        raise _unreadable(path, "no mapping")
    name, scopes, functions, base = (found.get(key) for key in ("name", "scopes", "functions", "base"))
    if not isinstance(name, str) or not isinstance(scopes, list) or not all(isinstance(one, str) for one in scopes):
        raise _unreadable(path, "no name or no scopes")
    if not isinstance(functions, bool) or not isinstance(base, str | None):
        raise _unreadable(path, "no functions or no base")
    return Authorship(Author(name, tuple(scopes), functions), base)


def _unreadable(path: Path, got: str) -> ConfigError:
    wanted = "wanted who wrote this table over the network, got"
    return ConfigError(
        [Problem(str(path), 0, f"{wanted} {got[:200]} (who answers for the table on the disk, may delete it)")]
    )
