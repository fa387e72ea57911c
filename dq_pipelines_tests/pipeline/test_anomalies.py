"""Metrics held against their past, through Dagster: what is planted is found on the day, and quiet days are left alone."""

from __future__ import annotations

import base64
import random
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from xml.etree import ElementTree as ET

import dagster as dg
import pytest

from dq_pipelines.history.queries.series import Point
from dq_pipelines.history.queries.table_status import latest_status
from dq_pipelines.history.store.accepted import AcceptedPoint, AcceptedPoints
from dq_pipelines.history.store.metrics import BatchMetrics, ColumnMetrics
from dq_pipelines.history.store.records import ANOMALY, VerdictRecord
from dq_pipelines.monitoring.anomalies.anomaly_rule import AnomalyRule
from dq_pipelines.monitoring.anomalies.evaluation import judged
from dq_pipelines_tests.workshop import Ran, Workshop

pytestmark = pytest.mark.slow

ORDERS = """
    source: {type: csv, path: "{landing}/orders/*.csv"}
    silver:
      columns: {id: int64, amount: float64, note: string}
      rules:
        - {type: expect_column_values_to_not_be_null, column: id}
      anomalies:
        - {metric: row_count, seasonality: weekly}
        - {metric: mean, column: amount, sensitivity: 3}
        - {metric: null_share, column: note, direction: up, severity: critical}
"""
CHECKS = ("anomaly_row_count", "anomaly_mean_amount", "anomaly_null_share_note")
Day = Callable[[random.Random], tuple[int, float, float]]


def _quiet(dice: random.Random) -> tuple[int, float, float]:
    """Rows, mean of `amount`, share of nulls in `note` of a day like any other."""
    return round(dice.gauss(200, 6)), dice.gauss(50, 1), max(0.0, dice.gauss(0.05, 0.01))


def _volume_drop(dice: random.Random) -> tuple[int, float, float]:
    return 90, *_quiet(dice)[1:]


def _mean_shift(dice: random.Random) -> tuple[int, float, float]:
    return _quiet(dice)[0], 60.0, _quiet(dice)[2]


def _null_burst(dice: random.Random) -> tuple[int, float, float]:
    return *_quiet(dice)[:2], 0.4


def _seed(shop: Workshop, days: int) -> random.Random:
    """A month of verdicts that were recorded when nobody looked, the last of them yesterday."""
    dice = random.Random(11)  # noqa: S311 - the same month each time
    for ago in range(days, 0, -1):
        rows, mean, nulls = _quiet(dice)
        of_note = ColumnMetrics("note", rows, round(rows * nulls))
        of_amount = ColumnMetrics("amount", rows, 0, mean=mean)
        shop.history.record(
            VerdictRecord(
                "silver/orders", f"b-{ago}", f"run-{ago}", datetime.now(UTC) - timedelta(days=ago), 1.0, rows, rows, 0, 0,
                blocked=False, metrics=BatchMetrics(columns=(of_amount, of_note)),
            )
        )  # fmt: skip
    return dice


def _land(shop: Workshop, name: str, rows: int, mean: float, nulls: float) -> None:
    lines = [
        f"{row},{mean + (row % 2 - 0.5) * 2},{'' if row < rows * nulls else 'n'}" for row in range(rows - rows % 2)
    ]
    shop.land(f"orders/{name}.csv", "\n".join(["id,amount,note", *lines, ""]))


def _day(shop: Workshop, name: str, rows: int, mean: float, nulls: float) -> Ran:
    _land(shop, name, rows, mean, nulls)
    ran = shop.run("orders")
    assert ran.success
    return ran


def _failed(ran: Ran) -> list[str]:
    return [name for name in CHECKS if not ran.checks[f"silver/orders:{name}"].passed]


@pytest.fixture
def month(shop: Workshop) -> tuple[Workshop, random.Random]:
    shop.table("orders", ORDERS)
    return shop, _seed(shop, 28)


@pytest.mark.parametrize(
    ("planted", "found"),
    [
        (_volume_drop, "anomaly_row_count"),
        (_mean_shift, "anomaly_mean_amount"),
        (_null_burst, "anomaly_null_share_note"),
    ],
)
def test_what_is_planted_is_found_on_the_day(month: tuple[Workshop, random.Random], planted: Day, found: str) -> None:
    shop, dice = month
    for name in ("quiet", "quiet_too"):
        assert _failed(_day(shop, name, *_quiet(dice))) == []
    ran = _day(shop, "planted", *planted(dice))
    assert _failed(ran) == [found]
    severity = dg.AssetCheckSeverity.ERROR if found == CHECKS[2] else dg.AssetCheckSeverity.WARN
    assert ran.checks[f"silver/orders:{found}"].severity == severity
    assert _failed(_day(shop, "quiet_again", *_quiet(dice))) == []


def test_a_check_tells_point_band_and_picture(month: tuple[Workshop, random.Random]) -> None:
    shop, dice = month
    ran = _day(shop, "planted", *_volume_drop(dice))
    check = ran.checks["silver/orders:anomaly_row_count"]
    told: dict[str, Any] = {name: value.value for name, value in check.metadata.items()}
    assert told["value"] == 90
    assert told["expected"] == pytest.approx(200, abs=8)
    assert 90 < told["lower"] < told["expected"] < told["upper"] < 300
    assert 0.5 < told["score"] <= 1
    assert told["history"] == 28
    assert "metric: row_count" in told["rule"]
    assert re.fullmatch(r"observed 90, expected [\d.]+ \(from [\d.]+ to [\d.]+\)", check.description or "")
    drawn = base64.b64decode(told["picture"].partition("base64,")[2].removesuffix(")"))
    assert told["picture"].startswith("![row_count](data:image/svg+xml;base64,")
    svg = ET.fromstring(drawn)  # noqa: S314 - our own
    dots = [dot for dot in svg.iter() if dot.tag.endswith("circle")]
    assert len(dots) == 29
    assert dots[-1].get("fill") == "#c62828"


def test_history_remembers_it_and_the_score_does_not_count_it(month: tuple[Workshop, random.Random]) -> None:
    shop, dice = month
    _day(shop, "planted", *_volume_drop(dice))
    latest = latest_status(shop.history, "silver/orders")
    assert latest is not None
    told = {rule.one.check: rule.one for rule in latest.rules if rule.one.rule == ANOMALY}
    assert set(told) == set(CHECKS)
    assert [rule.one.check for rule in latest.failed] == ["anomaly_row_count"]
    assert told["anomaly_row_count"].observed_value["value"] == 90
    assert not told["anomaly_row_count"].blocks
    assert latest.score == 100


def test_too_little_history_passes_with_a_note(shop: Workshop) -> None:
    shop.table("orders", ORDERS)
    dice = _seed(shop, 3)
    ran = _day(shop, "drop", *_volume_drop(dice))
    assert _failed(ran) == []
    assert ran.number("silver/orders:anomaly_row_count", "note") == "not enough history: 3 of 14 points"
    assert ran.number("silver/orders:anomaly_row_count", "value") == 90


def test_nothing_new_and_checks_alone_say_the_same_again(month: tuple[Workshop, random.Random]) -> None:
    shop, dice = month
    _day(shop, "planted", *_volume_drop(dice))
    assert _failed(shop.run("orders")) == ["anomaly_row_count"]
    alone = shop.run(checks=["silver/orders:anomaly_row_count"])
    assert alone.success
    assert list(alone.checks) == ["silver/orders:anomaly_row_count"]
    assert alone.number("silver/orders:anomaly_row_count", "value") == 90
    assert alone.number("silver/orders:anomaly_row_count", "history") == 28  # what is judged alone is no point
    assert alone.materialized == {}


def test_an_accepted_exception_passes_and_teaches_nothing(month: tuple[Workshop, random.Random]) -> None:
    shop, dice = month
    ran = _day(shop, "planted", *_volume_drop(dice))
    at = datetime.fromisoformat(ran.number("silver/orders:anomaly_row_count", "at"))
    point = AcceptedPoint("silver/orders", "row_count", None, at, False, "ann", "a holiday", datetime.now(UTC))
    AcceptedPoints(shop.history).accept(point)
    again = shop.run("orders")
    assert _failed(again) == []
    assert again.number("silver/orders:anomaly_row_count", "note") == "accepted by ann: a holiday"
    after = _day(shop, "like_it", *_volume_drop(dice))
    assert _failed(after) == ["anomaly_row_count"]
    assert after.number("silver/orders:anomaly_row_count", "history") == 28
    assert AcceptedPoints(shop.history).reopen("silver/orders", "row_count", None, at)
    assert not AcceptedPoints(shop.history).reopen("silver/orders", "row_count", None, at)


def test_a_job_accepts_a_point_and_opens_it_again(month: tuple[Workshop, random.Random]) -> None:
    shop, dice = month
    ran = _day(shop, "planted", *_volume_drop(dice))
    asked = {"table": "orders", "metric": "row_count", "at": ran.number("silver/orders:anomaly_row_count", "at")}
    assert shop.run_job("anomaly_accept", config=asked | {"by": "ann", "note": "a holiday"}).success
    assert shop.run("orders").number("silver/orders:anomaly_row_count", "note") == "accepted by ann: a holiday"
    assert shop.run_job("anomaly_reopen", config=asked).success
    assert _failed(shop.run("orders")) == ["anomaly_row_count"]
    again = shop.run_job("anomaly_reopen", config=asked)
    assert not again.success
    assert "was not accepted" in str(again.failures)
    wrong = shop.run_job("anomaly_accept", config=asked | {"table": "ordrs"})
    assert "no table 'ordrs' watches metrics (nearest: orders)" in str(wrong.failures)


def test_an_accepted_level_forgets_what_was_before(month: tuple[Workshop, random.Random]) -> None:
    shop, dice = month
    ran = _day(shop, "planted", *_volume_drop(dice))
    at = datetime.fromisoformat(ran.number("silver/orders:anomaly_row_count", "at"))
    point = AcceptedPoint("silver/orders", "row_count", None, at, True, "ann", "", datetime.now(UTC))
    AcceptedPoints(shop.history).accept(point)
    after = _day(shop, "like_it", *_volume_drop(dice))
    assert _failed(after) == []
    assert after.number("silver/orders:anomaly_row_count", "note") == "not enough history: 1 of 14 points"


def test_days_are_in_the_order_of_their_partitions(shop: Workshop) -> None:
    shop.table(
        "orders",
        """
        source: {type: csv, path: "{landing}/orders/*.csv"}
        partitions: {type: daily, start: 2026-01-01}
        silver:
          columns: {id: int64}
          anomalies: [{metric: row_count, minimum_history: 3, strategy: robust_z}]
        """,
    )
    for day in ("01", "02", "03", "04", "05"):
        rows = 5 if day == "04" else 100 + int(day)
        shop.land(f"orders/2026-01-{day}.csv", "id\n" + "".join(f"{row}\n" for row in range(rows)))
    order = ("03", "05", "01", "02", "04")  # as a backfill may run them
    ran = {day: shop.run("orders", partition=f"2026-01-{day}") for day in order}
    check = "silver/orders:anomaly_row_count"
    assert not ran["04"].checks[check].passed
    assert ran["04"].number(check, "history") == 3
    assert ran["04"].number(check, "at").startswith("2026-01-04T00:00")
    assert ran["02"].number(check, "note") == "not enough history: 1 of 3 points"


def test_gold_is_watched_too(shop: Workshop) -> None:
    shop.table("orders", ORDERS)
    shop.table(
        "totals",
        """
        gold:
          sql: SELECT count(*) AS orders FROM silver.orders
          anomalies: [{metric: mean, column: orders, minimum_history: 3}]
        """,
    )
    dice = random.Random(1)  # noqa: S311 - the same each time
    for day in range(5):
        _land(shop, f"{day}", *(_quiet(dice) if day < 4 else _volume_drop(dice)))
        shop.run("orders")
        ran = shop.run("totals")
    assert ran.number("gold/totals:anomaly_mean_orders", "history") == 4
    assert ran.number("gold/totals:anomaly_mean_orders", "value") > 800


def test_a_rerun_is_no_point_and_passes(month: tuple[Workshop, random.Random]) -> None:
    shop, dice = month
    _day(shop, "quiet", *_quiet(dice))
    ran = shop.run("orders", mode="rerun")
    assert _failed(ran) == []
    assert ran.number("silver/orders:anomaly_row_count", "note") == "row_count of this batch was not measured"


def test_a_strategy_that_is_not_installed_fails_its_check_and_nothing_else(
    month: tuple[Workshop, random.Random], monkeypatch: pytest.MonkeyPatch
) -> None:
    import sys

    shop, dice = month
    shop.table(
        "orders",
        ORDERS.replace("{metric: row_count, seasonality: weekly}", "{metric: row_count, strategy: holt_winters}"),
    )
    assert _failed(_day(shop, "quiet", *_quiet(dice))) == []
    monkeypatch.setitem(sys.modules, "statsmodels.tsa.holtwinters", None)
    ran = _day(shop, "quiet_too", *_quiet(dice))
    assert _failed(ran) == ["anomaly_row_count"]
    assert "dq_pipelines[anomalies]" in (ran.checks["silver/orders:anomaly_row_count"].description or "")


@pytest.mark.parametrize("sensitivity", [2.0, 3.0])
def test_of_200_quiet_series_none_is_flagged_more_often_than_its_sensitivity_says(sensitivity: float) -> None:
    """Forty-four days each, of which the last thirty are judged, by the rule that YAML gives.

    The law: over all series the share of flagged days is not above what the sensitivity promises, but for four standard
    errors; and no single series has more flagged days than chance gives one of 200 (1 in 100,000 by the binomial law).
    """
    from statistics import NormalDist

    promised = 2 * (1 - NormalDist().cdf(sensitivity))
    rule = AnomalyRule(metric="row_count", sensitivity=sensitivity)
    began = datetime(2026, 1, 1, tzinfo=UTC)
    flagged = []
    for seed in range(200):
        dice = random.Random(seed)  # noqa: S311 - the same series each time
        points = [Point(began + timedelta(days=day), dice.gauss(1000, 30), f"b{day}", f"r{day}") for day in range(44)]
        flagged.append(sum(not judged_at(rule, points, day) for day in range(14, 44)))
    share = sum(flagged) / (200 * 30)
    assert share <= promised + 4 * (promised / (200 * 30)) ** 0.5
    assert max(flagged) <= _at_most(30, promised, 1e-5)


def judged_at(rule: AnomalyRule, points: list[Point], day: int) -> bool:
    return judged(rule, points[: day + 1], {}).success


def _at_most(days: int, share: float, chance: float) -> int:
    """The least count that a binomial variable is above with less than this chance."""
    from math import comb

    return next(
        most
        for most in range(days + 1)
        if sum(comb(days, k) * share**k * (1 - share) ** (days - k) for k in range(most + 1, days + 1)) < chance
    )
