"""Which names an uploaded file may have, and which kind of file a name promises. What is in it belongs in `content`."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from dq_pipelines.errors import ConfigError, Problem


@dataclass(frozen=True)
class FileKind:
    """A kind of file that may be uploaded."""

    #: the source that reads it, as YAML names it
    source: str
    #: what it is, to stand after "wanted"
    described: str


_EXCEL = FileKind("excel", "an Excel workbook")
#: By the ending of a name, in lower case.
KINDS = {
    ".csv": FileKind("csv", "delimited text"),
    ".tsv": FileKind("csv", "delimited text"),
    ".xlsx": _EXCEL,
    ".xls": FileKind("excel", "an old Excel workbook"),
    ".ods": FileKind("excel", "an OpenDocument spreadsheet"),
    ".json": FileKind("json", "JSON"),
    ".jsonl": FileKind("ndjson", "JSON, a value a line"),
    ".parquet": FileKind("parquet", "a Parquet file"),
}
#: Bytes of a name in UTF-8: file systems take 255, and a copy adds a suffix.
_LONGEST = 200
#: Names that Windows keeps for devices, with any ending.
_DEVICES = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)
#: A pattern's own characters would mean other files where a path names this one; the others no Windows takes.
_SPECIAL = frozenset('/\\:*?"<>|[]')


def kind_of_name(name: str) -> FileKind:
    """The kind of a file by its name's ending. Raises ConfigError for a name that no upload may have."""
    if why := objection(name):
        raise _wrong(f"file: {why}")
    kind = KINDS.get(ending_of(name))
    if kind is None:
        raise _wrong(f"file: wanted a name ending in {', '.join(KINDS)}, got '{shown(name)}'")
    return kind


def ending_of(name: str) -> str:
    """The ending with its point, in lower case; "" without one."""
    return name[name.rfind(".") :].lower() if "." in name else ""


def objection(name: str) -> str:
    """One sentence about a name that is no plain file name; "" for one that is."""
    if not name or name != name.strip() or name.endswith("."):
        return f"wanted a name without blanks or a point at its ends, got '{shown(name)}'"
    if name.startswith((".", "_", "~")):
        return f"wanted a name that sources do not pass over, got '{shown(name)}', which begins with '{name[0]}'"
    if odd := next((letter for letter in name if letter in _SPECIAL), None):
        return f"wanted a name alone, without a folder or a pattern, got '{shown(name)}' with '{odd}'"
    # Control characters, and marks that change the direction in which a name is shown (`gpj.exe` for `exe.jpg`).
    if odd := next(
        (letter for letter in name if unicodedata.category(letter)[0] == "C" or letter in "\u2028\u2029"), None
    ):
        return f"wanted a name that is shown as it is, got one with the character U+{ord(odd):04X}"
    if (size := len(name.encode("utf-8", "surrogatepass"))) > _LONGEST:
        return f"wanted a name of at most {_LONGEST} bytes, got {size}"
    if _DEVICES.fullmatch(name):
        return f"wanted a name that every system takes, got '{shown(name)}', which is a device on Windows"
    return ""


def shown(name: str) -> str:
    """The name as a sentence may quote it."""
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in name[:80])


def _wrong(message: str) -> ConfigError:
    return ConfigError([Problem("", 0, message)])
