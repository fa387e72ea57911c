"""A file that is replaced while its size and modification time stay: its change time tells, and then its content."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from dq_pipelines.errors import Overtaken, SourceError
from dq_pipelines.lake.formats.delta import entries
from dq_pipelines.lake.ledger import transactions
from dq_pipelines.lake.publish import publish
from dq_pipelines.lake.skipped_inputs import SkippedInput, read_skipped_inputs, write_skipped_inputs
from dq_pipelines.pipeline.bronze import input_identity
from dq_pipelines.pipeline.bronze.ingest import arrived, land
from dq_pipelines.pipeline.bronze.landed import bronze
from dq_pipelines.pipeline.bronze.new_inputs import new_inputs
from dq_pipelines.pipeline.runtime.table_run import TableRun
from dq_pipelines.pipeline.silver.refinement import refine
from dq_pipelines.sources import Input, file_content
from dq_pipelines_tests.workshop import Workshop, delta_of

ORDERS = """
    source: {type: csv, path: "{landing}/orders/**/*.csv"}
    on_arrival: true
    MORE
    silver:
      KEYS
      columns: {id: int64, amount: float64}
"""


def orders(shop: Workshop, more: str = "", keys: str = "keys: [id]") -> TableRun:
    shop.table("orders", ORDERS.replace("MORE", more).replace("KEYS", keys))
    return TableRun(shop.project.tables["orders"], shop.lake)


def replace_content(path: Path, text: str, modified: int | None = None) -> None:
    """Another content of the same size under the same modification time, or one of before, as `rsync --times` lays it."""
    there = path.stat()
    path.write_text(text)
    os.utime(path, ns=(there.st_atime_ns, there.st_mtime_ns if modified is None else modified))
    assert path.stat().st_size == there.st_size


def new(work: TableRun) -> list[str]:
    return [Path(item.uri).name for item in new_inputs(work.table, work.lake)]


def as_another_process() -> None:
    """Forget what this process has read."""
    file_content._read.clear()
    entries._read.clear()


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The names of the files whose content is read in order to know it, in order."""
    names: list[str] = []
    reading = file_content._read_content

    def counted(item: Input) -> tuple[int, tuple[int, int, int]]:
        names.append(Path(item.uri).name)
        return reading(item)

    monkeypatch.setattr(file_content, "_read_content", counted)
    as_another_process()
    yield names
    as_another_process()


# --- a run -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("keys", "amounts"), [("keys: [id]", [11.0, 20.0]), ("", [10.0, 11.0, 20.0, 20.0])])
def test_it_lands_as_a_changed_file_does(shop: Workshop, keys: str, amounts: list[float]) -> None:
    orders(shop, keys=keys)
    path = shop.land("orders/a.csv", "id,amount\n1,10\n2,20\n")
    first = shop.tick("orders_arrivals")
    assert isinstance(first, dg.SensorResult)
    assert shop.run("orders").success
    assert isinstance(shop.tick("orders_arrivals"), dg.SkipReason)
    replace_content(path, "id,amount\n1,11\n2,20\n")
    second = shop.tick("orders_arrivals")
    assert isinstance(second, dg.SensorResult)
    # By the run key of before Dagster would start no run.
    assert (second.run_requests or [])[0].run_key != (first.run_requests or [])[0].run_key
    ran = shop.run("orders")
    assert ran.materialized["silver/orders"]["rows_in"] == 2
    assert shop.rows("silver/orders", "amount") == amounts
    assert len(set(shop.rows("bronze/orders", "_batch"))) == 2
    assert isinstance(shop.tick("orders_arrivals"), dg.SkipReason)


@pytest.mark.parametrize("times", [[0, 0, 0, 0, 0], [0, 5, 0, 5, 0]], ids=["one time", "each version has its own"])
def test_versions_that_come_back_land_each_time(shop: Workshop, times: list[int]) -> None:
    """Their size and modification time are those of a batch that has landed: it is another batch nevertheless."""
    work = orders(shop)
    path = shop.land("orders/a.csv", "id,amount\n1,0\n")
    for number, time in enumerate(times):
        replace_content(path, f"id,amount\n1,{number % 2}\n", 10**18 + time)
        assert new(work) == ["a.csv"]
        assert refine(work) is not None
        assert shop.rows("silver/orders", "amount") == [number % 2]
        assert new(work) == []
    assert len(set(shop.rows("bronze/orders", "_batch"))) == len(times)


def test_a_changed_file_that_waits_is_not_forgotten(shop: Workshop) -> None:
    work = orders(shop, "max_files: 1")
    paths = [shop.land(f"orders/{name}.csv", f"id,amount\n{name},1\n") for name in (1, 2, 3)]
    while refine(work) is not None:
        pass
    for path in paths:
        replace_content(path, path.read_text().replace(",1", ",2"))
    seen = []
    while new(work):
        seen.append(new(work))
        assert refine(work) is not None
    assert [len(names) for names in seen] == [3, 2, 1]
    assert shop.rows("silver/orders", "amount") == [2.0, 2.0, 2.0]


def test_a_partition_takes_its_own(shop: Workshop) -> None:
    orders(shop, 'partitions: {type: daily, start: 2026-01-01, in_path: "%Y-%m-%d"}')
    days = ["2026-01-01", "2026-01-02"]
    paths = [shop.land(f"orders/{day}/a.csv", f"id,amount\n{day[-1]},1\n") for day in days]
    for day in days:
        assert shop.run("orders", partition=day).success
    for path in paths:
        replace_content(path, path.read_text().replace(",1", ",2"))
    asked = shop.tick("orders_arrivals")
    assert isinstance(asked, dg.SensorResult)
    assert sorted(str(request.partition_key) for request in asked.run_requests or ()) == days
    assert shop.run("orders", partition=days[0]).success
    assert shop.rows("silver/orders", "id", "amount") == [(1, 2.0), (2, 1.0)]
    assert shop.run("orders", partition=days[1]).success
    assert shop.rows("silver/orders", "id", "amount") == [(1, 2.0), (2, 2.0)]
    assert isinstance(shop.tick("orders_arrivals"), dg.SkipReason)


def test_two_runs_do_not_land_it_twice(shop: Workshop) -> None:
    """A lake in an object store has no claims: the ledger alone tells the second run that the first was quicker."""
    work = orders(shop)
    path = shop.land("orders/a.csv", "id,amount\n1,10\n")
    land(work)
    replace_content(path, "id,amount\n1,11\n")
    late = arrived(work)
    assert late is not None
    land(work)
    stage = work.stage(bronze(work.table, work.lake), late.id)
    with pytest.raises(Overtaken, match=r"another run has published content:.*a\.csv"):
        publish(stage, "append", late.consumed, once=late.input_names)
    assert shop.rows("bronze/orders", "amount") == ["10", "11"]


# --- what is as it was ------------------------------------------------------------------------------


def test_touched_and_moded_files_are_read_once(shop: Workshop, read: list[str]) -> None:
    work = orders(shop)
    paths = [shop.land(f"orders/{name}.csv", f"id,amount\n{name},1\n") for name in (1, 2, 3)]
    land(work)
    read.clear()
    paths[0].chmod(0o640)
    os.utime(paths[1], ns=(0, 10**18))
    assert [new(work) for _ in range(3)] == [[], [], []]
    assert sorted(read) == ["1.csv", "2.csv"]
    # A run in which nothing lands makes no commit. The next one that lands something notes the times of the others.
    versions = shop.versions()
    assert land(work) is None
    assert shop.versions() == versions
    shop.land("orders/4.csv", "id,amount\n4,1\n")
    assert land(work) is not None
    as_another_process()
    read.clear()
    assert new(work) == []
    assert read == []
    assert shop.rows("bronze/orders", "id") == ["1", "2", "3", "4"]
    # What is noted is what is compared from now on.
    replace_content(paths[0], "id,amount\n1,2\n")
    replace_content(paths[1], "id,amount\n2,2\n")
    assert new(work) == ["2.csv", "1.csv"]


@pytest.mark.usefixtures("read")
def test_what_is_remembered_of_files_is_bounded(shop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    work = orders(shop)
    paths = [shop.land(f"orders/{name}.csv", f"id,amount\n{name},1\n") for name in (1, 2, 3)]
    land(work)
    monkeypatch.setattr(file_content, "_MOST_FILES", 2)
    for path in paths:
        path.chmod(0o640)
    assert new(work) == []
    assert len(file_content._read) == 2


def test_a_file_that_may_not_be_read_any_more_is_no_new_one(shop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its bytes and its modification time are those of before: somebody has put it away."""
    work = orders(shop)
    path = shop.land("orders/a.csv", "id,amount\n1,10\n")
    land(work)
    path.chmod(0o000)

    def refused(item: Input) -> tuple[int, tuple[int, int, int]]:
        raise SourceError(f"{item.uri}: wanted a readable file, got: Permission denied")

    with monkeypatch.context() as then:
        then.setattr(file_content, "_read_content", refused)
        assert new(work) == []
        os.utime(path, ns=(0, 10**18))
        assert new(work) == ["a.csv"], "a new modification time and a content that nobody knows"
    path.chmod(0o600)
    assert new(work) == []


# --- the ledger -------------------------------------------------------------------------------------


def test_a_checkpoint_keeps_the_change_times(shop: Workshop, read: list[str]) -> None:
    work = orders(shop)
    path = shop.land("orders/a.csv", "id,amount\n1,10\n")
    land(work)
    table = bronze(work.table, work.lake)
    noted = transactions(table)
    assert noted[f"changed:{path}"] == path.stat().st_ctime_ns
    # Delta forgets an entry with `lastUpdated` where a table has this property; one without it stays.
    delta = delta_of(table)
    delta.alter.set_table_properties({"delta.setTransactionRetentionDuration": "interval 1 second"})
    delta_of(table).create_checkpoint()
    for commit in (Path(table.uri) / "_delta_log").glob("*0.json"):
        commit.unlink()
    as_another_process()
    read.clear()
    assert transactions(table) == noted
    assert (new(work), read) == ([], [])
    replace_content(path, "id,amount\n1,11\n")
    assert new(work) == ["a.csv"]


def test_a_lake_of_an_earlier_release_learns_the_change_times(
    shop: Workshop, monkeypatch: pytest.MonkeyPatch, read: list[str]
) -> None:
    work = orders(shop)
    paths = [shop.land(f"orders/{name}.csv", f"id,amount\n{name},1\n") for name in (1, 2, 3)]
    with monkeypatch.context() as then:
        versions = input_identity.Consumed.versions
        then.setattr(
            input_identity.Consumed,
            "versions",
            lambda known, inputs: {k: v for k, v in versions(known, inputs).items() if not k.startswith("changed:")},
        )
        land(work)
    assert not any(name.startswith("changed:") for name in transactions(bronze(work.table, work.lake)))
    read.clear()
    replace_content(paths[0], "id,amount\n1,2\n")
    assert (new(work), read) == ([], []), "nothing tells"
    there = paths[1].stat()
    paths[1].write_text("id,amount\n2,22\n")
    os.utime(paths[1], ns=(there.st_atime_ns, there.st_mtime_ns))
    assert (new(work), read) == (["2.csv"], []), "its size tells"
    assert land(work) is not None
    replace_content(paths[2], "id,amount\n3,2\n")
    assert new(work) == ["3.csv"]


# --- what stands aside ------------------------------------------------------------------------------


@pytest.mark.parametrize("earlier_release", [False, True])
def test_a_bad_file_that_is_mended_under_its_old_times_is_looked_at(shop: Workshop, earlier_release: bool) -> None:
    good = "id,amount\n1,10\n"
    work = orders(shop)
    shop.land("orders/b.csv", "id,amount\n2,20\n")
    path = shop.land("orders/a.csv", b"\x00" * len(good))
    land(work)
    [mark] = read_skipped_inputs(work.lake, "orders").values()
    assert mark.changed == path.stat().st_ctime_ns
    if earlier_release:
        write_skipped_inputs(work.lake, "orders", [SkippedInput(mark.uri, mark.version, mark.reason, mark.since)])
    assert new(work) == []
    replace_content(path, good)
    assert new(work) == ([] if earlier_release else ["a.csv"])
    land(work)
    assert shop.rows("bronze/orders", "id") == (["2"] if earlier_release else ["1", "2"])
    assert len(read_skipped_inputs(work.lake, "orders")) == (1 if earlier_release else 0)
