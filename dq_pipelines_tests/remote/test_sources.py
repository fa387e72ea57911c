"""What lies in a bucket as inputs: listed, matched, unpacked and watched as files are."""

from __future__ import annotations

import gzip
import io
import sys
import zipfile
from pathlib import Path

import polars as pl
import pytest
from deltalake import write_deltalake

from dq_pipelines.errors import SourceError
from dq_pipelines.sources import read, source_from
from dq_pipelines.sources.files import FileSource, must_be_unchanged
from dq_pipelines_tests.remote.afar import Afar, Bucket

KEYS = ("a.csv", "b[1].csv", "c#d?e%20f ü.csv", "_own.csv", ".hidden.csv", "sub/c.csv", "sub/deep/d.csv", "_log/e.csv")


def source(path: str) -> FileSource:
    found = source_from({"type": "csv", "path": path})
    assert isinstance(found, FileSource)
    return found


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("in/a.csv", ["a.csv"]),
        ("in/b[1].csv", ["b[1].csv"]),
        ("in/c#d?e%20f ü.csv", ["c#d?e%20f ü.csv"]),
        ("in/*.csv", ["_own.csv", "a.csv", "b[1].csv", "c#d?e%20f ü.csv"]),
        ("in/*/*.csv", ["_log/e.csv", "sub/c.csv"]),
        ("in/sub/**/d.csv", ["sub/deep/d.csv"]),
        ("*/a.csv", ["a.csv"]),
        ("in/", ["a.csv", "b[1].csv", "c#d?e%20f ü.csv", "sub/c.csv", "sub/deep/d.csv"]),
        ("", ["a.csv", "b[1].csv", "c#d?e%20f ü.csv", "sub/c.csv", "sub/deep/d.csv"]),
        ("in/none/*.csv", []),
    ],
)
def test_what_a_path_names(s3: Bucket, path: str, found: list[str]) -> None:
    for key in KEYS:
        s3.put(f"in/{key}", "x\n1\n")
    s3.client.put_object(Bucket=s3.name, Key="in/folder/", Body=b"")  # what consoles call a folder
    inputs = source(f"{s3.uri}/{path}").inputs()
    assert [item.uri for item in inputs] == [f"{s3.uri}/in/{key}" for key in found]
    assert all(item.size == 4 and item.version.number > 0 for item in inputs)
    assert [source(item.uri).parts(item)[0].path.read_bytes() for item in inputs] == [b"x\n1\n"] * len(found)


def test_archives_are_unpacked(s3: Bucket) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("one.csv", "x\n1\n")
        archive.writestr("two.csv", "x\n2\n")
    s3.put("in/a.csv.gz", gzip.compress(b"x\n3\n"))
    s3.put("in/b.zip", packed.getvalue())
    rows = read({"type": "csv", "path": f"{s3.uri}/in"}).landed.select("x", "_source").collect()
    assert rows.rows() == [
        ("3", f"{s3.uri}/in/a.csv.gz"),
        ("1", f"{s3.uri}/in/b.zip#one.csv"),
        ("2", f"{s3.uri}/in/b.zip#two.csv"),
    ]


@pytest.mark.parametrize("content", [gzip.compress(bytes(1000))[:-9], b"x\n1\n"], ids=["torn", "plain"])
def test_what_is_no_whole_archive(s3: Bucket, content: bytes) -> None:
    s3.put("a.csv.gz", content)
    with pytest.raises(SourceError, match=r"a\.csv\.gz: wanted a (whole )?gzip archive"):
        read({"type": "csv", "path": f"{s3.uri}/a.csv.gz"})


def test_a_changed_or_gone_object_is_noticed(s3: Bucket) -> None:
    s3.put("a.csv", "x\n1\n")
    (item,) = source(f"{s3.uri}/a.csv").inputs()
    must_be_unchanged(item)
    s3.put("a.csv", "x\n1\n2\n")
    with pytest.raises(SourceError, match=r"changed while it was read: wanted the 4 bytes .* got 6 bytes"):
        source(item.uri).parts(item)
    s3.client.delete_object(Bucket=s3.name, Key="a.csv")
    with pytest.raises(SourceError, match="it is gone"):
        must_be_unchanged(item)


@pytest.mark.parametrize("kind", ["parquet", "delta"])
def test_typed_sources(s3: Bucket, kind: str) -> None:
    rows = pl.DataFrame({"id": [1, 2], "name": ["a", None]})
    options = {"AWS_ALLOW_HTTP": "true"}
    if kind == "delta":
        write_deltalake(f"{s3.uri}/data", rows, storage_options=options)
    else:
        rows.write_parquet(f"{s3.uri}/data/x.parquet")
    landed = read({"type": kind, "path": f"{s3.uri}/data"}).landed.collect()
    assert landed.select("id", "name").equals(rows)


@pytest.mark.slow
def test_a_delta_table_lands_version_by_version(afar: Afar) -> None:
    """It is no object: that none lies at its address says nothing of the table."""
    options = {"AWS_ALLOW_HTTP": "true"}
    afar.table("orders", 'source: {type: delta, path: "{landing}/orders"}\nsilver: {keys: [id], columns: {id: int64}}')
    for rows in ([1, 2], [1, 2, 3]):
        write_deltalake(
            f"{afar.bucket.uri}/landing/orders", pl.DataFrame({"id": rows}), mode="overwrite", storage_options=options
        )
        assert afar.run("orders").success
        assert sorted(afar.rows("silver/orders", "id")) == rows
    assert afar.run("orders").materialized["silver/orders"]["nothing_new"]


def test_a_profile_in_place_of_keys(s3: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    s3.put("a.csv", "x\n1\n")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    file = tmp_path / "credentials"
    file.write_text("[night]\naws_access_key_id = somebody\naws_secret_access_key = hush-hush\n")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(file))
    monkeypatch.setenv("AWS_PROFILE", "night")
    assert len(source(f"{s3.uri}/a.csv").inputs()) == 1
    monkeypatch.setenv("AWS_PROFILE", "day")
    with pytest.raises(
        SourceError, match=r"wanted credentials of a profile in ~/\.aws, got: .*\(day\) could not be found"
    ):
        source(f"{s3.uri}/a.csv").inputs()
    monkeypatch.setenv("AWS_PROFILE", "night")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "3")  # other settings, another client
    monkeypatch.setitem(sys.modules, "boto3", None)
    monkeypatch.delitem(sys.modules, "obstore.auth.boto3")
    with pytest.raises(SourceError, match=r"wanted boto3, which reads the profiles in ~/\.aws"):
        source(f"{s3.uri}/a.csv").inputs()
