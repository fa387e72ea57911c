"""Metrics of columns: what numpy finds in all rows at once, found in one pass and out of parts."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dq_pipelines.history.store.metrics import ColumnMetrics
from dq_pipelines.monitoring.metrics.drift import population_stability_index
from dq_pipelines.monitoring.metrics.measurement import Measurement
from dq_pipelines.monitoring.metrics.state import merged


def measured(frame: pl.DataFrame, *, sketches: bool = True) -> tuple[ColumnMetrics, ...]:
    measurement = Measurement(frame.schema, sketches=sketches)
    frames = measurement.frames(frame.lazy().cache())
    return measurement.metrics(pl.collect_all(frames, engine="streaming"))


def of(values: Sequence[object] | np.ndarray, dtype: pl.DataType | type[pl.DataType] | None = None) -> ColumnMetrics:
    (found,) = measured(pl.DataFrame({"^a$": pl.Series(values, dtype=dtype)}))
    return found


#: without a time zone, as the columns have it
NAIVE = datetime(1970, 1, 1, 0, 0, 1)  # noqa: DTZ001

NUMBERS = st.lists(
    st.one_of(st.integers(-1000, 1000).map(float), st.floats(-1e9, 1e9).map(lambda value: value + 0.0)), min_size=1
)


@given(NUMBERS)
def test_what_is_reckoned_in_one_pass_is_what_numpy_finds(values: list[float]) -> None:
    found, scale = of(values, pl.Float64), max(map(abs, values)) or 1.0
    assert (found.count, found.null_count, found.min, found.max) == (len(values), 0, min(values), max(values))
    assert found.mean == pytest.approx(np.mean(values), abs=1e-9 * scale)
    if len(values) > 1:
        assert found.standard_deviation == pytest.approx(np.std(values, ddof=1), abs=1e-6 * scale)
    for name, share in {"p05": 0.05, "p50": 0.5, "p95": 0.95}.items():
        # a bucket's numbers differ by 2 ** -14 of their size
        assert getattr(found, name) == pytest.approx(np.quantile(values, share), abs=1e-4 * scale)
    assert found.distinct_count == pytest.approx(len(set(values)), abs=2)


@given(NUMBERS, NUMBERS)
def test_parts_make_the_whole(one: list[float], other: list[float]) -> None:
    """Of few values everything; sketches of many are told apart below."""
    whole = of([*one, *other], pl.Float64)
    (parts,) = merged([(of(one, pl.Float64),), (of(other, pl.Float64),)])
    scale = max(map(abs, [*one, *other])) or 1.0
    assert (parts.count, parts.min, parts.max) == (whole.count, whole.min, whole.max)
    assert parts.distinct_count == whole.distinct_count
    assert parts.mean == pytest.approx(whole.mean, abs=1e-9 * scale)
    if len(one) + len(other) > 1:
        assert parts.standard_deviation == pytest.approx(whole.standard_deviation, abs=1e-6 * scale)
    assert parts.p50 == pytest.approx(whole.p50, abs=1e-3 * scale)


def test_a_month_is_merged_from_its_days() -> None:
    days = [np.random.default_rng(day).lognormal(3, 1, 5_000) for day in range(30)]
    (month,) = merged((of(day),) for day in days)
    rows = np.concatenate(days)
    assert month.count == len(rows)
    assert month.mean == pytest.approx(rows.mean(), rel=1e-12)
    assert month.standard_deviation == pytest.approx(rows.std(ddof=1), rel=1e-9)
    assert month.distinct_count == pytest.approx(len(rows), rel=0.05)
    for percent in (1, 5, 25, 50, 75, 95, 99):
        value = getattr(month, f"p{percent:02}")
        assert (rows <= value).mean() == pytest.approx(percent / 100, abs=0.005), percent
    assert month.outlier_count == pytest.approx((abs(rows - rows.mean()) > 3 * rows.std()).sum(), rel=0.05)


@pytest.mark.parametrize("count", [1, 100, 3_000, 30_000, 300_000])
def test_different_values_are_counted_within_the_error_that_is_told(count: int) -> None:
    assert of(np.arange(count)).distinct_count == pytest.approx(count, rel=4 * 0.016)


def test_few_quantities_are_counted_exactly() -> None:
    found = of([1, 2, 2, 3, 3, 3, None], pl.Int64)
    assert (found.p50, found.p95, found.distinct_count, found.null_count) == (2.5, 3.0, 3.0, 1)


def test_outliers_are_those_by_their_definitions() -> None:
    quiet = np.random.default_rng(1).normal(1000, 1, 10_000)
    values = np.concatenate([quiet, [1010.0, 990.0, 1100.0]])
    found = of(values)
    assert found.outlier_count == (abs(values - values.mean()) > 3 * values.std(ddof=1)).sum()
    median = np.median(values)
    spread = 1.4826 * np.median(abs(values - median))
    # a bucket's numbers differ by 2 ** -14 of their size, so one of them may lie on the other side
    assert found.robust_outlier_count == pytest.approx((abs(values - median) > 3.5 * spread).sum(), abs=1)
    # where more than half are one value, the mean distance takes the MAD's place
    assert of([5.0] * 99 + [9.0]).robust_outlier_count == 1
    assert of([5.1] * 100).outlier_count == of([5.1] * 100).robust_outlier_count == 0


@pytest.mark.parametrize(
    ("values", "dtype", "least", "most"),
    [
        ([date(1970, 1, 2), None], pl.Date, 86_400.0, 86_400.0),
        ([NAIVE], pl.Datetime("ms"), 1.0, 1.0),
        ([NAIVE], pl.Datetime("ns", "Europe/Berlin"), -3599.0, -3599.0),
        ([time(0, 1), time(1)], pl.Time, 60.0, 3600.0),
        ([timedelta(minutes=-1), timedelta(hours=1)], pl.Duration, -60.0, 3600.0),
        ([True, False, None], pl.Boolean, 0.0, 1.0),
        ([Decimal("1.25"), Decimal("-3.5")], pl.Decimal(10, 2), -3.5, 1.25),
        ([float("nan"), float("inf"), 2.0], pl.Float32, 2.0, 2.0),
        ([float("nan")], pl.Float64, None, None),
        (["a", "bcd"], pl.String, None, None),
        ([[1], [2]], pl.List(pl.Int64), None, None),
        ([None, None], pl.Null, None, None),
        ([], pl.Int64, None, None),
    ],
)
def test_every_type_is_measured_as_far_as_it_can_be(
    values: list[object], dtype: pl.DataType, least: float | None, most: float | None
) -> None:
    if isinstance(dtype, pl.Datetime) and dtype.time_zone:
        series = pl.Series(values, dtype=pl.Datetime("ns")).dt.replace_time_zone(dtype.time_zone)
    else:
        series = pl.Series(values, dtype=dtype)
    (found,) = measured(pl.DataFrame({"a": series}))
    assert (found.min, found.max) == (least, most)
    assert found.null_count == series.null_count()


def test_texts_have_lengths() -> None:
    found = of(["", "ab", "äöü", None])
    assert (found.min_length, found.max_length) == (0, 3)
    assert found.mean_length == pytest.approx(5 / 3)


def test_without_sketches_the_rest_is_measured() -> None:
    (found,) = measured(pl.DataFrame({"^a$": [1.0, 2.0]}), sketches=False)
    assert (found.mean, found.distinct_count, found.p50) == (1.5, None, None)
    (parts,) = merged([(found,), (of([3.0]),)])
    assert (parts.mean, parts.distinct_count, parts.p50) == (2.0, None, None)


def test_a_column_that_a_batch_lacks_is_null_in_its_rows() -> None:
    found = merged([measured(pl.DataFrame({"a": [1, 2]})), measured(pl.DataFrame({"a": [3], "b": [4]}))])
    by_name = {metrics.column: metrics for metrics in found}
    assert (by_name["b"].count, by_name["b"].null_count, by_name["b"].distinct_count) == (3, 2, 1.0)
    assert by_name["a"].mean == 2.0


def test_what_a_commit_has_kept_is_merged_in_its_moments() -> None:
    from dataclasses import replace

    bare = replace(of([1.0, 3.0]), state=None)
    (parts,) = merged([(bare,), (of([8.0]),)])
    assert (parts.count, parts.mean, parts.min, parts.max) == (3, 4.0, 1.0, 8.0)
    assert parts.standard_deviation == pytest.approx(np.std([1, 3, 8], ddof=1))
    assert parts.p50 is None


def test_drift_between_parts() -> None:
    rng = np.random.default_rng(3)
    before, same, other = rng.normal(0, 1, 20_000), rng.normal(0, 1, 20_000), rng.normal(1, 1, 20_000)
    quiet, moved = (population_stability_index(of(before), of(now)) for now in (same, other))
    assert quiet is not None
    assert moved is not None
    assert quiet < 0.01
    # the PSI of two normals one deviation apart is 1 in the limit of many parts
    assert 0.8 < moved < 1.1
    assert population_stability_index(of(["a"]), of(["b"])) is None
