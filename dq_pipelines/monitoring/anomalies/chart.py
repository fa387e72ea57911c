"""Draws a series and its band as a small SVG chart without script."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from dq_pipelines.monitoring.anomalies.evaluation import AnomalyResult

_WIDTH, _HEIGHT, _LEFT, _RIGHT, _TOP, _BOTTOM = 680, 220, 76, 12, 14, 26
#: Number of drawn points.
_SHOWN = 60
_OPENING = (
    f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{_HEIGHT}" '
    f'viewBox="0 0 {_WIDTH} {_HEIGHT}" font-family="sans-serif" font-size="11" fill="#444">'
)


@dataclass(frozen=True)
class _Scale:
    """Converts places and values to coordinates."""

    count: int
    low: float
    high: float

    def x(self, place: float) -> float:
        return _LEFT + (_WIDTH - _LEFT - _RIGHT) * (place / max(self.count - 1, 1))

    def y(self, value: float) -> float:
        share = (min(max(value, self.low), self.high) - self.low) / (self.high - self.low)
        return _HEIGHT - _BOTTOM - (_HEIGHT - _TOP - _BOTTOM) * share


def chart(watched: AnomalyResult) -> str:
    """Returns an SVG with the last sixty points as a line, the band behind it, and anomalies as red dots."""
    first = max(0, len(watched.points) - _SHOWN)
    points = watched.points[first:]
    bands = {place - first: judgement for place, judgement in watched.bands().items()}
    ends = [
        end for each in bands.values() for end in (each.lower, each.upper) if end is not None and math.isfinite(end)
    ]
    scale = _scale([point.value for point in points], ends)
    band = [(place, each.lower, each.upper) for place, each in sorted(bands.items())]
    line = " ".join(f"{scale.x(place):.1f},{scale.y(point.value):.1f}" for place, point in enumerate(points))
    out = {place for place, each in bands.items() if each.anomalous}
    if watched.judgement.anomalous:
        out.add(len(points) - 1)
    dots = [
        f'<circle cx="{scale.x(place):.1f}" cy="{scale.y(point.value):.1f}" r="{4 if place in out else 1.8}" '
        f'fill="{"#c62828" if place in out else "#1f4e79"}"/>'
        for place, point in enumerate(points)
    ]
    return "".join(
        [
            _OPENING,
            f'<rect width="{_WIDTH}" height="{_HEIGHT}" rx="6" fill="#ffffff"/>',
            *_axes(scale, [f"{point.at:%Y-%m-%d %H:%M}" for point in points]),
            _band(scale, band),
            f'<polyline points="{line}" fill="none" stroke="#1f4e79" stroke-width="1.5"/>',
            *dots,
            "</svg>",
        ]
    )


def _scale(values: Sequence[float], ends: Sequence[float]) -> _Scale:
    """Chooses a scale for all values, and for the band as far as the values stay visible."""
    low, high = min(values), max(values)
    reach = max(high - low, abs(high) * 0.01, 1e-9)
    low = max(min([low, *ends]), low - reach)
    high = min(max([high, *ends]), high + reach)
    if not high > low:
        low, high = low - reach, high + reach
    room = (high - low) * 0.06
    return _Scale(len(values), low - room, high + room)


def _band(scale: _Scale, band: Sequence[tuple[int, float | None, float | None]]) -> str:
    upper = [f"{scale.x(at):.1f},{scale.y(math.inf if top is None else top):.1f}" for at, _, top in band]
    lower = [f"{scale.x(at):.1f},{scale.y(-math.inf if low is None else low):.1f}" for at, low, _ in band]
    return f'<polygon points="{" ".join([*upper, *reversed(lower)])}" fill="#9ec5e8" fill-opacity="0.45"/>'


def _axes(scale: _Scale, moments: Sequence[str]) -> list[str]:
    elements = []
    for share in (0.0, 0.5, 1.0):
        value = scale.low + (scale.high - scale.low) * share
        y = scale.y(value)
        elements.append(f'<line x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="#e0e0e0"/>')
        elements.append(f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{value:,.4g}</text>')
    elements.append(f'<text x="{_LEFT}" y="{_HEIGHT - 8}">{moments[0]}</text>')
    if len(moments) > 1:
        elements.append(f'<text x="{_WIDTH - _RIGHT}" y="{_HEIGHT - 8}" text-anchor="end">{moments[-1]}</text>')
    return elements
