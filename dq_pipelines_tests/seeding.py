"""A month of history behind what real runs have left: earlier verdicts of the same tables, with faults that are known.

For whatever shows or judges history: dashboards, anomalies, alerts. The last real verdicts stay the last.
"""

from __future__ import annotations

import hashlib
import math
import random
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from dq_pipelines.history.store.metrics import BatchMetrics, ColumnMetrics
from dq_pipelines.history.store.records import ANOMALY, ResultRecord, VerdictRecord
from dq_pipelines.history.store.verdicts import History
from dq_pipelines.lake.tables import Lake
from dq_pipelines.monitoring.anomalies.anomaly_rule import AnomalyRule
from dq_pipelines.monitoring.anomalies.evaluation import evaluate


@dataclass(frozen=True)
class Planted:
    """One fault in the seeded month."""

    table: str
    #: row_count, mean or null_share
    metric: str
    column: str | None
    #: how many days before the last real run it begins, and how many days it lasts
    ago: int
    days: int
    #: times as much as usual (of null_share: the share itself)
    factor: float


#: A volume drop, a mean that shifts for good, and a burst of nulls.
PLANTED = (
    Planted("silver/sales", "row_count", None, ago=3, days=1, factor=0.2),
    Planted("silver/returns", "mean", "amount", ago=6, days=6, factor=1.8),
    Planted("silver/flights", "null_share", "dep_delay", ago=10, days=2, factor=0.45),
)


def seed(history: History, lake: Lake, *, days: int = 30, a_day: int = 1, seed: int = 7) -> tuple[Planted, ...]:
    """Record `a_day` verdicts of every table for each of the `days` before its last real ones; what was planted."""
    found = history.latest_of_partitions()
    measured = {one.table: _columns(lake, one.table) for one in found}
    by_table: dict[str, list[VerdictRecord]] = {}
    for one in found:
        by_table.setdefault(one.table, []).append(one)
    for table, last in by_table.items():
        dice = random.Random(f"{seed}:{table}")  # noqa: S311 - the same month each time
        began = {r.check: dice.randint(0, days) for one in last for r in one.results}
        rules = [AnomalyRule(metric="row_count")]
        rules += [AnomalyRule(metric=p.metric, column=p.column) for p in PLANTED if p.table == table and p.column]
        for step in range(days * a_day, 0, -1):
            of = last[step % len(last)]
            verdict = _earlier(of, step / a_day, began, measured[table], dice)
            _held_against_the_past(history, verdict, rules)
    for one in found:  # anew, so that they are the last
        history.record(replace(one, metrics=BatchMetrics(columns=tuple(measured[one.table]))))
    return PLANTED


def _earlier(
    of: VerdictRecord, ago: float, began: dict[str, int], columns: Sequence[ColumnMetrics], dice: random.Random
) -> VerdictRecord:
    """A verdict like this one, so many days before it."""
    at = of.started_at - timedelta(days=ago)
    weekly = 1 + 0.12 * math.sin(2 * math.pi * at.toordinal() / 7)
    factor = weekly * dice.gauss(1, 0.02) * _planted(of.table, "row_count", None, ago, 1.0)
    rows_in = max(1, round(of.rows_in * factor))
    # What was said of anomalies is said anew.
    rules = [one for one in of.results if one.rule != ANOMALY]
    results = tuple(_result(one, rows_in, of.rows_in, ago < began[one.check], dice) for one in rules)
    failing = sum(not one.success for one in results) / max(sum(not one.success for one in of.results), 1)
    refused = min(round(of.refused * factor * failing), rows_in)
    dropped = min(round(of.dropped * factor), rows_in - refused) if of.dropped > 0 else 0
    number = f"{of.table}:{ago:.4f}".encode()
    return replace(
        of,
        batch=f"b-{number.hex()[-24:]}",
        run_id=hashlib.md5(number, usedforsecurity=False).hexdigest(),
        started_at=at.astimezone(UTC),
        duration_seconds=of.duration_seconds * abs(dice.gauss(1, 0.1)),
        rows_in=rows_in, refused=refused, dropped=dropped, published=rows_in - refused - dropped,
        blocked=False,
        results=results,
        metrics=BatchMetrics(columns=tuple(_column(one, of.table, ago, rows_in, dice) for one in columns)),
    )  # fmt: skip


def _result(of: ResultRecord, rows: int, usual: int, fails: bool, dice: random.Random) -> ResultRecord:
    scale = rows / max(usual, 1)
    elements = None if of.element_count is None else round(of.element_count * scale)
    missing = None if of.missing_count is None else round(of.missing_count * scale)
    if of.success and of.unexpected_count:  # within `mostly`, that day as today
        return replace(
            of, element_count=elements, missing_count=missing, unexpected_count=round(of.unexpected_count * scale)
        )
    if of.success or not fails:
        return replace(
            of, success=True, blocks=False, error=None, element_count=elements, missing_count=missing, score=1.0,
            unexpected_count=None if of.unexpected_count is None else 0,
        )  # fmt: skip
    if of.unexpected_count is None or not elements:
        return replace(of, element_count=elements, missing_count=missing)
    wrong = min(max(1, round(of.unexpected_count * scale * abs(dice.gauss(1, 0.25)))), elements)
    return replace(
        of, element_count=elements, missing_count=missing, unexpected_count=wrong, score=1 - wrong / elements
    )


def _planted(table: str, metric: str, column: str | None, ago: float, usual: float) -> float:
    for one in PLANTED:
        if (one.table, one.metric, one.column) == (table, metric, column) and one.ago - one.days < ago <= one.ago:
            return one.factor
    return usual


def _columns(lake: Lake, table: str) -> list[ColumnMetrics]:
    """What the numbers of a published table are like."""
    rows = lake.table(table).scan().collect()
    found = []
    for name, dtype in rows.schema.items():
        values = [float(value) for value in rows[name].drop_nulls().to_list()] if dtype.is_numeric() else []
        if name.startswith("_") or len(values) < 2:
            continue
        mean, spread = statistics.fmean(values), statistics.stdev(values)
        outliers = sum(abs(value - mean) > 3 * spread for value in values)
        found.append(
            ColumnMetrics(
                name,
                count=rows.height,
                null_count=rows.height - len(values),
                distinct_count=float(len(set(values))),
                min=min(values),
                max=max(values),
                mean=mean,
                standard_deviation=spread,
                outlier_count=outliers,
                robust_outlier_count=outliers,
            )
        )
    return found


def _column(of: ColumnMetrics, table: str, ago: float, rows: int, dice: random.Random) -> ColumnMetrics:
    mean, spread = of.mean or 0, of.standard_deviation or 0
    # As the mean of so many rows strays, and a little more: no two days are alike.
    stray = 0.02 * abs(mean) + spread / math.sqrt(max(rows, 1))
    nulls = _planted(table, "null_share", of.column, ago, of.null_count / max(of.count, 1))
    return replace(
        of,
        count=rows,
        null_count=round(rows * nulls),
        mean=dice.gauss(mean, stray) * _planted(table, "mean", of.column, ago, 1.0),
        standard_deviation=abs(dice.gauss(spread, 0.04 * spread)),
        outlier_count=max(0, round((of.outlier_count or 0) * rows / max(of.count, 1) * dice.gauss(1, 0.3))),
    )


def _held_against_the_past(history: History, verdict: VerdictRecord, rules: Sequence[AnomalyRule]) -> None:
    """Record a verdict with what anomaly rules say of it, as a run does."""
    history.record(verdict)
    said = [evaluate(rule, history, verdict.table, daily=False, batch=verdict.batch).result() for rule in rules]
    history.record(replace(verdict, results=(*verdict.results, *said)))


def main() -> None:
    """`python -m dq_pipelines_tests.seeding`: seed the stores that the environment names."""
    from dq_pipelines.pipeline.runtime.stores import Stores

    stores = Stores.from_environment()
    seed(stores.history, stores.lake)
    print(f"seeded, as of {datetime.now(UTC).isoformat(timespec='seconds')}")  # noqa: T201 - a command


if __name__ == "__main__":
    main()
