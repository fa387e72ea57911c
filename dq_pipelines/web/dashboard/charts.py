"""Builds charts as data: series with roles. The browser's script turns them into Plotly charts in the reader's colours.

Every chart is also shown as a table.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from markupsafe import Markup

from dq_pipelines.config.counting import counted
from dq_pipelines.history.queries.trend import RuleTrendPoint, TrendPoint
from dq_pipelines.pipeline.quarantine.quarantine_summary import QuarantineSummary
from dq_pipelines.rules.core.check_names import in_short
from dq_pipelines.web.dashboard.ages import AGES, age_of

#: Tables in one chart at most: more lines cannot be texts apart.
_LINES = 8
#: Times in a chart's table at most.
_LAST = 50


@dataclass(frozen=True)
class Series:
    """One line, set of bars, band or set of marks."""

    name: str
    #: `mark` is points only; a `band` is between `low` and `y`
    kind: Literal["line", "bar", "mark", "band"]
    #: its colour role: healthy, failing, warning, soft, or one of line1 … line8
    tone: str
    x: Sequence[Any]
    y: Sequence[Any]
    low: Sequence[Any] = ()
    #: the hover text of each point
    text: Sequence[str] = ()


@dataclass(frozen=True)
class Chart:
    """One chart with its title."""

    #: unique on a page; letters, digits and `-`
    id: str
    title: str
    series: Sequence[Series]
    #: one sentence below the title
    note: str = ""
    #: the unit of the values
    unit: str = ""
    #: the fixed range of the values; None for automatic
    bounds: tuple[float, float] | None = None
    stacked: bool = False
    #: whether bars are horizontal; their names are `x`
    horizontal: bool = False
    logarithmic: bool = False
    #: whether the chart has the full width of the page
    wide: bool = False
    #: whether `x` are names of runs or partitions, at equal distances in this order, and no times
    by_run: bool = False

    @property
    def as_json(self) -> Markup:
        """JSON for a script block of a page; no value can end the block."""
        drawn = vars(self) | {"series": [vars(series) for series in self.series]}
        text = json.dumps(_plain(drawn), ensure_ascii=True, allow_nan=False, separators=(",", ":"))
        return Markup(text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"))  # noqa: S704

    @property
    def points(self) -> int:
        return sum(len(series.x) for series in self.series)

    @property
    def table(self) -> list[tuple[str, list[str]]]:
        """The chart as rows: the x value, and the value of each series; only the last ones of many times."""
        found: dict[str, list[str]] = {}
        for number, series in enumerate(self.series):
            for index, (x, y) in enumerate(zip(series.x, series.y, strict=True)):
                low = f"{number_text(series.low[index])} to " if series.low else ""
                found.setdefault(str(x).replace("T", " "), [""] * len(self.series))[number] = f"{low}{number_text(y)}"
        if self.horizontal or self.by_run:
            return list(found.items())
        return sorted(found.items())[-_LAST:]


def scores(found: Sequence[TrendPoint], *, is_part: bool = False) -> Chart:
    """The quality score of each table over time; of many tables, those with the lowest scores.

    `is_part`: only the tables of one page are given.
    """
    by_table: dict[str, list[TrendPoint]] = {}
    for one in found:
        by_table.setdefault(one.table, []).append(one)
    worst = sorted(by_table, key=lambda table: (min(one.worst for one in by_table[table]), table))[:_LINES]
    left = len(by_table) - len(worst)
    lines = [
        Series(
            table, "line", f"line{number + 1}", times(of), [round(one.score, 2) for one in of], text=_hover_texts(of)
        )
        for number, table in enumerate(worst)
        for of in [by_table[table]]
    ]
    of_page = " of this page" if is_part else ""
    note = f"The {_LINES} tables{of_page} with the lowest scores; {left} more are not shown." if left > 0 else ""
    least = min((one.score for one in found), default=100.0)
    bounds = (max(0, 5 * math.floor((least - 1) / 5)), 100.4)
    return Chart("scores", "Quality score", lines, note, "%", bounds, wide=True)


def score(found: Sequence[TrendPoint]) -> Chart:
    """The score of one table over time, with other marks for failing runs."""
    line = Series(
        "score", "line", "soft", times(found), [round(one.score, 2) for one in found], text=_hover_texts(found)
    )
    least = min((one.worst for one in found), default=100.0)
    bounds = (max(0, 5 * math.floor((least - 1) / 5)), 100.4)
    marks = _marks(found, lambda one: round(one.score, 2), _worst_of, _hover_texts(found))
    return Chart("score", "Quality score", [line, *marks], unit="%", bounds=bounds)


def rows(found: Sequence[TrendPoint]) -> Chart:
    """The rows of each batch by outcome."""
    x = times(found)
    kinds = (("published", "healthy"), ("refused", "failing"), ("dropped", "warning"))
    bars = [Series(name, "bar", tone, x, [getattr(one, name) for one in found]) for name, tone in kinds]
    shown = [bar for bar in bars if any(bar.y)] or bars[:1]
    return Chart("rows", "Rows by batch", shown, _together(found), "rows", stacked=True)


def layers(counts: Mapping[str, int], *, is_part: bool = False) -> Chart:
    """The current number of rows in each layer of each table. `is_part`: only the tables of one page are given."""
    names = sorted({key.partition("/")[2] for key, count in counts.items() if count}, reverse=True)
    shown = []
    for layer, tone in (("bronze", "line2"), ("silver", "line1"), ("gold", "line3"), ("quarantine", "failing")):
        tables = [name for name in names if counts.get(f"{layer}/{name}")]
        if tables:
            shown.append(Series(layer, "bar", tone, tables, [counts[f"{layer}/{name}"] for name in tables]))
    note = f"Rows in the lake now{', of the tables on this page' if is_part else ''}, on a logarithmic scale."
    return Chart("layers", "Rows by layer", shown, note, "rows", horizontal=True, logarithmic=True)


def quarantine(found: Iterable[QuarantineSummary], at: datetime) -> Chart:
    """Open rows by reason and age."""
    rows: dict[str, dict[str, int]] = {}
    for one in found:
        for reason in one.reasons:
            of = rows.setdefault(in_short(reason.rule), dict.fromkeys(AGES, 0))
            of[age_of(reason.since, at)] += reason.rows
    names = sorted(rows, key=lambda name: sum(rows[name].values()))
    tones = ("line1", "line4", "warning", "failing")
    bars = [
        Series(age, "bar", tone, names, [rows[name][age] for name in names])
        for age, tone in zip(AGES, tones, strict=True)
    ]
    return Chart(
        "quarantine", "In quarantine", [bar for bar in bars if any(bar.y)], unit="rows", stacked=True, horizontal=True
    )


def rule(found: Sequence[RuleTrendPoint]) -> Chart:
    """A rule's results over time: failing rows, or whether the table met it."""
    has_counts = any(one.unexpected_count is not None for one in found)
    texts = [f"{span_text(one)}: {one.failed} of {one.runs} failed" for one in found]
    if not has_counts:
        marks = _marks(
            found,
            lambda one: round(100 * (1 - one.failed / one.runs)),
            lambda one: "failing" if one.failed else "healthy",
            texts,
        )
        return Chart("rule", "Runs that met the rule", marks, unit="%", bounds=(-4, 104))
    met = [one.unexpected_count if not one.failed else None for one in found]
    failing = [one.unexpected_count if one.failed else None for one in found]
    kinds = (("met", "healthy", met), ("failing", "failing", failing))
    bars = [Series(name, "bar", tone, times(found), y, text=texts) for name, tone, y in kinds]
    shown = [bar for bar in bars if any(bar.y)] or bars[:1]
    return Chart("rule", "Failing rows", shown, _together(found), "rows", stacked=True)


def _marks(
    found: Sequence[Any], value: Callable[[Any], Any], kind: Callable[[Any], str], texts: Sequence[str]
) -> list[Series]:
    """Marks of healthy, warning and failing points, which differ in shape and colour."""
    shown = []
    for name in ("healthy", "warning", "failing"):
        some = [(one, said) for one, said in zip(found, texts, strict=True) if kind(one) == name]
        if some:
            at = times([one for one, _ in some])
            shown.append(
                Series(name, "mark", name, at, [value(one) for one, _ in some], text=[said for _, said in some])
            )
    return shown


def _worst_of(one: TrendPoint) -> str:
    return "failing" if one.bad else "warning" if one.failed else "healthy"


def times(found: Iterable[Any]) -> list[str]:
    return [time_of(one.until) for one in found]


def time_of(at: datetime) -> str:
    """The time in this machine's zone, as all times on pages."""
    return at.astimezone().replace(tzinfo=None).isoformat(timespec="seconds")


def _together(found: Sequence[Any]) -> str:
    most = max((one.runs for one in found), default=1)
    return f"One point combines up to {most:,} runs." if most > 1 else ""


def span_text(one: Any) -> str:
    return f"{one.runs:,} runs" if one.runs > 1 else f"run {one.run_id[:8]}"


def _hover_texts(found: Sequence[TrendPoint]) -> list[str]:
    return [
        f"{span_text(one)}: {_said_of(one)}, lowest {one.worst:.2f} %, {counted(one.rows_in, 'row')} in"
        for one in found
    ]


def _said_of(one: TrendPoint) -> str:
    if one.bad:
        return f"{one.bad} failing"
    return f"{one.failed} with warnings" if one.failed else "healthy"


def number_text(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:,}" if isinstance(value, int) else f"{value:,.6g}" if isinstance(value, float) else str(value)


def _plain(value: Any) -> Any:
    """The value for JSON, which has no infinity and no NaN: these become null, and are not drawn."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
