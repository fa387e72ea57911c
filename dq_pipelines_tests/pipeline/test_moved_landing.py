"""Landing moves: what was read is known by its address within it, also to a lake that an earlier release wrote."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from dq_pipelines.doctor.accounting import account
from dq_pipelines.lake.ledger import transactions
from dq_pipelines.lake.tables import Lake
from dq_pipelines.pipeline.bronze import input_identity
from dq_pipelines.pipeline.bronze.new_inputs import new_inputs
from dq_pipelines.pipeline.maintenance.erasure import erase
from dq_pipelines.pipeline.maintenance.erasure_plan import ErasureRequest
from dq_pipelines.pipeline.runtime.table_run import TableRun
from dq_pipelines_tests.workshop import Workshop

pytestmark = pytest.mark.slow

TABLE = """
    source: {{type: csv, path: "{landing}/orders/*.csv"}}
    silver:
      columns: {{id: int64, amount: float64}}
      {keys}
      rules: [{{type: expect_column_values_to_be_between, column: amount, max_value: 100, on_failure: quarantine}}]
"""


def declare(shop: Workshop, landing: Path, monkeypatch: pytest.MonkeyPatch, keys: str = "") -> None:
    monkeypatch.setenv("DQ_LANDING", str(landing))
    shop.table("orders", TABLE.format(landing=landing, keys=keys))


def new(shop: Workshop) -> list[str]:
    return [Path(item.uri).name for item in new_inputs(shop.project.tables["orders"], shop.lake)]


@pytest.mark.parametrize("keys", ["", "keys: [id]"])
@pytest.mark.parametrize("earlier_release", [False, True])
def test_what_has_moved_is_not_read_again(
    shop: Workshop, monkeypatch: pytest.MonkeyPatch, keys: str, earlier_release: bool
) -> None:
    with monkeypatch.context() as then:
        if earlier_release:  # which noted whole addresses: as does a landing folder in which nothing lies
            then.setattr(input_identity.Names, "is_landing", lambda *_: False)
            then.setattr(input_identity.Names, "name", lambda _, address: address)
        declare(shop, shop.landing, then, keys)
        shop.land("orders/a.csv", "id,amount\n1,1\n2,500\n")
        shop.land("orders/b.csv", "id,amount\n3,3\n")
        shop.run("orders")
    noted = {entry for entry in transactions(shop.lake.table("bronze/orders")) if entry.startswith("input:")}
    where = f"{shop.landing}/" if earlier_release else ""
    assert noted == {f"input:{where}orders/a.csv", f"input:{where}orders/b.csv"}

    declare(shop, shop.landing, monkeypatch, keys)
    assert new(shop) == [], "an upgrade reads nothing again"
    moved = shop.root / "elsewhere/landing"
    moved.parent.mkdir()
    shop.landing.rename(moved)
    declare(shop, moved, monkeypatch, keys)
    assert new(shop) == []

    # A new file, and a changed one: the later version takes the place of the earlier, which lay elsewhere.
    (moved / "orders/c.csv").write_text("id,amount\n4,4\n")
    assert new(shop) == ["c.csv"]
    assert shop.run("orders").success
    (moved / "orders/a.csv").write_text("id,amount\n1,10\n2,20\n")
    assert new(shop) == ["a.csv"]
    assert shop.run("orders").success
    shop.run("orders", mode="rerun")
    assert shop.rows("silver/orders", "id", "amount") == [(1, 10.0), (2, 20.0), (3, 3.0), (4, 4.0)]
    assert shop.rows("quarantine/orders") == []
    found = account(TableRun(shop.project.tables["orders"], shop.lake), shop.history)
    assert (found.nowhere, found.twice, found.unlanded) == ([], [], [])


def test_a_certificate_names_inputs_where_they_lie_today(shop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    declare(shop, shop.landing, monkeypatch)
    shop.land("orders/a.csv", "id,amount\n1,1\n2,2\n")
    assert shop.run("orders").success
    moved = shop.root / "elsewhere/landing"
    moved.parent.mkdir()
    shop.landing.rename(moved)
    declare(shop, moved, monkeypatch)
    wish = ErasureRequest(
        TableRun(shop.project.tables["orders"], shop.lake), shop.project, "id = 1", Lake.at(f"{shop.root}/backup")
    )
    certificate = erase(wish, shop.history, "zoe")
    assert (certificate.rows, certificate.inputs) == (2, (f"{moved}/orders/a.csv",))
    assert shop.rows("silver/orders", "id") == [2]


def test_a_copy_with_new_times_is_known_by_its_content(shop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    declare(shop, shop.landing, monkeypatch)
    shop.land("orders/a.csv", "id,amount\n1,1\n")
    shop.land("orders/b.csv", "id,amount\n2,2\n")
    shop.run("orders")
    copied = shop.root / "copied"
    shutil.copytree(shop.landing, copied, copy_function=shutil.copyfile)
    os.utime(copied / "orders/a.csv", (1, 1))
    declare(shop, copied, monkeypatch)
    (copied / "orders/b.csv").write_text("id,amount\n2,3\n")
    assert new(shop) == ["b.csv"]
    # a file of the same name elsewhere below landing is another one
    (copied / "orders/a.csv").rename(copied / "a.csv")
    shop.table("orders", TABLE.format(landing=copied, keys="").replace("/orders/*.csv", "/*.csv"))
    assert new(shop) == ["a.csv"]


def test_names_within_a_store(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DQ_LANDING", "s3://new/landing/")
    names = input_identity.Names.of({"landing:s3://old/landing": 1, "landing:/data/landing": 1})
    assert names.name("s3://new/landing/orders/a.csv") == "orders/a.csv"
    assert names.name("s3://old/landing/orders/a.zip#b.csv") == "orders/a.zip#b.csv"
    assert names.name("/data/landing/orders/a.csv") == "orders/a.csv"
    assert names.name("s3://old/landings/a.csv") == "s3://old/landings/a.csv"
