"""Files that wait: whole or not at all, of one user, seen by no source, and on their way into the landing folder without loss."""

from __future__ import annotations

import errno
import json
import os
import shutil
import threading
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from dq_pipelines.errors import ConfigError, PublishError, SourceError
from dq_pipelines.sources import source_from
from dq_pipelines.uploads.settings import UploadLimits
from dq_pipelines.uploads.staging import FOLDER, FileExists, Staging, TooMany, Upload
from dq_pipelines.web.serving import expire_uploads

CSV = b"id,name\n1,a\n2,b\n"


@pytest.fixture
def staging(tmp_path: Path) -> Staging:
    return Staging(tmp_path / "landing", UploadLimits(files=3))


def sent(staging: Staging, content: bytes = CSV, name: str = "a.csv", by: str = "ann") -> Upload:
    arriving = staging.begin(name, "shop", "shop", by)
    arriving.write(content)
    return arriving.finish()


def everything(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_a_file_waits_for_its_user_alone_and_lands(staging: Staging) -> None:
    upload = sent(staging)
    assert (upload.size, upload.path.read_bytes()) == (len(CSV), CSV)
    assert staging.find(upload.id, "ann") == upload
    assert (staging.find(upload.id, "bob"), staging.of("bob")) == (None, [])
    assert staging.find("../../etc", "ann") is None
    target = staging.land(upload, "till", replace=False)
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
    staging.land(sent(staging), "till", replace=False)
    other = sent(staging, b"id\n9\n")
    with pytest.raises(FileExists, match=r"shop/till/a\.csv, which exists"):
        staging.land(other, "till", replace=False)
    assert staging.target(other, "till").read_bytes() == CSV
    assert staging.land(other, "till", replace=True).read_bytes() == b"id\n9\n"
    assert not [name for name in everything(staging.landing / "shop") if "part" in name]


def test_of_two_at_once_one_lands_and_the_other_hears_of_it(staging: Staging) -> None:
    uploads = [sent(staging, b"id\n1\n"), sent(staging, b"id\n2\n")]
    start, outcomes = threading.Barrier(2), list[object]()

    def land(upload: Upload) -> None:
        start.wait()
        try:
            outcomes.append(staging.land(upload, "till", replace=False).read_bytes())
        except FileExists as error:
            outcomes.append(error)

    threads = [threading.Thread(target=land, args=(upload,)) for upload in uploads]
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
        staging.land(upload, "till", replace=False)
    assert everything(tmp_path / "elsewhere") == set()


def test_a_link_to_elsewhere_gets_no_folder_either(staging: Staging, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    upload = sent(staging)
    (staging.landing / "shop").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ConfigError, match="got a link to elsewhere"):
        staging.land(upload, "till", replace=False)
    assert list((tmp_path / "elsewhere").iterdir()) == []


@pytest.mark.parametrize("told", [{"path": "/etc/hostname"}, {"path": "../../secret.csv"}, {"name": "../x.csv"}, {}])
def test_what_a_deliverer_put_there_is_no_upload(staging: Staging, tmp_path: Path, told: dict[str, str]) -> None:
    """Whoever delivers data may write into the landing folder: a record there may name any file, and a file may be a link."""
    upload = sent(staging)
    record = upload.path.with_name("upload.json")
    record.write_text(json.dumps(json.loads(record.read_text()) | told))
    if not told:
        (tmp_path / "secret.csv").write_bytes(CSV)
        upload.path.unlink()
        upload.path.symlink_to(tmp_path / "secret.csv")
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

    monkeypatch.setattr(Path, "open", full)
    with pytest.raises(PublishError, match=r"a\.csv: wanted room .* No space left"):
        arriving.write(CSV)
    monkeypatch.undo()
    arriving.abandon()
    upload = sent(staging)
    monkeypatch.setattr(os, "link", full)
    monkeypatch.setattr(shutil, "copyfile", full)
    with pytest.raises(PublishError, match="No space left"):
        staging.land(upload, "till", replace=False)
    monkeypatch.undo()
    assert everything(staging.landing / "shop") == set()
    assert staging.find(upload.id, "ann") is not None, "it still waits"


def test_without_links_a_file_lands_as_well(staging: Staging, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: Any) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refused)
    assert staging.land(sent(staging), "till", replace=False).read_bytes() == CSV
    with pytest.raises(FileExists):
        staging.land(sent(staging), "till", replace=False)
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
    for path in (
        *old.path.parent.iterdir(),
        old.path.parent,
        *arriving.upload.path.parent.iterdir(),
        arriving.upload.path.parent,
    ):
        os.utime(path, (late, late))
    assert staging.expire() == 2
    assert [folder.name for folder in (staging.landing / FOLDER).iterdir()] == [young.id]


def test_a_server_removes_them_by_itself(staging: Staging, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DQ_LANDING", str(staging.landing))
    old, young = sent(staging), sent(staging)
    late = time.time() - 2 * 86400
    for path in (*old.path.parent.iterdir(), old.path.parent):
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


def test_limits_come_from_the_environment() -> None:
    assert UploadLimits.from_environment({}) == UploadLimits()
    given = UploadLimits.from_environment({"DQ_UPLOAD_LIMIT": "2 GB", "DQ_UPLOAD_KEEP": "12h"})
    assert (given.bytes, given.keep) == (2_000_000_000, timedelta(hours=12))
    for name, text in (("DQ_UPLOAD_LIMIT", "2"), ("DQ_UPLOAD_LIMIT", "0 MB"), ("DQ_UPLOAD_KEEP", "soon")):
        with pytest.raises(ConfigError, match=name):
            UploadLimits.from_environment({name: text})


def test_a_landing_place_in_a_store_takes_no_uploads() -> None:
    with pytest.raises(ConfigError, match="a landing folder on this machine, got DQ_LANDING=s3://b/x"):
        Staging.below("s3://b/x", UploadLimits())
