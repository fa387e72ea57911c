"""Files as inputs: what is listed, what is skipped, what is unpacked, and every way that can fail."""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import time
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

import pyarrow as pa
import pytest

from dq_pipelines.errors import SourceError
from dq_pipelines.sources import archives
from dq_pipelines.sources.base import Reading
from dq_pipelines.sources.csv import Csv
from dq_pipelines.sources.files import FileSource, Part, must_be_unchanged
from dq_pipelines.sources.inputs import Input, ModificationTime


class Bytes(FileSource):
    """The least source of files, to look at what the base class gives."""

    def read(self, inputs: Sequence[Input]) -> Reading:
        raise NotImplementedError


ZSTD = bytes(pa.compress(os.urandom(5000), codec="zstd"))

TREE = (
    "a.csv",
    "b[1].csv",
    "b1.csv",
    ".hidden.csv",
    "_own.csv",
    "sub/c.csv",
    "sub/deep/d.csv",
    "_delta_log/e.csv",
    ".git/f.csv",
)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name in TREE:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
    return tmp_path


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("a.csv", ["a.csv"]),
        ("b[1].csv", ["b[1].csv"]),  # exists as written: no glob
        ("b[12].csv", ["b1.csv"]),
        ("[!b]*.csv", ["_own.csv", "a.csv"]),
        ("*.csv", ["_own.csv", "a.csv", "b1.csv", "b[1].csv"]),
        ("?.csv", ["a.csv"]),
        ("*/*.csv", ["_delta_log/e.csv", "sub/c.csv"]),
        ("**/*.csv", ["_own.csv", "a.csv", "b1.csv", "b[1].csv", "sub/c.csv", "sub/deep/d.csv"]),
        ("**", ["a.csv", "b1.csv", "b[1].csv", "sub/c.csv", "sub/deep/d.csv"]),
        ("sub/**/d.csv", ["sub/deep/d.csv"]),
        ("", ["a.csv", "b1.csv", "b[1].csv", "sub/c.csv", "sub/deep/d.csv"]),
        ("nothing.csv", []),
        ("*.parquet", []),
    ],
)
def test_what_a_path_names(tree: Path, path: str, found: list[str]) -> None:
    inputs = Bytes(path=f"{tree}/{path}").inputs()
    assert [item.uri for item in inputs] == [f"{tree}/{name}" for name in found]
    assert all(item.size == 1 and item.version.number == Path(item.uri).stat().st_mtime_ns for item in inputs)


def test_a_file_uri_is_a_local_path(tree: Path) -> None:
    assert [item.uri for item in Bytes(path=f"file://{tree}/a.csv").inputs()] == [f"{tree}/a.csv"]


def test_a_link_to_a_folder_above_ends(tree: Path) -> None:
    (tree / "sub" / "up").symlink_to(tree)
    assert len(Bytes(path=str(tree / "sub")).inputs()) >= 2


@pytest.mark.parametrize("path", ["sbu/c.csv", "sbu/*.csv", "sbu/more/**/x"])
def test_a_missing_folder_is_named_with_the_nearest(tree: Path, path: str) -> None:
    with pytest.raises(SourceError, match=r"wanted the folder .*, got no 'sbu' in .* \(nearest: sub\)"):
        Bytes(path=f"{tree}/{path}").inputs()


def test_a_changed_or_gone_file_is_noticed(tree: Path) -> None:
    (item,) = Bytes(path=f"{tree}/a.csv").inputs()
    must_be_unchanged(item)
    (tree / "a.csv").write_text("longer")
    with pytest.raises(SourceError, match=r"changed while it was read: wanted the 1 bytes .* got 6 bytes"):
        Bytes(path=f"{tree}/a.csv").parts(item)
    (tree / "a.csv").unlink()
    with pytest.raises(SourceError, match="it is gone"):
        must_be_unchanged(item)


def replace_content(path: Path, content: bytes) -> None:
    """The size and the modification time stay."""
    there = path.stat()
    path.write_bytes(content)
    os.utime(path, ns=(there.st_atime_ns, there.st_mtime_ns))
    assert path.stat().st_size == there.st_size


def test_a_file_replaced_under_its_old_times_is_noticed(tree: Path) -> None:
    (item,) = Bytes(path=f"{tree}/a.csv").inputs()
    time.sleep(0.02)  # a kernel may give changes of one moment one change time
    replace_content(tree / "a.csv", b"y")
    with pytest.raises(
        SourceError, match=r"changed while it was read: wanted the version that was listed, got a later"
    ):
        must_be_unchanged(item)
    must_be_unchanged(
        Input(item.uri, item.size, ModificationTime(item.version.number))
    )  # of whom nobody knows when it changed


def test_an_archive_replaced_under_its_old_times_is_unpacked_anew(tmp_path: Path) -> None:
    path = tmp_path / "a.csv.gz"
    path.write_bytes(gzip.compress(b"old", mtime=0))
    assert [part.path.read_bytes() for part in parts_of(path)] == [b"old"]
    time.sleep(0.02)
    replace_content(path, gzip.compress(b"new", mtime=0))
    assert [part.path.read_bytes() for part in parts_of(path)] == [b"new"]


def parts_of(path: Path) -> tuple[Part, ...]:
    source = Bytes(path=str(path))
    return source.parts(source.inputs()[0])


def test_archives_are_transparent(tmp_path: Path) -> None:
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(b"one") + gzip.compress(b"two"))
    with zipfile.ZipFile(tmp_path / "b.zip", "w") as archive:
        archive.writestr("x/b.csv", "three")
        archive.writestr("__MACOSX/._b.csv", "junk")
    with zipfile.ZipFile(tmp_path / "c.zip", "w") as archive:
        archive.writestr("c1.csv", "four")
        archive.writestr("c2.csv", "five")
    assert [part.path.read_bytes() for part in parts_of(tmp_path / "a.csv.gz")] == [b"onetwo"]
    (only,) = parts_of(tmp_path / "b.zip")
    assert (only.source, only.path.read_bytes()) == (f"{tmp_path}/b.zip", b"three")
    both = parts_of(tmp_path / "c.zip")
    assert [(part.source, part.path.read_bytes()) for part in both] == [
        (f"{tmp_path}/c.zip#c1.csv", b"four"),
        (f"{tmp_path}/c.zip#c2.csv", b"five"),
    ]


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("a.gz", gzip.compress(os.urandom(5000))[:-100], "wanted a whole gzip archive, got a truncated one"),
        ("a.gz", gzip.compress(b"x" * 50, mtime=0)[:-8] + b"\0" * 8, "wanted a whole gzip archive, got a damaged one"),
        ("a.gz", b"a,b\n1,2\n", "wanted a gzip archive .*, got bytes b'a,'"),
        ("a.gz", b"", "wanted a gzip archive .*, got 0 bytes"),
        ("a.bz2", bz2.compress(os.urandom(5000))[:-100], "wanted a whole bzip2 archive, got a truncated one"),
        ("a.bz2", bz2.compress(b"x" * 50)[:20] + b"\0" * 20, "wanted a whole bzip2 archive, got a damaged one"),
        ("a.xz", lzma.compress(os.urandom(5000))[:-100], "wanted a whole xz archive, got a truncated one"),
        ("a.xz", lzma.compress(b"x" * 50)[:20] + b"\0" * 20, "wanted a whole xz archive, got a damaged one"),
        ("a.zst", ZSTD[:-3], "wanted a whole zstd archive, got a truncated one"),
        ("a.zst", ZSTD[:6] + b"\xff" * 9, "wanted a whole zstd archive, got a damaged one"),
        ("a.zst", b"a,b\n1,2\n", "wanted a zstd archive .*, got bytes b'a,b\\\\n'"),
        ("a.zip", b"a,b\n1,2\n", "wanted a whole zip archive, got a damaged one"),
        ("a.zip", b"PK\x05\x06" + bytes(18), "wanted at least one file in the zip archive, got none"),
    ],
)
def test_what_is_no_archive(tmp_path: Path, name: str, content: bytes, says: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(SourceError, match=says) as caught:
        parts_of(tmp_path / name)
    assert str(tmp_path / name) in str(caught.value)


@pytest.mark.parametrize("kind", ["bz2", "xz", "zst"])
def test_other_packings_are_transparent(tmp_path: Path, kind: str) -> None:
    text = b"id,v\n1,x\n"
    packed = {"bz2": bz2.compress(text), "xz": lzma.compress(text), "zst": bytes(pa.compress(text, codec="zstd"))}[kind]
    (tmp_path / f"a.csv.{kind}").write_bytes(packed)
    (part,) = parts_of(tmp_path / f"a.csv.{kind}")
    assert (part.source, part.path.read_bytes()) == (f"{tmp_path}/a.csv.{kind}", text)


@pytest.mark.parametrize(
    ("members", "data"),
    [
        (["a.csv", "readme.txt"], ["a.csv"]),
        (["a.csv", "b.tsv", "LICENSE", "notes.pdf", "x/.DS_Store"], ["a.csv", "b.tsv"]),
        (["stops.txt", "routes.txt", "README.txt"], ["stops.txt", "routes.txt"]),
        (["a.CSV", "a.CSV.sha256", "SHA256SUMS"], ["a.CSV"]),
        (["part-0001", "part-0002", "README.md"], ["part-0001", "part-0002"]),
        (["readme.txt"], ["readme.txt"]),
        (["data/extract", "data/readme.md"], ["data/extract"]),
        (["a.csv", "_b.csv", ".c.csv", "_2024/d.csv"], ["a.csv"]),
        (["a.csv", "__MACOSX/._a.csv", "._a.csv", "_SUCCESS", ".a.csv.crc"], ["a.csv"]),
    ],
)
def test_members_of_another_kind_are_passed_over_and_named(tmp_path: Path, members: list[str], data: list[str]) -> None:
    """Those whose ending is the source's kind are data; a single one is, whatever its name."""
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for name in members:
            archive.writestr(name, f"id\n{name}\n")
    source = Csv(type="csv", path=str(tmp_path / "a.zip"))
    rows = source.read(source.inputs()).landed.collect()
    assert sorted(rows["id"].to_list()) == sorted(data)
    tools_own = (".DS_Store", "._a.csv", "_SUCCESS", ".crc")
    passed_over = [name for name in members if name not in data and not name.endswith(tools_own)]
    assert tuple(one.uri for one in source.passed_over(source.inputs())) == tuple(
        f"{tmp_path}/a.zip#{name}" for name in passed_over
    )


@pytest.mark.parametrize("kind", ["gz", "bz2", "xz", "zst", "zip"])
def test_a_bomb_is_stopped(tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "ROOM", 1024**2)
    bomb = tmp_path / f"bomb.{kind}"
    packings: dict[str, Callable[[bytes], bytes]] = {"gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress}
    if kind == "zst":
        bomb.write_bytes(bytes(pa.compress(bytes(8 * 1024**2), codec="zstd")))
    elif kind in packings:
        bomb.write_bytes(packings[kind](bytes(8 * 1024**2)))
    else:
        with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("zeros", bytes(8 * 1024**2))
    with pytest.raises(SourceError, match="likely a bomb"):
        parts_of(bomb)


def test_an_unknown_scheme_is_one_sentence() -> None:
    with pytest.raises(SourceError, match="nosuch://bucket/key: wanted to reach the place"):
        Bytes(path="nosuch://bucket/key").inputs()
