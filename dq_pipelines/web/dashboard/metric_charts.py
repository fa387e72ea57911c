"""Builds the charts of metrics: a column's mean, deviation and outliers, and what is watched for anomalies; by partition where there are some."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Any

from dq_pipelines.config.counting import counted
from dq_pipelines.history.queries.trend import ColumnTrendPoint
from dq_pipelines.history.store.anomalies import AnomalyPoint
from dq_pipelines.web.dashboard.charts import Chart, Series, number_text, span_text, time_of, times


def column(found: Sequence[ColumnTrendPoint], name: str) -> list[Chart]:
    """Mean, standard deviation and outliers of a column: by partition where the table has them, else over time."""
    with_mean = [one for one in found if one.mean is not None]
    parts = {one.partition: one for one in with_mean}
    by_run = len(parts) > 1 and None not in parts and all(one.runs == 1 for one in with_mean)
    # Of a partition, the last batch counts.
    shown = sorted(parts.values(), key=lambda one: _natural(one.partition or "")) if by_run else with_mean
    x = [one.partition or "" for one in shown] if by_run else times(shown)
    texts = [_hover_text_of_column(one) for one in shown]
    spread = [one.standard_deviation or 0 for one in shown]
    means = [one.mean or 0 for one in shown]
    band = Series(
        "mean ± deviation", "band", "soft", x,
        [mean + by for mean, by in zip(means, spread, strict=True)],
        [mean - by for mean, by in zip(means, spread, strict=True)],
    )  # fmt: skip
    charts = []
    for title, value in (("Mean", "mean"), ("Standard deviation", "standard_deviation"), ("Outliers", "outlier_count")):
        line = Series(value.replace("_", " "), "line", "soft", x, [getattr(one, value) for one in shown], text=texts)
        marks = _good_and_bad(shown, x, attrgetter(value), texts)
        note = "values more than 3 standard deviations from the mean" if value == "outlier_count" else ""
        if len(shown) == 1:
            note = f"{number_text(getattr(shown[0], value))} in the only batch of this time range{f', {note}' if note else ''}"
        unit = "values" if value == "outlier_count" else ""
        series = [*([band] if value == "mean" else []), line, *marks]
        charts.append(Chart(value.replace("_", "-"), f"{title} of {name}", series, note, unit, by_run=by_run))
    return charts if shown else []


def anomaly(points: Sequence[AnomalyPoint], number: int) -> Chart:
    """One metric with its expected band, and its anomalies: by partition where each has one point, else over time."""
    names = [point.partition for point in points]
    by_run = len(points) > 1 and None not in names and len(set(names)) == len(names)
    shown = sorted(points, key=lambda point: _natural(point.partition or "")) if by_run else points

    def x(some: Sequence[AnomalyPoint]) -> list[str]:
        return [point.partition or "" if by_run else time_of(point.at) for point in some]

    banded = [point for point in shown if point.lower is not None and point.upper is not None]
    band = Series(
        "expected", "band", "soft", x(banded), [point.upper for point in banded], [point.lower for point in banded]
    )
    texts = [point.note or "" for point in shown]
    line = Series("value", "line", "line1", x(shown), [point.value for point in shown], text=texts)
    out = [point for point in shown if not point.success]
    marks = Series(
        "anomaly", "mark", "failing", x(out), [point.value for point in out], text=[point.note or "" for point in out]
    )
    title = points[-1].name[:1].upper() + points[-1].name[1:]
    note = f"{number_text(points[0].value)} in the only batch of this time range" if len(points) == 1 else ""
    series = [line, *([band] if banded else []), *([marks] if out else [])]
    return Chart(f"anomaly-{number}", title, series, note, by_run=by_run)


def _good_and_bad(
    found: Sequence[ColumnTrendPoint], x: Sequence[str], value: Callable[[Any], Any], texts: Sequence[str]
) -> list[Series]:
    """Two series of marks, which differ in shape and colour: batches in which no rule on the column failed, and others."""
    marks = []
    for name, tone, is_bad in (("good", "healthy", False), ("bad", "failing", True)):
        some = [place for place, one in enumerate(found) if (one.bad > 0) == is_bad]
        if some:
            y, said = [value(found[place]) for place in some], [texts[place] for place in some]
            marks.append(Series(name, "mark", tone, [x[place] for place in some], y, text=said))
    return marks


def _natural(text: str) -> list[tuple[int, int, str]]:
    """A sort key that puts `run_10` behind `run_9`."""
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in re.split(r"(\d+)", text) if part]


def _hover_text_of_column(one: ColumnTrendPoint) -> str:
    verdict = "GOOD" if not one.bad else "BAD" if one.runs == 1 else f"{one.bad} BAD"
    return f"{span_text(one)}: {verdict}, {counted(one.count, 'row')}, {one.null_count:,} without a value"
