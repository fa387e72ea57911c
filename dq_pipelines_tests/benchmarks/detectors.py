"""The strategies of `dq.anomaly_scores` against labelled series of other people: their scores by the benchmark's own rule."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from dq_pipelines.monitoring.anomalies import anomaly_scores
from dq_pipelines_tests.benchmarks.nab import Floats, Labelled, Scored, corpus, score

#: Where the corpora of other people lie, when they do.
CORPORA = Path(os.environ.get("DQ_CORPORA", "no corpora"))

_ABOUT = """## Anomalies

`dq.anomaly_scores` on {series} labelled series of the Numenta Anomaly Benchmark ({rows:,} points, {windows} windows), by the
benchmark's scoring function, standard profile: 0 for a detector that says nothing, 100 for a perfect one. One threshold
serves all series, the one that is best for them; "with others' threshold" takes for each group the one that is best for the
other groups. Published for all 58 series: ARTime 74.9, HTM 70.5, Random Cut Forest 51.7, Windowed Gaussian 39.6.

| | score | with others' threshold | windows | found | false detections | seconds |
|---|---:|---:|---:|---:|---:|---:|"""


def sections() -> Iterator[str]:
    """The page's section line by line; nothing where the corpus is not there."""
    series = list(corpus(CORPORA / "nab"))
    if not series:
        print("DQ_CORPORA names no folder with the corpus nab: anomalies are left out")
        return
    rows, windows = sum(len(one.values) for one in series), sum(len(one.windows) for one in series)
    yield _ABOUT.format(series=len(series), rows=rows, windows=windows)
    began = time.perf_counter()
    scores = [np.array(anomaly_scores(one.times, list(one.values))) for one in series]
    seconds = f"{time.perf_counter() - began:.1f}"
    best = score(series, scores)
    pairs = list(zip(series, scores, strict=True))
    elsewhere = 0.0
    for group in sorted({one.group for one in series}):
        here, others = _part(pairs, lambda name: name == group), _part(pairs, lambda name: name != group)  # noqa: B023
        reached = score(*here, threshold=best.threshold)
        told = score(*here, threshold=score(*others).threshold)
        elsewhere += told.score * told.windows / windows
        yield _line(group, reached, told.score, "")
    yield _line("all", best, elsewhere, seconds) + "\n"


def _part(
    pairs: Sequence[tuple[Labelled, Floats]], wanted: Callable[[str], bool]
) -> tuple[list[Labelled], list[Floats]]:
    of_groups = [pair for pair in pairs if wanted(pair[0].group)]
    return [one for one, _ in of_groups], [of for _, of in of_groups]


def _line(name: str, reached: Scored, elsewhere: float, seconds: str) -> str:
    return (
        f"| {name} | {reached.score:.1f} | {elsewhere:.1f} | {reached.windows} | {reached.found} | "
        f"{reached.false_detections} | {seconds} |"
    )


if __name__ == "__main__":
    for line in sections():
        print(line, flush=True)
