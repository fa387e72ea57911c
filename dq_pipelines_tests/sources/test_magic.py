"""Binary content under the name of a text file stands aside, with what it is and what to do; text never does."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import io
import lzma
import pickle
import tarfile
import zipfile
from pathlib import Path

import openpyxl
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dq_pipelines.errors import SourceError
from dq_pipelines.sources import read
from dq_pipelines.sources.magic import kind_of

TABLE = pl.DataFrame({"id": range(50), "name": [f"n{number}" for number in range(50)]})
TEXT = TABLE.write_csv().encode()


def _zip() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.csv", TEXT)
    return out.getvalue()


def _tar() -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        member = tarfile.TarInfo("a.csv")
        member.size = len(TEXT)
        archive.addfile(member, io.BytesIO(TEXT))
    return out.getvalue()


def _workbook() -> bytes:
    out = io.BytesIO()
    openpyxl.Workbook().save(out)
    return out.getvalue()


def _written(how: str) -> bytes:
    out = io.BytesIO()
    getattr(TABLE, how)(out)
    return out.getvalue()


BINARY = {
    "a gzip archive: give its name the ending .gz": gzip.compress(TEXT),
    "a bzip2 archive: give its name the ending .bz2": bz2.compress(TEXT),
    "an xz archive": lzma.compress(TEXT),
    "a zstd archive": bytes(pa.compress(TEXT, codec="zstd")),
    "a zip archive: give its name the ending .zip": _zip(),
    "a tar archive": _tar(),
    "an Excel workbook: read it as type: excel": _workbook(),
    "a Parquet file: read it as type: parquet": _written("write_parquet"),
    "an Arrow file": _written("write_ipc"),
    "an Avro file": _written("write_avro"),
    "a Python pickle": pickle.dumps(TEXT.decode().splitlines()),
    "a PNG image": b"\x89PNG\r\n\x1a\n" + bytes(range(256)),
    "a PDF document": b"%PDF-1.7\n1 0 obj\n<< >>\nendobj\n",
    "an old Office document": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(512),
    "an SQLite database": b"SQLite format 3\x00" + bytes(84),
    "binary data": b"".join(hashlib.sha256(bytes([number])).digest() for number in range(125)),
}


@pytest.mark.parametrize("kind", BINARY)
def test_binary_content_is_one_sentence(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(BINARY[kind])
    with pytest.raises(SourceError) as caught:
        read({"type": "csv", "path": str(path)})
    assert str(caught.value).startswith(f"{path}: wanted a text file, got {kind}")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("type_", ["json", "ndjson"])
@pytest.mark.parametrize("kind", ["a gzip archive", "a zip archive", "a Parquet file"])
def test_binary_content_is_no_json(tmp_path: Path, type_: str, kind: str) -> None:
    path = tmp_path / f"a.{type_}"
    path.write_bytes(next(content for what, content in BINARY.items() if what.startswith(kind)))
    with pytest.raises(SourceError, match=f"wanted JSON in UTF-8, got {kind}"):
        read({"type": type_, "path": str(path)}).landed.collect()


@pytest.mark.parametrize(
    "text",
    [b"BZh,PAR1\n1,2\n", b"ORC,x\nna\xc3\xafve,2\n", b"Rar!,1\n", b"a\x01b\n1\x012\n", b"MZ,a\n", b"GIF89a,1\n2,3\n"],
)
def test_a_text_that_begins_like_an_archive_is_text(text: bytes) -> None:
    assert kind_of(text) is None


@settings(max_examples=200, deadline=None)
@given(
    st.text(st.characters(exclude_categories=("Cc", "Cs")) | st.sampled_from("\t\r\n"), max_size=300),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-32", "gb18030"]),
)
def test_text_is_never_taken_for_anything_else(text: str, encoding: str) -> None:
    assert kind_of(text.encode(encoding)) is None


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf_16_without_a_mark_is_text(encoding: str) -> None:
    assert kind_of(TEXT.decode().encode(encoding)) is None
