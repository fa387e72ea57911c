"""Writes sample files to the landing folder, in reproducible bytes."""

from __future__ import annotations

import io
import os
import re
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from dq_pipelines.errors import PublishError

if TYPE_CHECKING:
    import polars as pl

#: The creation time in a workbook: fixed, so that the bytes are reproducible.
_MADE = b"2026-01-01T00:00:00Z"


def put(folder: Path, files: Mapping[str, bytes]) -> tuple[str, ...]:
    """Writes `files` (relative path -> content) to `folder`; returns the paths that were new or different.

    Each write is atomic. An identical existing file keeps its modification time,
    so that no sensor sees a change. Raises PublishError if the folder cannot be written.
    """
    return tuple(name for name, content in files.items() if _put(folder / name, content))


def _put(path: Path, content: bytes) -> bool:
    try:
        if path.is_file() and path.stat().st_size == len(content) and path.read_bytes() == content:
            return False
        path.parent.mkdir(parents=True, exist_ok=True)
        # The name begins with a dot, so that a glob such as *.csv does not match a partial file.
        unfinished = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            unfinished.write_bytes(content)
            unfinished.replace(path)
        finally:
            unfinished.unlink(missing_ok=True)
    except OSError as error:
        raise PublishError(f"{path}: wanted to write a sample file, got {error.strerror or error}") from error
    return True


def csv_lines(frame: pl.DataFrame, separator: str = ",") -> list[str]:
    """The header and one line per row, without line ends; values must not contain line breaks."""
    return frame.write_csv(separator=separator).split("\n")[:-1]


def json_lines(frame: pl.DataFrame) -> list[str]:
    """One JSON object per row, without line ends."""
    return frame.write_ndjson().split("\n")[:-1]


def text(lines: Sequence[str]) -> bytes:
    """The lines as the content of a UTF-8 file."""
    return "".join(f"{line}\n" for line in lines).encode()


def parquet(frame: pl.DataFrame) -> bytes:
    """The content of a Parquet file."""
    sink = io.BytesIO()
    frame.write_parquet(sink)
    return sink.getvalue()


def orc(frame: pl.DataFrame) -> bytes:
    """The content of an ORC file."""
    import pyarrow as pa
    from polars import CompatLevel
    from pyarrow import orc as arrow_orc

    sink = pa.BufferOutputStream()
    # ORC does not support Arrow's string views.
    arrow_orc.write_table(frame.to_arrow(compat_level=CompatLevel.oldest()), sink)
    return bytes(sink.getvalue())


def workbook(sheets: Mapping[str, pl.DataFrame], numbers: Sequence[str] = ()) -> bytes:
    """An .xlsx with one sheet per frame and the header in its first row.

    In the columns `numbers`, numeric text becomes a number cell and other text stays text,
    like in a column that people type into.
    """
    from openpyxl import Workbook

    book = Workbook(write_only=True)
    for name, frame in sheets.items():
        sheet = book.create_sheet(name)
        sheet.append(frame.columns)
        for row in frame.iter_rows(named=True):
            sheet.append([_cell(value) if column in numbers else value for column, value in row.items()])
    sink = io.BytesIO()
    book.save(sink)
    return _timeless(sink.getvalue())


def _cell(value: str) -> str | float:
    return float(value) if re.fullmatch(r"-?\d+(\.\d+)?", value) else value


def _timeless(workbook: bytes) -> bytes:
    """The same workbook without the time at which it was saved: the same cells give the same bytes."""
    sink = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(workbook)) as saved, zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as again:
        for name in saved.namelist():
            content = saved.read(name)
            if name == "docProps/core.xml":
                content = re.sub(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", _MADE, content)
            again.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
    return sink.getvalue()
