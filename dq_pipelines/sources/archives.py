"""Archives: gzip, bzip2, xz, zstd and zip unpacked to plain files, whole or not at all, and never a bomb."""

from __future__ import annotations

import gzip
import lzma
import os
import re
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

from dq_pipelines.errors import SourceError
from dq_pipelines.sources.endings import Packing, plain_name
from dq_pipelines.sources.failures import failure
from dq_pipelines.sources.inputs import Input
from dq_pipelines.sources.order import natural

#: An archive may unpack to this many times its size, or to ROOM bytes if that is more. A file of text rarely shrinks a
#: hundredfold; deflate's own limit, which a bomb reaches, is 1032.
MOST_RATIO = 300
ROOM = 256 * 1024**2
_CHUNK = 1024**2


class Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


def unpack(item: Input, packed: Path, plain: Path, packing: Packing) -> Path:
    """The one file in `packed`, as `plain`."""
    with packed.open("rb") as raw:
        start = raw.read(len(packing.start))
    if start != packing.start:
        got = f"bytes {start!r}" if start else "0 bytes"
        wanted = f"wanted {packing.described} (it starts with {packing.start.hex(' ')})"
        raise SourceError(f"{item.uri}: {wanted}, got {got}")

    def copied() -> int:
        with packing.opened(packed) as stream:
            return copy(stream, plain, _most(item.size))

    _whole(item, packing.name, copied)
    return plain


#: Names of files that come with data and are none: instructions, licences, checksums, previews.
_DOCUMENT = re.compile(
    r"(?:.*/)?(?:(?:read[ _-]?me|licen[cs]e|copying|notice|change(?:log|s)|manifest|contents|(?:md5|sha\d*|check)sums?)\b.*"
    r"|.*\.(?:md|rst|pdf|docx?|rtf|html?|png|jpe?g|gif|svg|md5|sha\d*|sig|asc|sfv|xsd|dtd|log|ini|url))",
    re.IGNORECASE | re.DOTALL,
)


def data_among(names: Sequence[str], kinds: Sequence[Sequence[str]]) -> list[str]:
    """Which members of an archive are data: those of the first of `kinds` (lists of endings) that any name has.

    A single member is, whatever its name; where no name tells, all are but instructions, licences and the like.
    """
    if len(names) < 2:
        return list(names)
    no_documents = [name for name in names if not _DOCUMENT.fullmatch(name)]
    for endings in kinds:
        data = [name for name in no_documents if name.lower().endswith(tuple(endings))]
        if data:
            return data
    return no_documents or list(names)


def _is_worth_a_note(member: zipfile.ZipInfo, kinds: Sequence[Sequence[str]]) -> bool:
    """Whether people want to know that a member is not read. Of a hidden one they do where its name says that it is data."""
    name = member.filename.lstrip("/")
    if plain_name(name):
        return True
    # Beside each file macOS packs another one of the same ending, which holds what Finder knows of it.
    own = name.startswith("__MACOSX/") or os.path.basename(name).startswith("._")
    return not own and name.lower().endswith(tuple(ending for endings in kinds for ending in endings))


def unzip(
    item: Input, packed: Path, folder: Path, kinds: Sequence[Sequence[str]], passed_over: list[str]
) -> Iterator[tuple[str, Path]]:
    """Name and file of each member that is data; the names of others go to `passed_over`."""
    archive = _whole(item, "zip", lambda: zipfile.ZipFile(packed))
    with archive:
        files = [member for member in archive.infolist() if not member.is_dir()]
        members = [member for member in files if plain_name(member.filename.lstrip("/"))]
        if not members:
            raise SourceError(f"{item.uri}: wanted at least one file in the zip archive, got none")
        wanted = set(data_among([member.filename for member in members], kinds))
        passed_over += [
            member.filename for member in files if member.filename not in wanted and _is_worth_a_note(member, kinds)
        ]
        members = [member for member in members if member.filename in wanted]
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
    except (EOFError, zlib.error, zipfile.BadZipFile, gzip.BadGzipFile, lzma.LZMAError) as error:
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
        if error.errno is None:  # what bz2 and pyarrow say of their input, and no system does
            cut = "a truncated one" if "runcated" in str(error) else f"a damaged one: {error}"
            raise SourceError(f"{item.uri}: wanted a whole {kind} archive, got {cut} ({item.size} bytes)") from error
        raise failure(f"{item.uri}: wanted to unpack the archive, got: {error}", error) from error
