"""Files as inputs: what is listed, what is skipped, what is unpacked, and every way that can fail."""

from __future__ import annotations

import gzip
import os
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from dq_pipelines.errors import SourceError
from dq_pipelines.sources import archives
from dq_pipelines.sources.base import Input, Reading
from dq_pipelines.sources.files import FileSource, Part, unchanged


class Bytes(FileSource):
    """The least source of files, to look at what the base class gives."""

    def read(self, inputs: Sequence[Input]) -> Reading:
        raise NotImplementedError


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
    assert all(item.size == 1 and item.modified == Path(item.uri).stat().st_mtime_ns for item in inputs)


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
    unchanged(item)
    (tree / "a.csv").write_text("longer")
    with pytest.raises(SourceError, match=r"changed while it was read: wanted the 1 bytes .* got 6 bytes"):
        Bytes(path=f"{tree}/a.csv").parts(item)
    (tree / "a.csv").unlink()
    with pytest.raises(SourceError, match="it is gone"):
        unchanged(item)


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
        ("a.zip", b"a,b\n1,2\n", "wanted a whole zip archive, got a damaged one"),
        ("a.zip", b"PK\x05\x06" + bytes(18), "wanted at least one file in the zip archive, got none"),
    ],
)
def test_what_is_no_archive(tmp_path: Path, name: str, content: bytes, says: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(SourceError, match=says) as caught:
        parts_of(tmp_path / name)
    assert str(tmp_path / name) in str(caught.value)


@pytest.mark.parametrize("kind", ["gz", "zip"])
def test_a_bomb_is_stopped(tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "ROOM", 1024**2)
    bomb = tmp_path / f"bomb.{kind}"
    if kind == "gz":
        bomb.write_bytes(gzip.compress(bytes(8 * 1024**2)))
    else:
        with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("zeros", bytes(8 * 1024**2))
    with pytest.raises(SourceError, match="likely a bomb"):
        parts_of(bomb)


def test_an_unknown_scheme_is_one_sentence() -> None:
    with pytest.raises(SourceError, match="nosuch://bucket/key: wanted to reach the place"):
        Bytes(path="nosuch://bucket/key").inputs()
