"""An input that cannot be read stands aside with its reason; its neighbours land, and it comes back when it changes."""

from __future__ import annotations

import gzip
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
import openpyxl
import polars as pl
import pytest

from dq_pipelines.lake.ledger import transactions
from dq_pipelines.lake.skipped_inputs import read_skipped_inputs
from dq_pipelines.sources.scratch import scratch
from dq_pipelines_tests.workshop import Ran, Workshop

pytestmark = pytest.mark.slow

CHECK = "bronze/t:inputs_readable"
PACKED = gzip.compress("".join(f"{n},name{n}\n" for n in range(5000)).encode())


def table(shop: Workshop, pattern: str = "t/*", kind: str = "csv", more: str = "", partitions: str = "") -> None:
    shop.table(
        "t",
        f"""
        source: {{type: {kind}, path: "{shop.landing}/{pattern}"{more}}}
        on_arrival: true
        {partitions}
        silver:
          columns: {{id: int64}}
          rules: [{{type: expect_column_values_to_be_between, column: id, min_value: 0}}]
        """,
    )


def aside(shop: Workshop) -> dict[str, str]:
    """The names of what stands aside, and why."""
    return {Path(uri).name: mark.reason for uri, mark in read_skipped_inputs(shop.lake, "t").items()}


def seen(ran: Ran) -> list[tuple[str, str]]:
    """What the check shows: names and reasons. It warns, and never more than that."""
    check = ran.checks[CHECK]
    shown = check.metadata.get("aside")
    records = shown.records if isinstance(shown, dg.TableMetadataValue) else []
    rows = [(Path(str(row.data["input"])).name, str(row.data["reason"])) for row in records]
    assert check.passed == (not rows)
    assert check.severity.name == "WARN"
    return rows


# --- what cannot be read, beside what can --------------------------------------------------------------

Lay = Callable[[Workshop], None]


def torn_gzip(shop: Workshop) -> None:
    shop.land("t/a.csv", "id\n1\n")
    shop.land("t/b.csv.gz", PACKED[: len(PACKED) // 2])
    shop.land("t/c.csv", "id\n2\n")
    table(shop)


def workbook(shop: Workshop, name: str, number: int, sheet: str = "Stock") -> None:
    book = openpyxl.Workbook()
    page = book.create_sheet(sheet, 0)
    page.append(["id"])
    page.append([number])
    (shop.landing / "t").mkdir(parents=True, exist_ok=True)
    book.save(shop.landing / f"t/{name}.xlsx")


def no_workbook(shop: Workshop) -> None:
    workbook(shop, "a", 1)
    workbook(shop, "c", 2)
    shop.land("t/b.xlsx", "id\n3\n")
    table(shop, kind="excel")


def no_such_sheet(shop: Workshop) -> None:
    for name, sheet, number in (("a", "Stock", 1), ("b", "Stok", 3), ("c", "Stock", 2)):
        workbook(shop, name, number, sheet)
    table(shop, kind="excel", more=", sheet: Stock")


def torn_parquet(shop: Workshop) -> None:
    (shop.landing / "t").mkdir(parents=True)
    for name, number in (("a", 1), ("c", 2)):
        pl.DataFrame({"id": [number]}).write_parquet(shop.landing / f"t/{name}.parquet")
    shop.land("t/b.parquet", b"PAR1" + bytes(100))
    table(shop, kind="parquet")


def torn_row_group(shop: Workshop) -> None:
    """The footer is whole, so that it can be opened; a page in its middle is not."""
    torn_parquet(shop)
    path = shop.landing / "t/b.parquet"
    ids = pl.select(id=pl.int_range(60_000).shuffle(seed=1))
    ids.write_parquet(path, row_group_size=10_000, compression="zstd", use_pyarrow=False)
    data = bytearray(path.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 2000] = bytes(2000)
    path.write_bytes(data)


def not_json(shop: Workshop) -> None:
    shop.land("t/a.json", '[{"id": 1}]')
    shop.land("t/b.json", "<html>503</html>")
    shop.land("t/c.json", '[{"id": 2}]')
    table(shop, kind="json")


BAD: dict[Lay, str] = {
    torn_gzip: "b.csv.gz",
    no_workbook: "b.xlsx",
    no_such_sheet: "b.xlsx",
    torn_parquet: "b.parquet",
    torn_row_group: "b.parquet",
    not_json: "b.json",
}


@pytest.mark.parametrize("lay", BAD, ids=lambda lay: lay.__name__)
def test_neighbours_land_and_the_reason_is_seen_as_long_as_it_stands_aside(shop: Workshop, lay: Lay) -> None:
    lay(shop)
    name = BAD[lay]
    first = shop.run("t")
    assert first.success
    assert shop.rows("silver/t", "id") == [1, 2]
    [(bad, reason)] = seen(first)
    assert bad == name
    assert name in reason
    assert "wanted" in reason
    assert "\n" not in reason
    assert aside(shop) == {name: reason}
    versions = shop.versions()
    again = shop.run("t")  # nothing new, and it is not tried again
    assert again.success
    assert seen(again) == [(name, reason)]
    assert shop.versions() == versions
    assert shop.leftovers() == []
    shutil.copy(shop.landing / f"t/a{''.join(Path(name).suffixes)}".removesuffix(".gz"), shop.landing / "t/d")
    (shop.landing / "t/d").replace(shop.landing / f"t/{name.removesuffix('.gz')}")
    if name.endswith(".gz"):
        (shop.landing / f"t/{name}").unlink()
    mended = shop.run("t")
    assert mended.success
    assert seen(mended) == []
    assert shop.rows("silver/t", "id") == [1, 1, 2]
    assert aside(shop) == {}


def test_alone_it_fails_the_run_once_and_is_seen_after_it(shop: Workshop) -> None:
    shop.land("t/b.csv.gz", PACKED[:50])
    table(shop)
    first = shop.run("t")
    assert "b.csv.gz: wanted a whole gzip archive" in first.failures["t"]
    assert first.failures["t"].endswith("the input stands aside until it changes")
    assert [name for name, _ in seen(first)] == ["b.csv.gz"]
    assert shop.versions() == {}
    second = shop.run("t")
    assert second.success
    assert [name for name, _ in seen(second)] == ["b.csv.gz"]
    shop.land("t/b.csv.gz", gzip.compress(b"id\n7\n"))
    assert shop.run("t").success
    assert shop.rows("silver/t", "id") == [7]


def test_bronze_alone_and_waiting_batches(shop: Workshop) -> None:
    torn_gzip(shop)
    ran = shop.run("bronze/t")
    assert ran.success
    assert len(seen(ran)) == 1
    shop.land("t/e.csv.gz", b"")
    ran = shop.run("t")  # what waits in bronze is judged, though nothing of what is new can be read
    assert ran.success
    assert shop.rows("silver/t", "id") == [1, 2]
    assert [name for name, _ in seen(ran)] == ["b.csv.gz", "e.csv.gz"]


def test_rerun_and_other_options_try_again(shop: Workshop) -> None:
    no_such_sheet(shop)
    assert shop.run("t").success
    marked = read_skipped_inputs(shop.lake, "t")
    assert shop.run("t", mode="rerun").success
    assert aside(shop).keys() == {"b.xlsx"}
    assert read_skipped_inputs(shop.lake, "t") != marked, "it was looked at again"
    table(shop, kind="excel", more=", sheet: 0")
    assert shop.run("t").success
    assert aside(shop) == {}
    assert shop.rows("silver/t", "id") == [1, 2, 3]


def test_what_is_gone_is_forgotten(shop: Workshop) -> None:
    torn_gzip(shop)
    shop.run("t")
    (shop.landing / "t/b.csv.gz").unlink()
    assert seen(shop.run("t")) == []


def test_its_later_version_replaces_what_landed_before(shop: Workshop) -> None:
    shop.land("t/a.csv", "id\n1\n")
    table(shop)
    assert shop.run("t").success
    shop.land("t/a.csv", "")
    assert "t" in shop.run("t").failures
    assert shop.rows("silver/t", "id") == [1]
    shop.land("t/a.csv", "id\n2\n")
    assert seen(shop.run("t")) == []
    assert 2 in shop.rows("silver/t", "id")


@contextmanager
def as_nobody(root: Path) -> Iterator[None]:
    """Without root's right to read everything."""
    was = os.geteuid()
    scratch.cache_clear()  # that of root
    for place in (root, *root.parents):
        if place.stat().st_uid == was and place != Path("/"):
            place.chmod(place.stat().st_mode | 0o777)
    if was == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(was)
        scratch.cache_clear()


def test_a_file_that_may_not_be_read(shop: Workshop) -> None:
    torn_gzip(shop)
    shop.land("t/b.csv.gz", gzip.compress(b"id\n3\n"))
    forbidden = shop.landing / "t/b.csv.gz"
    forbidden.chmod(0)
    with as_nobody(shop.root):
        ran = shop.run("t")
    assert ran.success
    [(name, reason)] = seen(ran)
    assert (name, "Permission denied" in reason) == ("b.csv.gz", True)
    assert shop.rows("silver/t", "id") == [1, 2]
    forbidden.chmod(0o644)  # it is the same file, and as old as before
    with as_nobody(shop.root):
        assert seen(shop.run("t")) == []
    assert shop.rows("silver/t", "id") == [1, 2, 3]


def requested(shop: Workshop) -> set[str | None]:
    """The partitions that the sensor wants to be run."""
    said = shop.tick("t_arrivals")
    assert isinstance(said, dg.SensorResult)
    return {request.partition_key for request in said.run_requests or ()}


def test_sensors_do_not_ask_for_it_again(shop: Workshop) -> None:
    torn_gzip(shop)
    table(shop, partitions="partitions: {type: dynamic}")
    assert requested(shop) == {"a", "b", "c"}
    for key in ("a", "b", "c"):
        ran = shop.run("t", partition=key)
        assert ran.success == (key != "b")
    assert [name for name, _ in seen(ran)] == ["b.csv.gz"]
    assert "nothing new" in str(shop.tick("t_arrivals"))
    shop.land("t/b.csv.gz", gzip.compress(b"id\n9\n"))
    assert requested(shop) == {"b"}
    assert shop.run("t", partition="b").success
    assert shop.rows("silver/t", "id", "_partition") == [(1, "a"), (2, "c"), (9, "b")]


def test_a_rule_that_cannot_be_judged_blames_no_input(shop: Workshop) -> None:
    shop.land("t/a.csv", "id\n1\n")
    shop.table(
        "t",
        f"""
        source: {{type: csv, path: "{shop.landing}/t/*"}}
        silver: {{transform: [{{filter: "no_such_column = 1"}}]}}
        """,
    )
    assert "no_such_column" in shop.run("t").failures["t"]
    assert aside(shop) == {}
    assert not transactions(shop.lake.table("bronze/t"))
