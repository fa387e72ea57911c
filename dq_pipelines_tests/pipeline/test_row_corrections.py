"""Cells of refused rows corrected in place: what is accepted, what is kept, and what a replay or a rerun then publishes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from dq_pipelines.pipeline.exchange.corrections_exchange import ReturnedFile, export, import_corrections
from dq_pipelines.pipeline.exchange.row_corrections import CorrectionResult, correct
from dq_pipelines.pipeline.quarantine.quarantine_status import RefusedRowFilter, set_status
from dq_pipelines.pipeline.replay.replay import replay
from dq_pipelines_tests.pipeline.test_mending import mended, shop_of_orders, work
from dq_pipelines_tests.workshop import Workshop

__all__ = ["shop_of_orders"]


def refused(shop: Workshop) -> dict[int, dict[str, Any]]:
    """The refused rows by their line."""
    return {row["_row"]: row for row in shop.rows("quarantine/orders")}


def corrected(shop: Workshop, edits: Mapping[int, Mapping[str, str | None]], by: str = "ann") -> CorrectionResult:
    ids = {line: row["_id"] for line, row in refused(shop).items()}
    return correct(work(shop), {ids.get(line, "b-0:gone.csv:1"): cells for line, cells in edits.items()}, by=by)


def test_corrected_rows_are_kept_and_a_replay_publishes_them(shop_of_orders: Workshop) -> None:
    silver = shop_of_orders.rows("silver/orders")
    done = corrected(shop_of_orders, {3: {"amount": "5"}, 4: {"fit": "L"}, 6: {"day": "2026-02-28", "fit": "S"}})
    assert done == CorrectionResult(3)
    rows = refused(shop_of_orders)
    assert [(rows[line]["_status"], rows[line]["_status_by"]) for line in (3, 4, 5)] == [
        ("open", "ann"),
        ("open", "ann"),
        ("open", None),
    ]
    assert rows[3]["amount"] == "-5", "quarantine goes on saying what landed"
    assert json.loads(rows[6]["_correction"]) == {"Day": "28.02.2026", "size": "S"}, "as it would have landed"
    assert shop_of_orders.rows("silver/orders") == silver
    again = replay(work(shop_of_orders), by="bob")
    assert (len(again.published), again.failing.height) == (3, 2)
    assert shop_of_orders.rows("silver/orders", "id", "amount", "fit", "twice") == [
        (1, 10, "S", 20), (2, 5, "M", 10), (3, 50, "L", 100), (5, 8, "S", 16),
    ]  # fmt: skip
    assert {line: row["_status"] for line, row in refused(shop_of_orders).items()} == {
        3: "fixed", 4: "fixed", 5: "open", 6: "fixed", 7: "open",
    }  # fmt: skip


def test_a_rerun_publishes_them_too(shop_of_orders: Workshop) -> None:
    corrected(shop_of_orders, {3: {"amount": "5"}})
    assert shop_of_orders.run("orders", mode="rerun").success
    assert shop_of_orders.rows("silver/orders", "id", "amount") == [(1, 10), (2, 5)]
    assert refused(shop_of_orders)[3]["_status"] == "fixed"


@pytest.mark.parametrize(
    ("line", "cells", "said"),
    [
        (3, {"amount": "5 EUR"}, "amount: wanted int64, got '5 EUR'"),
        (3, {"amount": "5.5"}, "amount: wanted int64, got '5.5'"),
        (3, {"day": "31.02.2026"}, "day: wanted date as %d.%m.%Y, got '31.02.2026'"),
        (3, {"amont": "5"}, "amont: unknown column (nearest: amount)"),
        (3, {"_status": "fixed"}, "_status: unknown column"),
        (4, {"id": "8"}, "id: is locked: it is a key, and no rule has refused the row for it"),
        (
            4,
            {"twice": "8"},
            "twice: column 'twice' is made by a step and cannot be corrected: correct the columns that it is made of",
        ),
        (99, {"amount": "5"}, "b-0:gone.csv:1: wanted the id of a refused row, got one that the table does not have"),
    ],
)
def test_what_is_refused(shop_of_orders: Workshop, line: int, cells: dict[str, str | None], said: str) -> None:
    before = shop_of_orders.versions()
    (problem,) = corrected(shop_of_orders, {line: cells}).problems
    assert problem.startswith(said)
    assert shop_of_orders.versions() == before


def test_one_wrong_cell_holds_all_back_and_is_told_with_its_row(shop_of_orders: Workshop) -> None:
    before, row = shop_of_orders.versions(), refused(shop_of_orders)[4]["_id"]
    done = corrected(shop_of_orders, {3: {"amount": "5"}, 4: {"amount": "many"}})
    assert done == CorrectionResult(0, (f"{row}: amount: wanted int64, got 'many'",))
    assert shop_of_orders.versions() == before


def test_the_landed_text_again_undoes_a_correction(shop_of_orders: Workshop) -> None:
    corrected(shop_of_orders, {3: {"amount": "5", "fit": None}})
    assert corrected(shop_of_orders, {3: {"amount": "5", "fit": None}}) == CorrectionResult(0), "nothing new"
    corrected(shop_of_orders, {3: {"fit": "M"}})
    assert json.loads(refused(shop_of_orders)[3]["_correction"]) == {"amount": "5"}
    corrected(shop_of_orders, {3: {"amount": "-5"}})
    assert refused(shop_of_orders)[3]["_correction"] is None
    assert replay(work(shop_of_orders), by="bob").published == ()


def test_a_line_that_could_not_be_read_becomes_a_row(shop_of_orders: Workshop) -> None:
    done = corrected(shop_of_orders, {7: {"id": "9", "amount": "9", "day": "01.01.2026", "fit": "S"}})
    assert done == CorrectionResult(1)
    replay(work(shop_of_orders), by="bob")
    assert (9, 9, "S") in shop_of_orders.rows("silver/orders", "id", "amount", "fit")


@pytest.mark.parametrize("ending", ["xlsx", "csv"])
def test_a_workbook_has_them_and_they_stay_with_what_it_changes(shop_of_orders: Workshop, ending: str) -> None:
    corrected(shop_of_orders, {3: {"amount": "1"}, 4: {"fit": "L"}})
    path = shop_of_orders.root / f"orders.{ending}"
    export(work(shop_of_orders), path)
    assert import_corrections(work(shop_of_orders), ReturnedFile.read(path), by="bob").replayed.published == ()
    # The amount of 1 is below the id of 2, so that the row wants one more correction.
    if ending == "xlsx":
        path = mended(path, {2: {"day": "2026-02-03"}, 3: {"amount": "51"}})
    else:
        text = path.read_text().replace("2026-02-02", "2026-02-03").replace(",50,", ",51,")
        assert ",1," in text
        path.write_text(text)
    done = import_corrections(work(shop_of_orders), ReturnedFile.read(path), by="bob")
    assert len(done.replayed.published) == 1, done
    assert "amount, id" in done.problems[0]
    assert shop_of_orders.rows("silver/orders", "id", "amount", "fit") == [(1, 10, "S"), (3, 51, "L")]


def test_a_settled_row_is_left_alone(shop_of_orders: Workshop) -> None:
    row = refused(shop_of_orders)[3]["_id"]
    set_status(work(shop_of_orders), RefusedRowFilter(ids=[row]), "dismissed", "eve", "a test order")
    (problem,) = corrected(shop_of_orders, {3: {"amount": "5"}}).problems
    assert problem == f"{row}: wanted an open row, got one that is dismissed by eve"


def test_a_note_stays_with_a_dismissed_row_until_it_is_opened(shop_of_orders: Workshop) -> None:
    row = RefusedRowFilter(ids=[refused(shop_of_orders)[3]["_id"]])
    assert set_status(work(shop_of_orders), row, "dismissed", "eve", "a test order") == 1
    assert shop_of_orders.run("orders", mode="rerun").success
    assert refused(shop_of_orders)[3]["_status_note"] == "a test order"
    assert set_status(work(shop_of_orders), row, "open", "eve") == 1
    assert refused(shop_of_orders)[3]["_status_note"] is None
