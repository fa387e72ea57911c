"""Whether an uploaded file is what its name says, by its first and last bytes. Readers look at the rest."""

from __future__ import annotations

import os
from typing import BinaryIO

from dq_pipelines.errors import SourceError
from dq_pipelines.sources.magic import SAMPLE, kind_of
from dq_pipelines.uploads.file_names import ending_of, kind_of_name

_ZIP, _OLE, _PARQUET = b"PK\x03\x04", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", b"PAR1"
#: A JSON value begins with one of these.
_JSON = b'{["-0123456789tfn'
_MARKS = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")


def must_be_what_its_name_says(stream: BinaryIO, name: str) -> None:
    """Raise SourceError, in one sentence, for an empty file and for one of another kind; `stream` is the open file."""
    wanted, ending = kind_of_name(name).described, ending_of(name)
    start = stream.read(SAMPLE)
    stream.seek(max(0, stream.seek(0, os.SEEK_END) - len(_PARQUET)))
    end = stream.read()
    if not start:
        raise SourceError(f"{name}: wanted {wanted}, got an empty file")
    got = kind_of(start)
    if ending in (".xlsx", ".ods"):
        is_it = (
            start.startswith(_ZIP) and got is not None and ("Excel" if ending == ".xlsx" else "OpenDocument") in got[0]
        )
    elif ending == ".xls":
        is_it = start.startswith(_OLE)
    elif ending == ".parquet":
        is_it = start.startswith(_PARQUET) and end == _PARQUET
        got = got if not start.startswith(_PARQUET) else ("a Parquet file that is cut off", "")
    else:
        is_it = got is None and (ending not in (".json", ".jsonl") or _is_json(start))
    if not is_it:
        raise SourceError(f"{name}: wanted {wanted}, as its name says, got {got[0] if got else _of_text(start)}")


def _is_json(start: bytes) -> bool:
    if start.startswith(_MARKS[1:]):
        return True  # its reader tells
    text = start.removeprefix(_MARKS[0]).lstrip()
    return not text or text[:1] in [bytes([one]) for one in _JSON]


def _of_text(start: bytes) -> str:
    text = start.removeprefix(_MARKS[0]).lstrip()[:15].lower()
    return "a web page" if text.startswith((b"<html", b"<!doctype html")) else "other text"
