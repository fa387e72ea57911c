"""The scorer of the Numenta Anomaly Benchmark, by examples worked by hand from its definition."""

from __future__ import annotations

import math
from datetime import datetime, timedelta

import numpy as np
import pytest

from dq_pipelines_tests.benchmarks.nab import Floats, Labelled, probation, scaled_sigmoid, score, worth


def _series(rows: int, *windows: tuple[int, int], name: str = "group/one.csv") -> Labelled:
    times = [datetime(2025, 1, 1) + timedelta(minutes=5 * row) for row in range(rows)]  # noqa: DTZ001
    return Labelled(name, times, np.zeros(rows), windows)


def _said(rows: int, **scores: float) -> Floats:
    found = np.zeros(rows)
    for row, value in scores.items():
        found[int(row.removeprefix("at"))] = value
    return found


def test_the_sigmoid_is_that_of_the_paper() -> None:
    assert scaled_sigmoid(-1) == pytest.approx(0.98661, abs=1e-5)
    assert scaled_sigmoid(-0.5) == pytest.approx(0.84828, abs=1e-5)
    assert scaled_sigmoid(0) == 0
    assert scaled_sigmoid(1) == pytest.approx(-0.98661, abs=1e-5)
    assert scaled_sigmoid(3) == -1


@pytest.mark.parametrize(("rows", "wanted"), [(100, 15), (1882, 282), (4032, 604), (5000, 750), (22695, 750)])
def test_the_start_is_not_scored(rows: int, wanted: int) -> None:
    assert probation(rows) == wanted


def test_what_each_row_is_worth() -> None:
    value, window = worth(_series(100, (50, 59)))
    assert list(np.flatnonzero(window == 0)) == list(range(50, 60))
    assert value[49] == -0.11  # before any window
    assert value[50] == pytest.approx(1)  # its left edge
    # The middle: (2 / (1 + e^-2.5) - 1) / 0.98661, five of ten rows before the row behind its right edge.
    assert value[55] == pytest.approx((2 / (1 + math.exp(-2.5)) - 1) / 0.98661, abs=1e-4)
    assert value[60] == pytest.approx(0.11 * (2 / (1 + math.exp(5 / 9)) - 1))  # a ninth of a width behind it
    assert value[86] == -0.11  # three widths behind it


@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        (_said(100), 0.0),
        (_said(100, at50=1), 100.0),
        # Two windows' worth is 2; the middle of one alone leaves 1 + 0.8598 of it, halved: 92.99.
        (_said(100, at55=1), 92.99),
        (_said(100, at50=1, at30=1), 100 - 100 * 0.11 / 2),
        (_said(100, at50=1, at30=0.9), 100.0),  # the threshold is above the false one
        (_said(100, at50=0.9, at30=1), 100 - 100 * 0.11 / 2),
        (_said(100, at50=1, at5=1), 100.0),  # on probation
        (_said(100, at50=1, at52=1, at59=1), 100.0),  # only the first of a window counts
    ],
)
def test_scores_worked_by_hand(said: Floats, wanted: float) -> None:
    assert score([_series(100, (50, 59))], [said]).score == pytest.approx(wanted, abs=0.01)


def test_one_threshold_serves_all_series() -> None:
    series = [_series(100, (50, 59)), _series(100, (50, 59), name="group/two.csv"), _series(100, name="none/three.csv")]
    reached = score(series, [_said(100, at50=0.9), _said(100, at50=0.4), _said(100, at30=0.5)])
    assert (reached.found, reached.windows, reached.false_detections, reached.threshold) == (2, 2, 1, 0.4)
    assert reached.score == pytest.approx(100 * (4 - 0.11) / 4)
    fixed = score(series, [_said(100, at50=0.9), _said(100, at50=0.4), _said(100, at30=0.5)], threshold=0.6)
    assert (fixed.found, fixed.false_detections) == (1, 0)
    assert fixed.score == pytest.approx(50)


def test_a_detector_that_says_the_same_of_all_reaches_nothing() -> None:
    assert score([_series(1000, (500, 549))], [np.full(1000, 0.5)]).score == 0
