"""From bytes to lines of text: which encoding a file has, and a UTF-8 copy where it has another one."""

from __future__ import annotations

import codecs
import os
import re
from collections.abc import Iterator
from pathlib import Path

from dq_pipelines.sources import charset
from dq_pipelines.sources.charset import Guess

_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
#: For `str.translate`: the ends of lines of an old Macintosh and of all others, exchanged.
EXCHANGED = {ord("\n"): "\r", ord("\r"): "\n"}
_QUOTED = re.compile(r'"[^"]*"')
#: Bytes that are looked at before a file is read.
SAMPLE = 256 * 1024
_CHUNK = 4 * 1024**2


def canonical(encoding: str) -> str:
    """Python's name of `encoding`; raises LookupError for an unknown one. BOMs are always understood."""
    name = codecs.lookup(encoding).name
    return "utf-8" if name == "utf-8-sig" else name


def guessed(sample: bytes) -> Guess:
    """The encoding of `sample`, the first bytes of a file that may end within a character."""
    for bom, encoding in _BOMS:
        if sample.startswith(bom):
            return Guess(encoding)
    even, odd = sample[0:4096:2].count(0), sample[1:4096:2].count(0)
    half = max(1, min(len(sample), 4096) // 2)
    if max(even, odd) > 0.4 * half and min(even, odd) < 0.1 * half:  # mostly ASCII, two bytes each
        return Guess("utf-16-be" if even > odd else "utf-16-le")
    good, bad = utf8_lines(sample[: sample.rfind(b"\n") + 1] or sample)
    if bad <= good:
        return Guess("utf-8")
    return charset.guessed(b"\n".join(line for line in sample.split(b"\n") if not line.isascii()))


def utf8_lines(data: bytes) -> tuple[int, int]:
    """How many lines beyond ASCII are UTF-8, and how many are not."""
    if data.isascii():
        return 0, 0
    good = bad = 0
    for line in data.split(b"\n"):
        if not line.isascii():
            try:
                line.decode("utf-8")
                good += 1
            except UnicodeDecodeError:
                bad += 1
    return good, bad


def file_is_utf8(path: Path) -> bool:
    """Whether most lines beyond ASCII are UTF-8: asked when a first one is not."""
    good = bad = 0
    for lines in _whole_lines(path, b"\n"):
        more_good, more_bad = utf8_lines(lines)
        good, bad = good + more_good, bad + more_bad
    return bad <= good


def exchanged(text: str) -> str:
    r"""Text whose lines end in `\r` as one whose lines end in `\n`, and each `\n` in a cell as `\r`."""
    return text.replace("\r\n", "\r\r").translate(EXCHANGED)


def guessed_of_rest(path: Path) -> Guess:
    """The encoding of a file whose first bytes are ASCII and whose others are no UTF-8, by those lines."""
    lines, size = [], 0
    for block in _whole_lines(path, b"\n"):
        if block.isascii():
            continue
        lines += [line for line in block.split(b"\n") if not line.isascii()]
        size += sum(map(len, lines))
        if size > charset.SAMPLE:
            break
    return charset.guessed(b"\n".join(lines))


def copied_as_utf8(path: Path, encoding: str, newline: str, copy: Path) -> dict[int, str]:
    r"""Write `path` to `copy` as UTF-8 with `\n` after each line.

    Lines that do not decode are left empty there and returned by their 0-based number, with the bytes
    that are no text written as `\xNN`.
    """
    if encoding.startswith(("utf-16", "utf-32", "utf_16", "utf_32")):
        return _copied_wide(path, encoding, newline, copy)
    undecoded: dict[int, str] = {}
    end = b"\r" if newline == "\r" else b"\n"
    number = 0
    with copy.open("wb") as out:
        for lines in _whole_lines(path, end):
            try:
                text = lines.decode(encoding)
            except UnicodeDecodeError:
                text = _by_line(lines, end, encoding, number, undecoded)
            if newline == "\r":
                text = exchanged(text)
            out.write(text.encode())
            number += lines.count(end)
    return undecoded


def _by_line(lines: bytes, end: bytes, encoding: str, number: int, undecoded: dict[int, str]) -> str:
    decoded = []
    for offset, line in enumerate(lines.split(end)):
        try:
            decoded.append(line.decode(encoding))
        except UnicodeDecodeError:
            undecoded[number + offset] = line.decode(encoding, "backslashreplace").rstrip("\r")
            decoded.append("")
    return end.decode().join(decoded)


def _copied_wide(path: Path, encoding: str, newline: str, copy: Path) -> dict[int, str]:
    undecoded: dict[int, str] = {}
    end = "\r" if newline == "\r" else "\n"
    with (
        path.open(encoding=encoding, errors="replace", newline=end) as text,
        copy.open("w", encoding="utf-8", newline="") as out,
    ):
        for number, line in enumerate(text):
            if "\ufffd" in line:
                undecoded[number] = line.rstrip("\r\n")
                out.write("\n")
            else:
                out.write(exchanged(line) if newline == "\r" else line)
    return undecoded


def _whole_lines(path: Path, end: bytes) -> Iterator[bytes]:
    with path.open("rb") as data:
        rest = b""
        while chunk := data.read(_CHUNK):
            whole, separator, tail = chunk.rpartition(end)
            if separator:
                yield rest + whole + separator
                rest = tail
            else:
                rest += chunk
        if rest:
            yield rest


def newline(text: str) -> str:
    """What ends most lines; what stands between quotes ends none."""
    bare = _QUOTED.sub("", text)
    text = bare if "\n" in bare or "\r" in bare else text
    windows = text.count("\r\n")
    unix, mac = text.count("\n") - windows, text.count("\r") - windows
    if mac > 5 * (unix + windows):
        return "\r"
    return "\r\n" if windows > unix else "\n"


def is_utf8_so_far(sample: bytes) -> bool:
    """Whether `sample`, the first bytes of a file that may end within a character, is UTF-8."""
    try:
        codecs.getincrementaldecoder("utf-8")().decode(sample)
    except UnicodeDecodeError:
        return False
    return True


def first_lines(path: Path) -> list[str]:
    """The whole lines among a UTF-8 file's first bytes."""
    with path.open("rb") as data:
        sample = data.read(SAMPLE)
        more = len(data.read(1))
    lines = sample.decode("utf-8", "replace").removeprefix("\ufeff").split("\n")
    # The last one is cut off in a longer file, and is nothing when the file ends with a newline.
    if (more and len(lines) > 1) or not lines[-1]:
        lines.pop()
    return [line.removesuffix("\r") for line in lines]


def last_lines(path: Path, leave: int = 0) -> Iterator[str]:
    """Lines from the last one upwards, as far as the last bytes of the file hold them whole."""
    size = os.path.getsize(path)
    with path.open("rb") as data:
        data.seek(max(0, size - 16 * 1024))
        lines = data.read().decode("utf-8", "replace").split("\n")
    if not lines[-1]:
        lines.pop()
    whole = lines if size <= 16 * 1024 else lines[1:]
    yield from reversed(whole[: len(whole) - leave])
