"""`dq anomaly`: what was unlike its past, and a person who says that it is as it should be."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from dq_pipelines.history.store.records import VerdictRecord
from dq_pipelines_tests.workshop import Workshop

from .conftest import Dq, Ran

ORDERS = """
    source: {type: csv, path: "{landing}/orders/*.csv"}
    silver: {anomalies: [{metric: row_count}, {metric: mean, column: amount}]}
"""
DAYS, BAD = 30, 4


@pytest.fixture
def anomaly(dq: Dq, shop: Workshop) -> Callable[..., Ran]:
    """`dq anomaly` on a table whose volume dropped four days ago."""
    shop.table("orders", ORDERS)
    now = datetime.now(UTC)
    for ago in range(DAYS, 0, -1):
        rows = 12 if ago == BAD else 1000 + ago % 7
        at = now - timedelta(days=ago)
        shop.history.record(
            VerdictRecord("silver/orders", f"b{ago}", f"r{ago}", at, 1, rows, rows, 0, 0, blocked=False)
        )

    def ask(*arguments: str) -> Ran:
        return dq("anomaly", *arguments, DQ_CONFIG=str(shop.root / "assets_config"), DQ_HISTORY_URL=shop.history.url)

    return ask


def _listed(anomaly: Callable[..., Ran]) -> list[dict[str, object]]:
    return list(json.loads(anomaly("list", "--json").stdout))


def test_what_is_outside_of_its_band_is_listed(anomaly: Callable[..., Ran]) -> None:
    (one,) = _listed(anomaly)
    assert (one["table"], one["metric"], one["column"], one["value"]) == ("silver/orders", "row_count", None, 12)
    assert one["accepted"] is None
    shown = anomaly("list", "orders").stdout
    assert str(one["at"])[:10] in shown
    assert "1,003" in shown
    assert anomaly("list", "--days", "3").stdout == "no anomalies in 3 days\n"


def test_a_point_is_accepted_and_opened_again(anomaly: Callable[..., Ran]) -> None:
    at = str(_listed(anomaly)[0]["at"])
    said = anomaly("accept", "orders", "row_count", "--at", at[:10], "--by", "ann", "--note", "stock-taking")
    assert said.returncode == 0
    assert "silver/orders: row_count of " in said.stdout
    assert "(12): accepted by ann: stock-taking" in said.stdout
    assert "anomaly_row_count alone" in said.stdout
    assert _listed(anomaly)[0]["accepted"] == "accepted by ann: stock-taking"
    moment = at[:19].replace("T", " ")
    assert anomaly("reopen", "silver/orders", "row_count", "--at", moment).stdout.endswith("open again\n")
    assert _listed(anomaly)[0]["accepted"] is None
    again = anomaly("reopen", "orders", "row_count", "--at", moment)
    assert (again.returncode, again.stderr.split(": ", 1)[0]) == (2, "dq anomaly")
    assert again.stderr.endswith("was not accepted\n")


def test_a_new_level_is_learned_from_there(anomaly: Callable[..., Ran]) -> None:
    at = str(_listed(anomaly)[0]["at"])
    assert "accepted as a new level by " in anomaly("accept", "orders", "row_count", "--at", at, "--new-level").stdout
    assert [row["accepted"] is None for row in _listed(anomaly)] == [False]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("accept", "ordrs", "row_count", "--at", "2026-01-01"), "unknown table 'ordrs' (nearest: orders)"),
        (("accept", "orders", "row_cont", "--at", "2026-01-01"), "silver/orders does not watch row_cont (nearest: row_count)"),
        (("accept", "orders", "mean", "--at", "2026-01-01"), "silver/orders does not watch mean, wanted one of row_count, mean of amount"),
        (("accept", "orders", "row_count", "--at", "then"), "wanted a moment such as 2026-01-31 02:00:00, got 'then'"),
        (("reopen", "orders", "row_count", "--at", "1999-01-01"), "found no point then (nearest: 20"),
        (("accept", "orders", "mean", "--column", "amount", "--at", "2026-01-01"), "found no points yet"),
    ],
)  # fmt: skip
def test_what_is_not_there_is_refused(anomaly: Callable[..., Ran], arguments: tuple[str, ...], said: str) -> None:
    ran = anomaly(*arguments)
    assert ran.returncode == 2
    assert said in ran.stderr
    assert "Traceback" not in ran.stderr
