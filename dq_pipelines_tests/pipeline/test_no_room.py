"""A lake that takes nothing: full, read-only or forbidden. One clear sentence, nothing half done, and the next run heals."""

from __future__ import annotations

import os
import random
import resource
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from dq_pipelines.sources.scratch import scratch
from dq_pipelines_tests.workshop import Ran, Workshop

pytestmark = pytest.mark.slow

#: Of text that does not shrink: bronze, silver and quarantine take some 6 MB.
ROWS = 40_000
TABLE = """
    source: {type: csv, path: "{landing}/t/*"}
    silver:
      columns: {id: int64}
      rules: [{type: expect_column_values_to_be_between, column: id, min_value: 1}]
"""
GOLD = "gold: {sql: 'select id, v from silver.t'}"


@pytest.fixture
def filled(shop: Workshop) -> Workshop:
    chance = random.Random(1)  # noqa: S311 - the same each time
    shop.table("t", TABLE)
    shop.table("g", GOLD)
    shop.land("t/a.csv", "id,v\n" + "".join(f"{n},{chance.randbytes(40).hex()}\n" for n in range(ROWS)))
    return shop


def one_sentence(ran: Ran, step: str, *words: str) -> None:
    said = ran.failures[step]
    assert all(word in said for word in words), said
    assert "\n" not in said
    assert not ran.retried


def whole(shop: Workshop) -> None:
    """All is where it belongs, once."""
    assert len(shop.rows("silver/t")) == ROWS - 1
    assert len(shop.rows("bronze/t")) == ROWS
    assert len(shop.rows("quarantine/t")) == 1
    assert shop.leftovers() == []


@contextmanager
def disk(place: Path, size: str) -> Iterator[None]:
    """A disk of its own at `place`; where nobody may mount one, the test says so by failing."""
    place.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "none", str(place)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


def remount(place: Path, *options: str) -> None:
    subprocess.run(["mount", "-o", ",".join(["remount", *options]), str(place)], check=True)


mounts = pytest.mark.skipif(
    os.geteuid() != 0 or subprocess.run(["unshare", "-m", "true"], check=False, capture_output=True).returncode != 0,
    reason="only root may mount a disk; a limit on the size of files is tested everywhere",
)


@mounts
@pytest.mark.parametrize("size", ["1m", "3m"])
def test_a_full_disk(filled: Workshop, size: str) -> None:
    lake = filled.root / "lake"
    with disk(lake, size):
        ran = filled.run("t")
        one_sentence(ran, "t", str(lake), "No space left on device")
        assert "silver/t" not in filled.versions()
        remount(lake, "size=64m")
        assert filled.run("t").success
        whole(filled)
        remount(lake, f"size={shutil.disk_usage(lake).used + 400_000}")
        one_sentence(filled.run("g"), "g", str(lake), "No space left on device")
        assert "gold/g" not in filled.versions()
        remount(lake, "size=64m")
        assert filled.run("g").success
        assert len(filled.rows("gold/g")) == ROWS - 1


@mounts
def test_a_disk_that_becomes_read_only(filled: Workshop) -> None:
    lake = filled.root / "lake"
    with disk(lake, "64m"):
        assert filled.run("t", "g").success
        remount(lake, "ro")
        filled.land("t/b.csv", "id,v\n7,x\n")
        before = filled.versions()
        ran = filled.run("t", "g")
        one_sentence(ran, "t", str(lake), "Read-only file system")
        assert filled.versions() == before
        remount(lake, "rw")
        assert filled.run("t", "g").success
        assert len(filled.rows("gold/g")) == ROWS
        assert filled.leftovers() == []


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # else the process ends, where a full disk only refuses
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


def test_files_that_may_not_grow(filled: Workshop) -> None:
    shutil.rmtree(filled.landing / "t")
    filled.land("t/a.csv", "id\n" + "".join(f"{n}\n" for n in range(ROWS)))  # the records of Dagster are in memory
    filled.run("t")
    filled.land("t/b.csv", "id,v\n" + "".join(f"{n},{os.urandom(40).hex()}\n" for n in range(ROWS)))
    before = filled.versions()
    with files_of_at_most(1_000_000):
        ran = filled.run("bronze/t")
    assert "File too large" in ran.failures["t"]
    assert "\n" not in ran.failures["t"]
    assert filled.versions() == before
    assert filled.leftovers() == []
    assert filled.run("bronze/t").success
    assert len(filled.rows("bronze/t")) == 2 * ROWS


@contextmanager
def as_nobody(shop: Workshop) -> Iterator[None]:
    """Without root's right to write everywhere."""
    scratch.cache_clear()  # that of root
    if os.geteuid() == 0:
        for place in (shop.root, *shop.root.parents):
            place.chmod(place.stat().st_mode | 0o55)
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(os.getuid())
        scratch.cache_clear()


@pytest.mark.parametrize("layer", ["bronze", "silver", "quarantine"])
def test_a_lake_that_may_not_be_written(filled: Workshop, layer: str) -> None:
    lake = filled.root / "lake"
    for name in ("bronze", "silver", "quarantine", ".claims", ".aside"):
        (lake / name).mkdir(parents=True)
        (lake / name).chmod(0o777 if name != layer else 0o555)
    lake.chmod(0o777)
    filled.root.chmod(0o777)  # the history lies there, and may be written
    with as_nobody(filled):
        ran = filled.run("bronze/t", "silver/t", "quarantine/t")
        one_sentence(ran, "t", str(lake / layer), "Permission denied")
        assert "silver/t" not in filled.versions()
        assert filled.leftovers() == []
    (lake / layer).chmod(0o777)
    assert filled.run("bronze/t", "silver/t", "quarantine/t").success
    whole(filled)
