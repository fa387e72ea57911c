"""Endings of names that say how a file is packed. Those that say what is in it are in `FileSource.kinds` of each source."""

from __future__ import annotations

import bz2
import gzip
import lzma
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Packing:
    """One way in which a single file is packed."""

    #: to stand after `wanted` or `got`: `a gzip archive`
    described: str
    name: str
    #: the bytes that it starts with
    start: bytes
    opened: Callable[[Path], Any]


def _zstd(packed: Path) -> Any:
    from pyarrow import CompressedInputStream, OSFile

    return CompressedInputStream(OSFile(str(packed)), "zstd")


#: By the ending of a name.
PACKINGS = {
    ".gz": Packing("a gzip archive", "gzip", b"\x1f\x8b", gzip.open),
    ".bz2": Packing("a bzip2 archive", "bzip2", b"BZh", bz2.open),
    ".xz": Packing("an xz archive", "xz", b"\xfd7zXZ\x00", lzma.open),
    ".zst": Packing("a zstd archive", "zstd", b"\x28\xb5\x2f\xfd", _zstd),
}
#: Of an archive that may hold several files.
ZIP = ".zip"


def packed_as(name: str) -> str:
    """The ending in which an archive's name ends, or "" for one of no archive."""
    return next((ending for ending in (*PACKINGS, ZIP) if name.lower().endswith(ending)), "")


def has_members(name: str) -> bool:
    """Whether the name is one of an archive that may hold several files."""
    return packed_as(name) == ZIP


def plain_name(relative: str) -> bool:
    """Whether no name on the way is hidden (`.git`) or a tool's own (`_SUCCESS`, `_delta_log`)."""
    return not any(name.startswith((".", "_")) for name in relative.split("/"))
