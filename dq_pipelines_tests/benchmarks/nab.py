"""The Numenta Anomaly Benchmark's score of a detector, by the definition it was published with. No detector is here.

Lavin and Ahmad, "Evaluating Real-time Anomaly Detection Algorithms: the Numenta Anomaly Benchmark" (ICMLA 2015), the
standard profile: a detection in a labelled window earns the more the earlier it comes, one outside of all windows costs
the more the farther it is behind the last, and a window without detection costs one. One threshold serves the whole
corpus, the one that is best for it; 0 is a detector that says nothing, 100 one that reports each window at its start.
"""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

#: The standard profile's weights of a false detection and of a missed window; a true one weighs 1.
FALSE_POSITIVE, FALSE_NEGATIVE = 0.11, 1.0
#: The share of a series in which nothing is scored, and the rows beyond which it grows no more.
PROBATION, PROBATION_ROWS = 0.15, 5000

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Labelled:
    """One series of the corpus and the windows in which people saw its anomalies."""

    #: group/file, as the corpus names it
    name: str
    times: Sequence[datetime]
    values: Floats
    #: first and last row of each window, both inside it
    windows: Sequence[tuple[int, int]]

    @property
    def group(self) -> str:
        return self.name.partition("/")[0]


@dataclass(frozen=True)
class Scored:
    """What a detector reaches on a corpus with the threshold that is best for it."""

    #: 0 for a detector that says nothing, 100 for a perfect one; less than 0 is possible
    score: float
    threshold: float
    #: windows with a detection, and all windows
    found: int
    windows: int
    #: detections outside of windows
    false_detections: int


def corpus(folder: Path) -> Iterator[Labelled]:
    """Each series of `folder/data/*/*.csv`, with its windows of `folder/labels/combined_windows.json`, by name."""
    labels = json.loads((folder / "labels" / "combined_windows.json").read_text(encoding="utf-8"))
    for path in sorted(folder.glob("data/*/*.csv")):
        name = f"{path.parent.name}/{path.name}"
        with path.open(encoding="utf-8", newline="") as lines:
            rows = [(datetime.fromisoformat(row["timestamp"]), float(row["value"])) for row in csv.DictReader(lines)]
        times = [time for time, _ in rows]
        windows = [tuple(times.index(datetime.fromisoformat(end)) for end in window) for window in labels[name]]
        yield Labelled(name, times, np.array([value for _, value in rows]), [(a, b) for a, b in windows])


def probation(rows: int) -> int:
    """How many rows at the start of a series are not scored."""
    return math.floor(min(PROBATION * rows, PROBATION * PROBATION_ROWS))


def scaled_sigmoid(position: float) -> float:
    """-1 … 1: near 1 at a window's left edge (-1), 0 at its right edge (0), -1 from three widths behind it on."""
    return -1.0 if position >= 3 else 2 / (1 + math.exp(5 * position)) - 1


def worth(series: Labelled) -> tuple[Floats, NDArray[np.int64]]:
    """What a detection at each row is worth, and the number of the window it is in, -1 outside of all."""
    rows = len(series.values)
    value, window = np.full(rows, -FALSE_POSITIVE), np.full(rows, -1)
    for number, (first, last) in enumerate(series.windows):
        width = last - first + 1
        for row in range(last + 1, rows):  # a later window writes over what it follows
            value[row] = FALSE_POSITIVE * scaled_sigmoid((row - last) / (width - 1) if width > 1 else 3.0)
        for row in range(first, last + 1):
            value[row] = scaled_sigmoid(-(last - row + 1) / width) / scaled_sigmoid(-1)
        window[first : last + 1] = number
    return value, window


def score(series: Sequence[Labelled], scores: Sequence[Floats], *, threshold: float | None = None) -> Scored:
    """What `scores` (one array a series, a number a row) reach; the best threshold is looked for unless one is given."""
    parts = [_gains(one, np.asarray(of_rows, dtype=float)) for one, of_rows in zip(series, scores, strict=True)]
    said, gain, first, outside = (np.concatenate(column) for column in zip(*parts, strict=True))
    total = int(np.sum(first))
    order = np.argsort(-said, kind="stable")
    # What is reached when all rows down to one are detections: only where the next row's score is another.
    reached = np.concatenate([[0.0], np.cumsum(gain[order])])
    ends = np.concatenate([[True], np.diff(said[order]) != 0, [True]])
    best = int(np.argmax(np.where(ends, reached, -np.inf)))
    count = best if threshold is None else int(np.sum(said >= threshold))
    taken = order[:count]
    return Scored(
        100 * float(reached[count]) / (total * (1 + FALSE_NEGATIVE)),
        float(said[order[count - 1]]) if count else 1.1,
        int(np.sum(first[taken])),
        total,
        int(np.sum(outside[taken])),
    )


def _gains(series: Labelled, scores: Floats) -> tuple[Floats, Floats, NDArray[np.bool_], NDArray[np.bool_]]:
    """Of each row that counts: its score, what is gained when the threshold falls to it, the first of a window, in none."""
    value, window = worth(series)
    start = probation(len(value))
    value, window, said = value[start:], window[start:], scores[start:]
    gain, first = np.where(window < 0, value, 0.0), np.zeros(len(value), dtype=bool)
    for number in np.unique(window[window >= 0]):
        inside = np.flatnonzero(window == number)
        inside = inside[np.argsort(-said[inside], kind="stable")]
        gain[inside] = np.diff(np.maximum.accumulate(np.concatenate([[-FALSE_NEGATIVE], value[inside]])))
        first[inside[0]] = True
    return said, gain, first, window < 0
