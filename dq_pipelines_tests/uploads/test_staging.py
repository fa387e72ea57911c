"""Files that wait: whole or not at all, of one user, seen by no source, and on their way into the landing folder without loss."""

from __future__ import annotations

import errno
import json
import os
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from dq_pipelines.errors import ConfigError, PublishError, SourceError
from dq_pipelines.sources import source_from
from dq_pipelines.uploads.landing import FileExists
from dq_pipelines.uploads.open_folder import OpenFolder
from dq_pipelines.uploads.settings import UploadLimits
from dq_pipelines.uploads.staging import FOLDER, Staging, TooMany
from dq_pipelines.uploads.upload import Upload
from dq_pipelines.web.serving import expire_uploads

CSV = b"id,name\n1,a\n2,b\n"


@pytest.fixture
def staging(tmp_path: Path) -> Staging:
    return Staging(tmp_path / "landing", UploadLimits(files=3))


def sent(staging: Staging, content: bytes = CSV, name: str = "a.csv", by: str = "ann") -> Upload:
    arriving = staging.begin(name, "shop", "shop", by)
    arriving.write(content)
    return arriving.finish()


def land(staging: Staging, upload: Upload, *, replace: bool = False) -> Path:
    with staging.landing_of(upload, "till") as file:
        file.land(replace=replace)
    return staging.target(upload, "till")


def waiting(staging: Staging, upload: Upload) -> Path:
    """Where the file waits."""
    return staging.root / upload.id / upload.file


def everything(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_a_file_waits_for_its_user_alone_and_lands(staging: Staging) -> None:
    upload = sent(staging)
    assert (upload.size, waiting(staging, upload).read_bytes()) == (len(CSV), CSV)
    assert staging.find(upload.id, "ann") == upload
    assert (staging.find(upload.id, "bob"), staging.of("bob")) == (None, [])
    assert staging.find("../../etc", "ann") is None
    target = land(staging, upload)
    assert target == staging.landing / "shop" / "till" / "a.csv"
    assert target.read_bytes() == CSV
    staging.remove(upload)
    assert everything(staging.landing) == {"shop/till/a.csv"}


def test_no_source_reads_what_waits(staging: Staging) -> None:
    arriving = staging.begin("b.csv", "shop", "shop", "ann")
    arriving.write(CSV)
    sent(staging)
    root = staging.landing
    for path in (f"{root}/**", f"{root}/*/*/*.csv", f"{root}/*", f"{root}", f"{root}/**/*.csv", f"{root}/*.csv"):
        assert source_from({"type": "csv", "path": path}).inputs() == (), path


def test_a_file_that_is_there_is_replaced_only_if_that_is_wanted(staging: Staging) -> None:
    land(staging, sent(staging))
    other = sent(staging, b"id\n9\n")
    with pytest.raises(FileExists, match=r"shop/till/a\.csv, which exists"):
        land(staging, other)
    assert staging.target(other, "till").read_bytes() == CSV
    assert land(staging, other, replace=True).read_bytes() == b"id\n9\n"
    assert not [name for name in everything(staging.landing / "shop") if "part" in name]


def test_of_two_at_once_one_lands_and_the_other_hears_of_it(staging: Staging) -> None:
    uploads = [sent(staging, b"id\n1\n"), sent(staging, b"id\n2\n")]
    start, outcomes = threading.Barrier(2), list[object]()

    def race(upload: Upload) -> None:
        start.wait()
        try:
            outcomes.append(land(staging, upload).read_bytes())
        except FileExists as error:
            outcomes.append(error)

    threads = [threading.Thread(target=race, args=(upload,)) for upload in uploads]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(isinstance(one, FileExists) for one in outcomes) == [False, True]


def test_what_was_cut_off_leaves_nothing(staging: Staging) -> None:
    arriving = staging.begin("a.csv", "shop", "shop", "ann")
    arriving.write(CSV[:4])
    assert staging.of("ann") == []
    arriving.abandon()
    assert everything(staging.landing) == set()


def test_a_link_to_elsewhere_is_no_landing_folder(staging: Staging, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    upload = sent(staging)
    (staging.landing / "shop").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ConfigError, match="got a link to elsewhere"):
        land(staging, upload)
    assert everything(tmp_path / "elsewhere") == set()


def test_a_link_to_elsewhere_gets_no_folder_either(staging: Staging, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    upload = sent(staging)
    (staging.landing / "shop").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ConfigError, match="got a link to elsewhere"):
        land(staging, upload)
    assert list((tmp_path / "elsewhere").iterdir()) == []


@pytest.mark.parametrize("told", [{"path": "/etc/hostname"}, {"path": "../../secret.csv"}, {"name": "../x.csv"}, {}])
def test_what_a_deliverer_put_there_is_no_upload(staging: Staging, tmp_path: Path, told: dict[str, str]) -> None:
    """Whoever delivers data may write into the landing folder: a record there may name any file, and a file may be a link."""
    upload = sent(staging)
    path = waiting(staging, upload)
    record = path.with_name("upload.json")
    record.write_text(json.dumps(json.loads(record.read_text()) | told))
    if not told:
        (tmp_path / "secret.csv").write_bytes(CSV)
        path.unlink()
        path.symlink_to(tmp_path / "secret.csv")
    assert (staging.find(upload.id, "ann"), staging.of("ann")) == (None, [])


def test_nothing_is_removed_or_sent_through_a_link(staging: Staging, tmp_path: Path) -> None:
    lake = tmp_path / "lake" / "silver"
    lake.mkdir(parents=True)
    (lake / "part.parquet").touch()
    for path in (lake / "part.parquet", lake):
        os.utime(path, (0, 0))
    staging.landing.mkdir()
    staging.root.symlink_to(tmp_path / "lake")
    assert (staging.expire(), everything(tmp_path / "lake")) == (0, {"silver/part.parquet"})
    with pytest.raises(ConfigError, match="wanted a folder of the server's own, got a link"):
        staging.begin("a.csv", "shop", "shop", "ann")
    assert everything(tmp_path / "lake") == {"silver/part.parquet"}


def test_a_folder_that_is_no_upload_is_not_removed(staging: Staging) -> None:
    other = staging.root / "archive"
    other.mkdir(parents=True)
    os.utime(other, (0, 0))
    assert (staging.expire(), other.exists()) == (0, True)


def test_files_that_begin_at_once_are_counted_one_after_the_other(staging: Staging) -> None:
    start, refused = threading.Barrier(12), list[TooMany]()

    def begin() -> None:
        start.wait()
        try:
            staging.begin("a.csv", "shop", "shop", "ann")
        except TooMany as error:
            refused.append(error)

    threads = [threading.Thread(target=begin) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(refused), len(list(staging.root.iterdir()))) == (9, 3)


def test_a_full_disk_is_said_and_leaves_nothing(staging: Staging, monkeypatch: pytest.MonkeyPatch) -> None:
    arriving = staging.begin("a.csv", "shop", "shop", "ann")

    def full(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "open", full)
    with pytest.raises(PublishError, match=r"a\.csv: wanted room .* No space left"):
        arriving.write(CSV)
    monkeypatch.undo()
    arriving.abandon()
    upload = sent(staging)
    monkeypatch.setattr(os, "link", full)
    monkeypatch.setattr(shutil, "copyfileobj", full)
    with pytest.raises(PublishError, match="No space left"):
        land(staging, upload)
    monkeypatch.undo()
    assert everything(staging.landing / "shop") == set()
    assert staging.find(upload.id, "ann") is not None, "it still waits"


def test_without_links_a_file_lands_as_well(staging: Staging, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: Any, **__: Any) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refused)
    assert land(staging, sent(staging)).read_bytes() == CSV
    with pytest.raises(FileExists):
        land(staging, sent(staging))
    assert everything(staging.landing / "shop") == {"till/a.csv"}


def test_many_files_of_one_user_are_too_many_and_arriving_ones_count(staging: Staging) -> None:
    sent(staging)
    arriving = [staging.begin("b.csv", "shop", "shop", "ann") for _ in range(2)]
    with pytest.raises(TooMany, match="at most 3 files"):
        staging.begin("c.csv", "shop", "shop", "ann")
    staging.begin("c.csv", "shop", "shop", "bob")
    arriving[0].abandon()
    sent(staging)


def test_what_waits_too_long_is_removed(staging: Staging) -> None:
    old, arriving, young = sent(staging), staging.begin("b.csv", "shop", "shop", "ann"), sent(staging, by="bob")
    late = time.time() - 2 * 86400
    for folder in (staging.root / old.id, staging.root / arriving.place):
        for path in (*folder.iterdir(), folder):
            os.utime(path, (late, late))
    assert staging.expire() == 2
    assert [folder.name for folder in (staging.landing / FOLDER).iterdir()] == [young.id]


def test_a_server_removes_them_by_itself(staging: Staging, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DQ_LANDING", str(staging.landing))
    old, young = sent(staging), sent(staging)
    late = time.time() - 2 * 86400
    folder = staging.root / old.id
    for path in (*folder.iterdir(), folder):
        os.utime(path, (late, late))
    closing = threading.Event()
    closing.set()
    expire_uploads(closing)
    assert [one.id for one in staging.of("ann")] == [young.id]
    monkeypatch.setenv("DQ_LANDING", "s3://b/x")
    expire_uploads(closing)  # there is nothing to remove, and no error


@pytest.mark.parametrize(
    ("name", "content", "got"),
    [
        ("a.csv", b"", "an empty file"),
        ("a.csv", b"PAR1\x00\x15\x04PAR1", "a Parquet file"),
        ("a.csv", b"\x7fELF\x02\x01\x01\x00" * 50, "a program"),
        ("a.csv", bytes(range(256)) * 40, "binary data"),
        ("a.parquet", CSV, "other text"),
        ("a.parquet", b"PAR1\x15\x00\x00", "a Parquet file that is cut off"),
        ("a.xlsx", b"PK\x03\x04" + b"a" * 40, "a zip archive"),
        ("a.xlsx", b"<html><table>", "a web page"),
        ("a.ods", b"PK\x03\x04[Content_Types].xml xl/", "an Excel workbook"),
        ("a.xls", b"id\tname\n", "other text"),
        ("a.json", CSV, "other text"),
        ("a.jsonl", b"\x89PNG\r\n\x1a\n" + b"\x00" * 40, "a PNG image"),
    ],
)
def test_a_file_that_is_not_what_its_name_says_is_refused(
    staging: Staging, name: str, content: bytes, got: str
) -> None:
    arriving = staging.begin(name, "shop", "shop", "ann")
    arriving.write(content)
    with pytest.raises(SourceError, match=f"{name}: wanted .*, got {got}$"):
        arriving.finish()
    arriving.abandon()
    assert everything(staging.landing) == set()


class Swap:
    """An attacker who puts a link in the place of a folder just after it was opened."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, folder: Path, elsewhere: Path) -> None:
        self.folder, self.elsewhere, self.done = folder, elsewhere, False
        mine, opened = self, OpenFolder.folder

        @contextmanager
        def then_swapped(self: OpenFolder, name: str, *, make: int | None = None) -> Iterator[OpenFolder]:
            with opened(self, name, make=make) as inner:
                if name == folder.name and not mine.done:
                    mine.done = True
                    folder.rename(folder.with_name("moved"))
                    folder.symlink_to(elsewhere)
                yield inner

        monkeypatch.setattr(OpenFolder, "folder", then_swapped)


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    """A folder of the server's that others may not reach: with a file whose name looks like an upload's."""
    made = tmp_path / "elsewhere"
    made.mkdir()
    return made


def test_a_folder_that_is_swapped_while_a_file_lands_keeps_it(
    staging: Staging, elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload = sent(staging)
    (staging.landing / "shop" / "till").mkdir(parents=True)
    for name in ("shop", "till"):
        folder = staging.landing / "shop" if name == "shop" else staging.landing / "shop" / "till"
        with monkeypatch.context() as during:
            swap = Swap(during, folder, elsewhere)
            land(staging, upload, replace=True)
        assert swap.done
        assert everything(elsewhere) == set(), f"nothing lands through the link at {name}"
        folder.unlink()
        folder.with_name("moved").rename(folder)
    assert "shop/till/a.csv" in everything(staging.landing)


def test_nothing_is_removed_through_a_folder_that_is_swapped_while_it_expires(
    staging: Staging, elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = sent(staging)
    for folder in (staging.root / old.id, elsewhere / old.id):
        folder.mkdir(exist_ok=True)
        (folder / "rows.parquet").touch()
        for path in (*folder.iterdir(), folder):
            os.utime(path, (0, 0))
    swap = Swap(monkeypatch, staging.root, elsewhere)
    assert (staging.expire(), swap.done) == (1, True)
    assert everything(elsewhere) == {f"{old.id}/rows.parquet"}
    assert not (staging.landing / "moved" / old.id).exists()


def test_what_is_looked_at_is_the_file_that_was_sent_whatever_stands_at_its_path(
    staging: Staging, elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload = sent(staging)
    (elsewhere / upload.id).mkdir()
    (elsewhere / upload.id / upload.file).write_bytes(b"secret")
    swap = Swap(monkeypatch, staging.root, elsewhere)
    with staging.reading(upload) as stream:
        assert (stream.read(), swap.done) == (CSV, True)
    monkeypatch.undo()
    with pytest.raises(ConfigError, match="got a link"), staging.reading(upload):
        pass


def test_a_file_that_is_a_link_by_now_is_neither_read_nor_landed(staging: Staging, tmp_path: Path) -> None:
    (tmp_path / "secret.csv").write_bytes(b"secret")
    upload = sent(staging)
    waiting(staging, upload).unlink()
    waiting(staging, upload).symlink_to(tmp_path / "secret.csv")
    with pytest.raises(SourceError), staging.reading(upload):
        pass
    with pytest.raises(PublishError):
        land(staging, upload)
    assert everything(staging.landing / "shop") == set()


def test_another_users_folder_takes_no_upload(staging: Staging, monkeypatch: pytest.MonkeyPatch) -> None:
    sent(staging)
    monkeypatch.setattr(os, "geteuid", lambda: 4711)
    with pytest.raises(ConfigError, match="a folder of the server's own"):
        staging.begin("a.csv", "shop", "shop", "ann")
    assert (staging.of("ann"), staging.expire()) == ([], 0)


def test_the_files_of_all_users_have_a_limit_together(tmp_path: Path) -> None:
    staging = Staging(tmp_path / "landing", UploadLimits(total=2_000))
    sent(staging, b"id\n" + b"1\n" * 600)
    arriving = staging.begin("b.csv", "shop", "shop", "bob")
    with pytest.raises(TooMany, match=r"of all users together \(DQ_UPLOAD_TOTAL\), got more"):
        arriving.write(b"id\n" + b"1\n" * 600)
    arriving.abandon()
    assert sent(staging, b"id\n", by="bob").size == 3


def test_a_rename_that_fails_leaves_no_empty_file(staging: Staging, monkeypatch: pytest.MonkeyPatch) -> None:
    upload = sent(staging)

    def refused(*_: Any, **__: Any) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "link", refused)
    monkeypatch.setattr(os, "replace", refused)
    with pytest.raises(PublishError, match="Input/output error"):
        land(staging, upload)
    assert everything(staging.landing / "shop") == set()


def test_limits_come_from_the_environment() -> None:
    assert UploadLimits.from_environment({}) == UploadLimits()
    told = {"DQ_UPLOAD_LIMIT": "2 GB", "DQ_UPLOAD_KEEP": "12h", "DQ_UPLOAD_TOTAL": "9 GB"}
    given = UploadLimits.from_environment(told)
    assert (given.bytes, given.keep, given.total) == (2_000_000_000, timedelta(hours=12), 9_000_000_000)
    for name, text in (("DQ_UPLOAD_LIMIT", "2"), ("DQ_UPLOAD_LIMIT", "0 MB"), ("DQ_UPLOAD_KEEP", "soon")):
        with pytest.raises(ConfigError, match=name):
            UploadLimits.from_environment({name: text})


def test_a_landing_place_in_a_store_takes_no_uploads() -> None:
    with pytest.raises(ConfigError, match="a landing folder on this machine, got DQ_LANDING=s3://b/x"):
        Staging.below("s3://b/x", UploadLimits())
