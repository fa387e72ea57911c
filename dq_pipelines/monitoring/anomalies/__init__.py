"""Anomalies: whether a point of a series is unlike its past. A strategy a file; `dq.anomaly_scores` is here."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from dq_pipelines.errors import ConfigError, Problem, RuleError, nearest

if TYPE_CHECKING:
    from dq_pipelines.monitoring.anomalies.bands import Floats
    from dq_pipelines.monitoring.anomalies.strategy import Strategy

__all__ = ["anomaly_scores", "strategies"]


def strategies() -> dict[str, type[Strategy]]:
    """Every strategy by the name it has in YAML."""
    from dq_pipelines.monitoring.anomalies.automatic import Automatic
    from dq_pipelines.monitoring.anomalies.holt_winters import HoltWinters
    from dq_pipelines.monitoring.anomalies.level_shift import LevelShift
    from dq_pipelines.monitoring.anomalies.novelty import Novelty
    from dq_pipelines.monitoring.anomalies.rate_of_change import RateOfChange
    from dq_pipelines.monitoring.anomalies.robust_z import RobustZ
    from dq_pipelines.monitoring.anomalies.seasonal import Seasonal

    found = (Automatic, RobustZ, Seasonal, LevelShift, RateOfChange, HoltWinters, Novelty)
    return {strategy.name: strategy for strategy in found}


def anomaly_scores(times: Iterable[Any], values: Iterable[Any], *, strategy: str = "auto") -> list[float]:
    """How unlike its past each point of a series is: 0 for not at all, 1 for utterly; above 0.5 it is an anomaly.

    `times` are moments (datetimes, dates, ISO texts, or seconds since 1970; without a zone: UTC), `values` numbers, in the
    order they came in; None, NaN and infinities have score 0 and are no past. Each point is judged from those before it
    alone: what comes later changes no score. With `auto`, an event is told at its beginning, and what follows it for 200
    points only when it is much stranger. Raises ConfigError for another strategy, RuleError for values or times that are
    none.
    """
    known = strategies()
    if strategy not in known:
        problem = f"unknown strategy {strategy!r}{nearest(strategy, known)}, wanted one of {', '.join(known)}"
        raise ConfigError([Problem("", 0, problem)])
    numbers, moments = _numbers(values), _moments(times)
    if len(moments) != len(numbers):
        raise RuleError(f"anomaly_scores: wanted a time for each of {len(numbers)} values, got {len(moments)}")
    return [float(score) for score in known[strategy]().scores(moments, numbers)]


def _numbers(values: Iterable[Any]) -> Floats:
    import numpy as np

    try:
        found = np.asarray([np.nan if value is None else value for value in values], dtype=float)
    except (TypeError, ValueError) as error:
        raise RuleError(f"anomaly_scores: wanted numbers, got: {error}") from None
    if found.ndim != 1:
        raise RuleError(f"anomaly_scores: wanted a series of numbers, got {found.ndim} dimensions")
    return np.where(np.isfinite(found), found, np.nan)


def _moments(times: Iterable[Any]) -> Floats:
    import numpy as np

    try:
        return np.asarray([_seconds(time) for time in times], dtype=float)
    except (TypeError, ValueError) as error:
        raise RuleError(f"anomaly_scores: wanted times, got: {error}") from None


def _seconds(time: Any) -> float:
    """Seconds since 1970, UTC."""
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
