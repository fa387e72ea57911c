"""Archives: gzip and zip unpacked to plain files, whole or not at all, and never a bomb.

Where an archive comes from and which source reads what was in it belong in `files.py`.
"""

from __future__ import annotations

import gzip
import os
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

from dq_pipelines.errors import SourceError
from dq_pipelines.sources.base import Input
from dq_pipelines.sources.failures import failure
from dq_pipelines.sources.order import natural

#: An archive may unpack to this many times its size, or to ROOM bytes if that is more: a file of text
#: rarely shrinks a hundredfold, deflate's own limit (a bomb) is 1032.
MOST_RATIO = 300
ROOM = 256 * 1024**2
_CHUNK = 1024**2


class Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


def plain_name(relative: str) -> bool:
    """Whether no name on the way is hidden (`.git`) or a tool's own (`_SUCCESS`, `_delta_log`)."""
    return not any(name.startswith((".", "_")) for name in relative.split("/"))


def gunzip(item: Input, packed: Path, plain: Path) -> Path:
    with packed.open("rb") as raw:
        start = raw.read(2)
    if start != b"\x1f\x8b":
        got = f"bytes {start!r}" if start else "0 bytes"
        raise SourceError(f"{item.uri}: wanted a gzip archive (it starts with 1f 8b), got {got}")
    with gzip.open(packed) as stream:
        _whole(item, "gzip", lambda: copy(stream, plain, _most(item.size)))
    return plain


def unzip(item: Input, packed: Path, folder: Path) -> Iterator[tuple[str, Path]]:
    archive = _whole(item, "zip", lambda: zipfile.ZipFile(packed))
    with archive:
        members = [m for m in archive.infolist() if not m.is_dir() and plain_name(m.filename.lstrip("/"))]
        if not members:
            raise SourceError(f"{item.uri}: wanted at least one file in the zip archive, got none")
        # As files count: by the date of the member, then by its name; the later one wins.
        members.sort(key=lambda member: (member.date_time, natural(member.filename)))
        left = _most(item.size)
        for number, member in enumerate(members):
            plain = folder / f"{number}-{os.path.basename(member.filename)}"

            def extract(member: zipfile.ZipInfo = member, plain: Path = plain, left: int = left) -> int:
                with archive.open(member) as stream:
                    return copy(stream, plain, left)

            left -= _whole(item, "zip", extract)
            yield "" if len(members) == 1 else member.filename, plain


def _most(size: int) -> int:
    return max(ROOM, MOST_RATIO * size)


def copy(stream: Readable, plain: Path, limit: int | None = None) -> int:
    """Copy to `plain`, return the bytes; past `limit` the copy is removed and OverflowError raised."""
    written = 0
    with plain.open("wb") as out:
        while chunk := stream.read(_CHUNK):
            written += len(chunk)
            if limit is not None and written > limit:
                plain.unlink()
                raise OverflowError
            out.write(chunk)
    return written


def _whole(item: Input, kind: str, act: Callable[[], Any]) -> Any:
    try:
        return act()
    except (EOFError, zlib.error, zipfile.BadZipFile, gzip.BadGzipFile) as error:
        cut = "a truncated one" if isinstance(error, EOFError) else f"a damaged one: {error}"
        raise SourceError(f"{item.uri}: wanted a whole {kind} archive, got {cut} ({item.size} bytes)") from error
    except OverflowError as error:
        raise SourceError(
            f"{item.uri}: wanted an archive that unpacks to at most {_most(item.size)} bytes, got more: "
            f"{item.size} bytes packed are likely a bomb"
        ) from error
    except (RuntimeError, NotImplementedError) as error:  # what zipfile says of passwords and odd methods
        raise SourceError(f"{item.uri}: wanted a readable {kind} archive, got: {error}") from error
    except OSError as error:
        raise failure(f"{item.uri}: wanted to unpack the archive, got: {error}", error) from error
