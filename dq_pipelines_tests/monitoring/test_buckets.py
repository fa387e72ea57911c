"""The histogram of a column's numbers, against NumPy, for numbers of all sizes, in any order and any parts."""

from __future__ import annotations

import numpy as np
import pytest

from dq_pipelines.monitoring.metrics.buckets import MOMENTS, NUMBERS, Buckets
from dq_pipelines.monitoring.metrics.digest import Digest

_RANDOM = np.random.default_rng(17)
_COUNT = 60_000
_COLUMNS = {
    "prices": np.round(_RANDOM.uniform(900, 105_000, _COUNT), 2),
    "few values and zero": _RANDOM.integers(0, 11, _COUNT) / 100,
    "ascending": np.sort(_RANDOM.uniform(1, 6e6, _COUNT)),
    "both signs": _RANDOM.normal(0, 1, _COUNT),
    "all sizes": np.exp(_RANDOM.normal(0, 100, _COUNT)),
    "one value": np.full(_COUNT, 0.1),
    "one far away": np.append(np.full(_COUNT - 1, 7.0), 1e300),
    "two places": np.where(_RANDOM.random(_COUNT) < 0.5, -1e-200, 1e200),
}


def _digest(numbers: np.ndarray, bits: int = NUMBERS, chunk: int = 20_000) -> Digest:
    buckets = Buckets(bits)
    for start in range(0, len(numbers), chunk):
        buckets.add(numbers[start : start + chunk])
    return buckets.digest()


@pytest.mark.parametrize("numbers", _COLUMNS.values(), ids=_COLUMNS)
def test_every_number_is_in_a_bucket_that_is_close_to_it(numbers: np.ndarray) -> None:
    digest = _digest(numbers)
    assert digest.count == len(numbers)
    found, wanted = np.repeat(digest.means, digest.weights.astype(int)), np.sort(numbers)
    assert (np.abs(found - wanted) <= 2.0**-15 * np.abs(wanted)).all()


@pytest.mark.parametrize("numbers", _COLUMNS.values(), ids=_COLUMNS)
@pytest.mark.parametrize("chunk", [777, 100_000])
def test_neither_order_nor_parts_matter(numbers: np.ndarray, chunk: int) -> None:
    one, other = _digest(numbers), _digest(_RANDOM.permutation(numbers), chunk=chunk)
    assert np.array_equal(one.means, other.means)
    assert np.array_equal(one.weights, other.weights)


def test_a_value_that_repeats_stays_as_it_is() -> None:
    assert _digest(_COLUMNS["few values and zero"]).means.tolist() == [number / 100 for number in range(11)]
    dates = _RANDOM.integers(8_000, 11_000, _COUNT) * 86_400.0
    assert np.array_equal(_digest(dates, MOMENTS).means, np.unique(dates))


def test_no_numbers() -> None:
    assert len(_digest(np.array([]), NUMBERS).means) == 0
