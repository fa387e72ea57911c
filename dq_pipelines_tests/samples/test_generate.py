"""What every sample promises: pure in its seed, whole files, nothing touched that is as it was."""

from __future__ import annotations

import hashlib
from collections import Counter
from pathlib import Path

import pytest

from dq_pipelines.errors import ConfigError, PublishError
from dq_pipelines.samples import SAMPLES, ExpectedFaults, generate

SEEDED = ("retail", "detector")


def digests(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.mark.parametrize("domain", SAMPLES)
def test_same_seed_same_bytes(domain: str, tmp_path: Path) -> None:
    first = generate(domain, tmp_path / "a", seed=11)
    second = generate(domain, tmp_path / "b", seed=11)
    assert first == second
    assert digests(tmp_path / "a") == digests(tmp_path / "b")
    assert set(first.written) == set(digests(tmp_path / "a"))


@pytest.mark.parametrize("domain", SEEDED)
def test_another_seed_gives_other_files_of_the_same_names(domain: str, tmp_path: Path) -> None:
    generate(domain, tmp_path / "a", seed=1)
    generate(domain, tmp_path / "b", seed=2)
    one, two = digests(tmp_path / "a"), digests(tmp_path / "b")
    assert [name for name in one if "returns" not in name] == [name for name in two if "returns" not in name]
    assert not set(one.values()) & set(two.values())


@pytest.mark.parametrize("domain", SAMPLES)
def test_what_is_already_there_is_not_touched(domain: str, tmp_path: Path) -> None:
    generate(domain, tmp_path)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()}
    changed = min(before)
    changed.write_bytes(b"spoilt")
    again = generate(domain, tmp_path)
    after = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()}
    assert again.written == (str(changed.relative_to(tmp_path)),)
    assert {path for path, time in after.items() if time != before[path]} <= {changed}
    assert after.keys() == before.keys(), "no unfinished file is left"


@pytest.mark.parametrize("domain", SEEDED)
@pytest.mark.parametrize("size", [0.1, 3.0])
def test_size_scales_rows_and_faults(domain: str, size: float, tmp_path: Path) -> None:
    usual, scaled = generate(domain, tmp_path / "a"), generate(domain, tmp_path / "b", size=size)
    table = "sales" if domain == "retail" else "readings"
    assert scaled.landed[table] == pytest.approx(usual.landed[table] * size, rel=0.02)
    assert all(fault.count > 0 for fault in scaled.faults)
    assert found(scaled).keys() == found(usual).keys()


@pytest.mark.parametrize("domain", SAMPLES)
def test_rows_are_accounted_for(domain: str, tmp_path: Path) -> None:
    truth = generate(domain, tmp_path)
    for table, landed in truth.landed.items():
        assert landed == truth.published(table) + truth.count(table, "quarantined") + truth.count(table, "dropped")


def found(truth: ExpectedFaults) -> Counter[tuple[str, str]]:
    return Counter((fault.table, fault.kind) for fault in truth.faults)


@pytest.mark.parametrize("domain", SAMPLES)
def test_each_kind_of_fault_stands_once(domain: str, tmp_path: Path) -> None:
    assert set(found(generate(domain, tmp_path)).values()) == {1}


def test_unknown_domain_names_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"got 'flihgts' \(nearest: flights\)"):
        generate("flihgts", tmp_path)


@pytest.mark.parametrize("size", [0.0, -1.0, float("nan"), float("inf")])
def test_impossible_sizes_are_refused(size: float, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="wanted a size above 0"):
        generate("retail", tmp_path, size=size)


def test_a_landing_that_cannot_be_written_is_said_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "landing").write_text("a file where a folder should be")
    with pytest.raises(PublishError, match="wanted to write a sample file, got Not a directory"):
        generate("detector", tmp_path / "landing")
