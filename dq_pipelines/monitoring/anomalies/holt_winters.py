"""Holt-Winters: level, trend and season by exponential smoothing, which statsmodels fits (extra `anomalies`)."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from dq_pipelines.errors import RuleError
from dq_pipelines.monitoring.anomalies.bands import Floats, spread
from dq_pipelines.monitoring.anomalies.seasonal import SEASONS, Seasonality
from dq_pipelines.monitoring.anomalies.strategy import Strategy

#: A long series is fitted anew when it has grown by this share, on no more points than this.
_GROWTH, _FITTED = 0.2, 2000


@dataclass(frozen=True)
class HoltWinters(Strategy):
    """The point against the forecast of a damped trend and, with a seasonality, of a season added to it."""

    name: ClassVar[str] = "holt_winters"

    seasonality: Seasonality = "none"

    def expect(self, times: Floats, values: Floats, at: float) -> tuple[float, float, int] | None:
        fitted = self._fit(times, values)
        if fitted is None:
            return None
        expected = float(fitted.forecast(1)[0])
        return expected, spread(np.asarray(fitted.resid), expected), len(values)

    def scores(self, times: Floats, values: Floats) -> Floats:
        expected, told = np.full(len(values), np.nan), np.isfinite(values)
        times, known = times[told], values[told]
        forecasts = np.full(len(known), np.nan)
        start = self.minimum_history
        while start < len(known):
            end = min(len(known), start + max(1, int(start * _GROWTH)))
            past = slice(max(0, start - _FITTED), start)
            fitted = self._fit(times[past], known[past])
            if fitted is not None:
                # The same smoothing over what follows: each fitted value is the forecast from the points before it.
                shape = self._shape(times[past]) | {"initialization_method": "known"} | _beginning(fitted)
                with _quiet():
                    followed = _smoother()(known[past.start : end], **shape).fit(optimized=False, **_smoothing(fitted))
                forecasts[start:end] = followed.fittedvalues[start - past.start :]
            start = end
        expected[told] = forecasts
        return self.by_forecasts(values, expected)

    def _fit(self, times: Floats, values: Floats) -> Any:
        """The smoothing that fits best, or None where the past is shorter than two seasons."""
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
    """No warnings that a search has not converged, or that a perfect fit has no logarithm: either is good enough."""
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
    found = {name: float(value) for name, value in fitted.params.items() if name in names and value is not None}
    return {name: value for name, value in found.items() if np.isfinite(value)}


def _beginning(fitted: Any) -> dict[str, Any]:
    params = fitted.params
    found = {"initial_level": params["initial_level"], "initial_trend": params["initial_trend"]}
    if len(params["initial_seasons"]):
        found["initial_seasonal"] = params["initial_seasons"]
    return found
