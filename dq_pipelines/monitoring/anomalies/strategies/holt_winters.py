"""Strategy `holt_winters`: exponential smoothing of level, trend and season, fitted by statsmodels (extra `anomalies`)."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from dq_pipelines.errors import RuleError
from dq_pipelines.monitoring.anomalies.bands import Floats, spread
from dq_pipelines.monitoring.anomalies.strategies.seasonal import SEASONS, Seasonality
from dq_pipelines.monitoring.anomalies.strategy import Strategy

#: A long series is fitted again after it has grown by this share, on at most so many points.
_GROWTH, _FITTED = 0.2, 2000


@dataclass(frozen=True)
class HoltWinters(Strategy):
    """Compares a point with the forecast of a damped trend plus, with a seasonality, a season."""

    name: ClassVar[str] = "holt_winters"

    seasonality: Seasonality = "none"

    def expect(self, times: Floats, values: Floats, at: float) -> tuple[float, float, int] | None:
        fitted = self._fit(times, values)
        if fitted is None:
            return None
        expected = float(fitted.forecast(1)[0])
        return expected, spread(np.asarray(fitted.resid), expected), len(values)

    def scores(self, times: Floats, values: Floats) -> Floats:
        expected, is_finite = np.full(len(values), np.nan), np.isfinite(values)
        times, finite = times[is_finite], values[is_finite]
        forecasts = np.full(len(finite), np.nan)
        start = self.minimum_history
        while start < len(finite):
            end = min(len(finite), start + max(1, int(start * _GROWTH)))
            past = slice(max(0, start - _FITTED), start)
            fitted = self._fit(times[past], finite[past])
            if fitted is not None:
                # Apply the same smoothing to the next points: each fitted value is a forecast from the points before it.
                shape = self._shape(times[past]) | {"initialization_method": "known"} | _beginning(fitted)
                with _quiet():
                    followed = _smoother()(finite[past.start : end], **shape).fit(optimized=False, **_smoothing(fitted))
                forecasts[start:end] = followed.fittedvalues[start - past.start :]
            start = end
        expected[is_finite] = forecasts
        return self.by_forecasts(values, expected)

    def _fit(self, times: Floats, values: Floats) -> Any:
        """Returns the best smoothing, or None where the history is shorter than two seasons."""
        shape = self._shape(times)
        if shape.get("seasonal_periods", 0) * 2 > len(values):
            return None
        with _quiet():
            return _smoother()(values, **shape, initialization_method="estimated").fit()

    def _shape(self, times: Floats) -> dict[str, Any]:
        shape: dict[str, Any] = {"trend": "add", "damped_trend": True}
        steps = np.diff(times[: self.minimum_history])
        step = float(np.median(steps)) if len(steps) else 0.0
        if self.seasonality != "none" and step > 0:
            period = round(SEASONS[self.seasonality] / step)
            if period > 1:
                shape |= {"seasonal": "add", "seasonal_periods": period}
        return shape


@contextmanager
def _quiet() -> Iterator[None]:
    """Ignores warnings that a search did not converge or a perfect fit has no logarithm: the result is good enough."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _smoother() -> Any:
    try:
        from statsmodels.tsa.holtwinters import ExponentialSmoothing
    except ImportError:
        raise RuleError(
            "strategy holt_winters: wanted the package statsmodels, which is not installed "
            "(pip install 'dq_pipelines[anomalies]')"
        ) from None
    return ExponentialSmoothing


def _smoothing(fitted: Any) -> dict[str, float]:
    names = {"smoothing_level", "smoothing_trend", "smoothing_seasonal", "damping_trend"}
    params = {name: float(value) for name, value in fitted.params.items() if name in names and value is not None}
    return {name: value for name, value in params.items() if np.isfinite(value)}


def _beginning(fitted: Any) -> dict[str, Any]:
    params = fitted.params
    initial = {"initial_level": params["initial_level"], "initial_trend": params["initial_trend"]}
    if len(params["initial_seasons"]):
        initial["initial_seasonal"] = params["initial_seasons"]
    return initial


STRATEGY = HoltWinters
