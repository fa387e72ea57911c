"""The contract of a source: its inputs have versions, which tell what is as it was and what has changed."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from dq_pipelines.errors import SourceError, Transient
from dq_pipelines.sources import ConsumedVersion, Input, Source, source_classes
from dq_pipelines_tests.contracts.sources.cases import CASES, Case, Disk, Place, Store

HERE = [case for case in CASES if case.type in source_classes()]


@pytest.fixture
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    return Disk(tmp_path) if request.param == "disk" else Store(request.getfixturevalue("s3"))


@pytest.fixture
def case(request: pytest.FixtureRequest) -> Case:
    found: Case = request.param
    return found


everywhere = pytest.mark.parametrize(
    ("case", "place"),
    [
        *(
            pytest.param(case, "disk", id=f"{case}-disk", marks=pytest.mark.slow if case.on_server else ())
            for case in HERE
        ),
        *(pytest.param(case, "store", id=f"{case}-store", marks=pytest.mark.slow) for case in HERE if case.in_stores),
    ],
    indirect=True,
)
on_disk = pytest.mark.parametrize(
    ("case", "place"), [pytest.param(case, "disk", id=str(case)) for case in HERE if case.in_files], indirect=True
)


def only(source: Source) -> Input:
    (item,) = source.inputs()
    return item


def consumed(source: Source, item: Input) -> ConsumedVersion:
    """What bronze's ledger notes of an input."""
    return ConsumedVersion(item.uri, item.version.number, item.version.changed or None, source.content_of(item))


def numbers(source: Source, *inputs: Input) -> list[int]:
    reading = source.read(inputs)
    assert reading.unreadable.collect().height == 0
    new = reading.landed.filter(~reading.overlap) if reading.overlap is not None else reading.landed
    return [int(float(number)) for number in new.collect()["n"]]


def test_each_source_has_a_case() -> None:
    assert source_classes().keys() <= {case.type for case in CASES}, "add a case for the new source to cases.py"


@everywhere
def test_listing_is_stable(case: Case, place: Place) -> None:
    case.write(place, case.name, [1, 2])
    if case.of_two is not None:
        for name in ("10", "9"):
            case.write(place, f"{name}{Path(case.name).suffix}", [1, 2])
    source = case.source(place, case.of_two)
    listed = source.listed()
    assert listed.inputs == tuple(source.inputs()) == tuple(source.inputs())
    assert [Path(item.uri).stem for item in listed.inputs][-3:-1] == ([] if case.of_two is None else ["9", "10"])
    assert all(source.may_read(item) for item in listed.inputs)
    assert source.asks_network == (isinstance(place, Store) or case.on_server)


@everywhere
def test_an_input_that_nobody_touches_has_one_version(case: Case, place: Place) -> None:
    case.write(place, case.name, [1, 2])
    source = case.source(place)
    first, second = only(source), only(source)
    assert first == second
    assert first.fingerprint == second.fingerprint
    assert first.version.changed == second.version.changed
    assert source.content_of(first) == source.content_of(second)
    assert source.is_same(second, consumed(source, first))
    source.must_be_unchanged(first)
    assert str(first.version)


@on_disk
def test_a_touched_input_is_the_same(case: Case, place: Place) -> None:
    case.write(place, case.name, [1, 2])
    source = case.source(place)
    before = consumed(source, only(source))
    path = Path(only(source).uri)
    path.chmod(0o750)
    os.utime(path, ns=(0, 10**18))
    after = only(source)
    assert source.is_same(after, before)
    assert source.content_of(after) == before.content


@everywhere
def test_a_changed_input_is_another_version(case: Case, place: Place) -> None:
    case.write(place, case.name, [1, 2])
    source = case.source(place)
    first = only(source)
    before = consumed(source, first)
    case.write(place, case.name, [1, 2, 3])
    second = only(source)
    assert second != first
    assert second.fingerprint != first.fingerprint
    assert second.version.number > first.version.number
    assert source.content_of(second) != before.content
    assert source.is_same(second, before) is False
    assert numbers(source, second) == [1, 2, 3]
    new = source.unconsumed(second, before)
    assert numbers(source, new) == ([3] if source.continues else [1, 2, 3])


@everywhere
def test_a_read_of_what_changed_meanwhile_is_noticed(case: Case, place: Place) -> None:
    case.write(place, case.name, [1, 2])
    source = case.source(place)
    item = only(source)
    source.must_be_unchanged(item)
    case.write(place, case.name, [1, 2, 3])
    if case.immutable:
        source.must_be_unchanged(item)
        assert numbers(source, item) == [1, 2]
        return
    with pytest.raises(Transient, match="changed while it was read"):
        source.must_be_unchanged(item)
    with pytest.raises(SourceError):
        numbers(source, item)


@on_disk
def test_what_has_gone_is_no_input(case: Case, place: Place) -> None:
    case.write(place, case.name, [1, 2])
    source = case.source(place)
    item = only(source)
    path = Path(item.uri)
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    with pytest.raises(SourceError):
        numbers(source, item)
    if case.type != "delta":  # without its folder, it cannot be listed
        assert not source.inputs()
        assert "wanted at least one" in source.nothing_found()


@everywhere
def test_rows_say_where_they_came_from(case: Case, place: Place) -> None:
    case.write(place, case.name, [1, 2])
    source = case.source(place)
    item = only(source)
    rows = source.read([item]).landed.collect()
    assert list(dict.fromkeys(rows["_source"])) == list(source.row_sources(item))
    assert all(name.partition("#")[0] == item.uri for name in source.row_sources(item))
    assert rows.select("_source", "_row").is_unique().all()
    passed_over = [one.uri for one in source.passed_over([item])]
    assert passed_over == ([f"{item.uri}#readme.md"] if case.name == "a.zip" else [])


@everywhere
def test_a_second_read_gives_the_same_rows(case: Case, place: Place) -> None:
    case.write(place, case.name, [2, 1])
    source = case.source(place)
    item = only(source)
    first, second = (source.read([item]).landed.collect() for _ in range(2))
    assert first.equals(second)


@on_disk
def test_an_input_is_known_where_it_has_moved(case: Case, place: Place, tmp_path: Path) -> None:
    case.write(place, case.name, [1, 2])
    before = consumed(case.source(place), only(case.source(place)))
    moved = tmp_path.parent / f"{tmp_path.name}-moved"
    tmp_path.rename(moved)
    source = case.source(Disk(moved))
    assert source.has_moved(only(source), before)
    case.write(Disk(moved), case.name, [1, 2, 3])
    assert not source.has_moved(only(source), before)
