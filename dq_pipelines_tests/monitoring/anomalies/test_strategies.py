"""Anomaly strategies: what each finds, what none of them may do, and how often quiet series are flagged."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import dq_pipelines as dq
from dq_pipelines.errors import ConfigError, RuleError
from dq_pipelines.monitoring.anomalies.bands import Floats, centre, half_width
from dq_pipelines.monitoring.anomalies.strategies import NAMES, strategy_class
from dq_pipelines.monitoring.anomalies.strategies.holt_winters import HoltWinters
from dq_pipelines.monitoring.anomalies.strategies.level_shift import LevelShift
from dq_pipelines.monitoring.anomalies.strategies.rate_of_change import RateOfChange
from dq_pipelines.monitoring.anomalies.strategies.robust_z import RobustZ
from dq_pipelines.monitoring.anomalies.strategies.seasonal import DAY, HOUR, Seasonal
from dq_pipelines.monitoring.anomalies.strategy import Strategy

#: A Monday.
MONDAY = datetime(2025, 3, 3, tzinfo=UTC).timestamp()


def _days(count: int) -> Floats:
    return MONDAY + DAY * np.arange(float(count))


def _noise(count: int, seed: int = 0) -> Floats:
    return np.random.default_rng(seed).normal(size=count)


@pytest.mark.parametrize("name", [name for name in NAMES if name not in {"level_shift", "novelty"}])
def test_a_spike_is_found_and_nothing_else(name: str) -> None:
    values = 100 + _noise(60, 2)
    values[50] = 150
    scores = dq.anomaly_scores(_days(60).tolist(), values.tolist(), strategy=name)
    assert scores[50] > 0.9
    found = [row for row, score in enumerate(scores) if score > 0.5]
    assert found[0] == 50
    assert set(found) <= {50, 51}  # the step back is a step too


@pytest.mark.parametrize("name", ["auto", "novelty"])
def test_of_a_long_series_the_beginning_of_a_new_stretch_is_told_once(name: str) -> None:
    times = MONDAY + 300 * np.arange(3000)
    values = 50 + 20 * np.sin(2 * np.pi * np.arange(3000) / 288) + _noise(3000)
    values[2000:2100] = 50  # no higher and no lower than ever, only never so long
    scores = np.array(dq.anomaly_scores(times, values, strategy=name))
    told = np.flatnonzero(scores[1000:] > 0.5) + 1000
    assert len(told) >= 1
    assert 2000 <= told[0] < 2100
    assert told[-1] < 2100 + 256  # its end is new as well
    assert len(told) <= 3


def test_a_spike_of_a_long_series_is_told_at_once() -> None:
    values = _noise(2000)
    values[1500] = 12
    scores = dq.anomaly_scores(range(2000), values)
    assert int(np.argmax(scores)) == 1500
    assert scores[1500] > 0.9


def test_a_weekday_is_compared_with_its_like() -> None:
    weekly = np.tile([100.0, 100, 100, 100, 100, 20, 10], 6)
    values = weekly + _noise(42)
    assert not Seasonal().judge(_days(42), values, MONDAY + 47 * DAY, 20).anomalous  # a Saturday
    judged = Seasonal().judge(_days(42), values, MONDAY + 44 * DAY, 20)  # a Wednesday
    assert judged.anomalous
    assert judged.expected == pytest.approx(100, abs=2)
    assert not RobustZ().judge(_days(42), values, MONDAY + 44 * DAY, 100).anomalous


def test_an_hour_is_compared_with_its_like() -> None:
    times = MONDAY + HOUR * np.arange(24.0 * 10)
    values = np.where(np.arange(240) % 24 == 3, 500.0, 100.0) + _noise(240)
    daily = Seasonal(seasonality="daily")
    assert not daily.judge(times, values, MONDAY + 243 * HOUR, 500).anomalous
    assert daily.judge(times, values, MONDAY + 244 * HOUR, 500).anomalous


def test_a_shift_of_the_level_is_found_that_no_single_point_shows() -> None:
    values = np.concatenate([100 + _noise(40, 3), 102.5 + 0.1 * _noise(4, 4)])
    judged = [LevelShift().judge(_days(row), values[:row], MONDAY + row * DAY, values[row]) for row in range(14, 44)]
    assert not any(one.anomalous for one in judged[:26])
    assert judged[-1].anomalous
    assert "level of the last 4 points" in judged[-1].note
    assert not RobustZ().judge(_days(43), values[:43], MONDAY, values[43]).anomalous


def test_a_series_that_drifts_is_judged_by_its_steps() -> None:
    values = 10.0 * np.arange(40) + _noise(40)
    assert not RateOfChange().judge(_days(40), values, MONDAY, 400).anomalous
    assert RateOfChange().judge(_days(40), values, MONDAY, 420).anomalous
    assert not HoltWinters().judge(_days(40), values, MONDAY, 400).anomalous
    assert HoltWinters().judge(_days(40), values, MONDAY, 420).anomalous


def test_holt_winters_knows_seasons() -> None:
    values = np.tile([100.0, 100, 100, 100, 100, 20, 10], 6) + np.arange(42) + _noise(42)
    weekly = HoltWinters(seasonality="weekly")
    assert not weekly.judge(_days(42), values, MONDAY + 42 * DAY, 142).anomalous
    assert weekly.judge(_days(42), values, MONDAY + 42 * DAY, 62).anomalous


@pytest.mark.parametrize("name", NAMES)
def test_too_few_points_pass_with_a_note(name: str) -> None:
    made = strategy_class(name)(minimum_history=14)
    judged = made.judge(_days(3), np.ones(3), MONDAY, 1000)
    assert (judged.anomalous, judged.score, judged.note) == (False, 0, "not enough history: 3 of 14 points")
    assert judged.expected is judged.lower is judged.upper is None


def test_a_direction_is_not_looked_at() -> None:
    values = 100 + _noise(30)
    down = RobustZ(direction="down")
    assert not down.judge(_days(30), values, MONDAY, 1000).anomalous
    assert down.judge(_days(30), values, MONDAY, 1000).upper == float("inf")
    assert down.judge(_days(30), values, MONDAY, 50).anomalous
    assert not RobustZ(direction="up").judge(_days(30), values, MONDAY, 50).anomalous


@pytest.mark.parametrize("level", [0.0, 1e-9, 5.0, -3e12])
def test_a_series_that_never_varied_has_a_band_all_the_same(level: float) -> None:
    flat = np.full(30, level)
    assert not RobustZ().judge(_days(30), flat, MONDAY, level).anomalous
    assert RobustZ().judge(_days(30), flat, MONDAY, level + max(1.0, abs(level))).score > 0.9


def test_what_is_missing_is_neither_point_nor_past() -> None:
    values = [*(100 + _noise(30)).tolist(), None, float("nan"), float("inf"), 100.0]
    scores = dq.anomaly_scores(_days(34), values)
    assert scores[30:33] == [0, 0, 0]
    assert scores[33] < 0.5
    assert RobustZ().judge(_days(30), np.array(values[:30]), MONDAY, float("nan")).note == "no value"


def test_times_come_in_many_kinds() -> None:
    import pandas as pd
    import polars as pl

    values = (100 + _noise(40)).tolist()
    days = [datetime(2025, 3, 3, tzinfo=UTC) + timedelta(days=row) for row in range(40)]
    wanted = dq.anomaly_scores(days, values, strategy="seasonal")
    assert any(wanted)
    kinds = (
        [day.date() for day in days],
        [day.isoformat() for day in days],
        [day.replace(tzinfo=None) for day in days],
        [day.timestamp() for day in days],
        np.array([day.replace(tzinfo=None) for day in days], dtype="datetime64[s]"),
        pl.Series(days),
        pd.Series(days),
    )
    for kind in kinds:
        assert dq.anomaly_scores(kind, pl.Series(values), strategy="seasonal") == wanted
    assert dq.anomaly_scores([], []) == []


def test_what_cannot_be_scored_is_refused_in_a_sentence() -> None:
    with pytest.raises(ConfigError, match=r"unknown strategy 'robustz' \(nearest: robust_z\), wanted one of auto, "):
        dq.anomaly_scores([1], [1], strategy="robustz")
    with pytest.raises(RuleError, match="wanted a time for each of 2 values, got 1"):
        dq.anomaly_scores([1], [1, 2])
    with pytest.raises(RuleError, match="wanted numbers, got: could not convert string to float: 'many'"):
        dq.anomaly_scores([1], ["many"])
    with pytest.raises(RuleError, match="wanted times, got: "):
        dq.anomaly_scores(["yesterday"], [1])
    with pytest.raises(RuleError, match="wanted times, got: NoneType None"):
        dq.anomaly_scores([None], [1])


def test_without_statsmodels_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "statsmodels.tsa.holtwinters", None)
    with pytest.raises(RuleError, match=r"statsmodels.* \(pip install 'dq_pipelines\[anomalies\]'\)"):
        dq.anomaly_scores(_days(20), _noise(20), strategy="holt_winters")


def test_the_name_brings_nothing_heavy() -> None:
    code = (
        "import sys, dq_pipelines as dq; dq.anomaly_scores; print([m for m in ('numpy', 'pandas') if m in sys.modules])"
    )
    assert importlib.util.find_spec("pandas")
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


_VALUES = st.lists(st.one_of(st.floats(-1e6, 1e6), st.integers(0, 3).map(float), st.none()), min_size=1, max_size=90)


@settings(max_examples=40)
@given(values=_VALUES, cut=st.integers(0, 90), name=st.sampled_from([name for name in NAMES if name != "holt_winters"]))
def test_scores_depend_on_the_past_alone(values: list[float | None], cut: int, name: str) -> None:
    whole = dq.anomaly_scores(range(0, DAY * len(values), DAY), values, strategy=name)
    part = values[:cut]
    assert dq.anomaly_scores(range(0, DAY * len(part), DAY), part, strategy=name) == pytest.approx(
        whole[:cut], abs=1e-9
    )
    assert all(0 <= score <= 1 for score in whole)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_scores_of_long_series_depend_on_the_past_alone(name: str) -> None:
    rows = 120 if name == "holt_winters" else 900  # which searches for the best fit again and again
    values = np.cumsum(_noise(rows)) + 10 * np.sin(np.arange(rows) / 7)
    whole = dq.anomaly_scores(range(rows), values, strategy=name)
    for cut in (17, rows // 3, rows - 1):
        assert dq.anomaly_scores(range(cut), values[:cut], strategy=name) == pytest.approx(whole[:cut], abs=1e-9)


@pytest.mark.parametrize(
    ("made", "sensitivity"),
    [(RobustZ, 2.0), (RobustZ, 3.0), (RateOfChange, 3.0), (LevelShift, 3.0), (Seasonal, 2.0), (Seasonal, 3.0)],
)
def test_quiet_series_are_flagged_no_more_often_than_the_sensitivity_says(
    made: type[Strategy], sensitivity: float
) -> None:
    """Of 200 quiet series of 90 days, all points after the fourteenth: the share outside of the band."""
    promised = 2 * (1 - NormalDist().cdf(sensitivity))
    flagged = judged = 0
    for seed in range(200):
        scores = made(sensitivity=sensitivity).scores(_days(90), 1000 + 30 * _noise(90, seed))
        flagged += int(np.sum(scores > 0.5))
        judged += 90 - 14
    # Four standard errors of a share that is as promised.
    assert flagged / judged <= promised + 4 * np.sqrt(promised / judged)
    assert flagged or made is LevelShift


@pytest.mark.parametrize("points", [14, 30])
@pytest.mark.parametrize("sensitivity", [2.0, 3.0])
def test_a_band_of_few_points_keeps_its_promise_too(points: int, sensitivity: float) -> None:
    promised, times = 2 * (1 - NormalDist().cdf(sensitivity)), 20_000
    drawn = np.random.default_rng(1).normal(size=(times, points + 1))
    outside = 0
    for row in drawn:
        middle, deviation = centre(row[:-1])
        outside += abs(row[-1] - middle) > half_width(deviation, points, sensitivity)
    assert outside / times <= promised + 4 * np.sqrt(promised / times)


def test_a_band_of_few_points_is_wider() -> None:
    widths = [half_width(1.0, points, 3.0) for points in (4, 8, 14, 30, 100, 10_000)]
    assert widths == sorted(widths, reverse=True)
    assert widths[-1] == pytest.approx(3, abs=0.01)
    assert all(np.isfinite(half_width(1.0, points, 100.0)) for points in (2, 14, 1000))


def test_dates_are_midnight_in_utc() -> None:
    assert dq.anomaly_scores([date(2025, 3, 3)], [1.0]) == [0.0]
