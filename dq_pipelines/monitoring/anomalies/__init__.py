"""Anomaly detection: judges each point of a series by the points before it. Each strategy has a file of its own."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from dq_pipelines.errors import ConfigError, Problem, RuleError, nearest
from dq_pipelines.monitoring.anomalies.strategies import NAMES, strategy_class

if TYPE_CHECKING:
    from dq_pipelines.monitoring.anomalies.bands import Floats

__all__ = ["anomaly_scores"]


def anomaly_scores(times: Iterable[Any], values: Iterable[Any], *, strategy: str = "auto") -> list[float]:
    """Returns an anomaly score of each point of a series, from 0 (usual) to 1; above 0.5 the point is an anomaly.

    `times` are datetimes, dates, ISO texts, or seconds since 1970 (UTC without a zone), in ascending order; `values` are
    numbers. None, NaN and infinities have score 0 and are ignored in the history. Only the points before a point
    determine its score. With `auto`, an event scores at its beginning; the 200 points after it score only if they are far
    more unusual. Raises ConfigError for an unknown strategy, RuleError for invalid values or times.
    """
    if strategy not in NAMES:
        problem = f"unknown strategy {strategy!r}{nearest(strategy, NAMES)}, wanted one of {', '.join(NAMES)}"
        raise ConfigError([Problem("", 0, problem)])
    numbers, moments = _numbers(values), _moments(times)
    if len(moments) != len(numbers):
        raise RuleError(f"anomaly_scores: wanted a time for each of {len(numbers)} values, got {len(moments)}")
    return [float(score) for score in strategy_class(strategy)().scores(moments, numbers)]


def _numbers(values: Iterable[Any]) -> Floats:
    import numpy as np

    try:
        numbers = np.asarray([np.nan if value is None else value for value in values], dtype=float)
    except (TypeError, ValueError) as error:
        raise RuleError(f"anomaly_scores: wanted numbers, got: {error}") from None
    if numbers.ndim != 1:
        raise RuleError(f"anomaly_scores: wanted a series of numbers, got {numbers.ndim} dimensions")
    return np.where(np.isfinite(numbers), numbers, np.nan)


def _moments(times: Iterable[Any]) -> Floats:
    import numpy as np

    try:
        return np.asarray([_seconds(time) for time in times], dtype=float)
    except (TypeError, ValueError) as error:
        raise RuleError(f"anomaly_scores: wanted times, got: {error}") from None


def _seconds(time: Any) -> float:
    """Converts a moment to seconds since 1970, UTC."""
    from datetime import UTC, date, datetime

    if isinstance(time, (int, float)):
        return float(time)
    if isinstance(time, str):
        time = datetime.fromisoformat(time)
    elif hasattr(time, "astype"):  # numpy's
        return float(time.astype("datetime64[us]").astype("int64")) / 1e6 if time.dtype.kind == "M" else float(time)
    if isinstance(time, datetime):
        return (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()
    if isinstance(time, date):
        return datetime(time.year, time.month, time.day, tzinfo=UTC).timestamp()
    raise TypeError(f"{type(time).__name__} {time!r:.60}")
