"""Reports the progress of work on a table, about once a second.

`progress_events` turns each report into a Dagster event. `engine.row_counter` counts rows.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import polars as pl

from dq_pipelines.engine.backends.base import StagingScan
from dq_pipelines.engine.interrupt import meanwhile
from dq_pipelines.engine.results.verdict import RuleResult
from dq_pipelines.engine.row_counter import RowCounter
from dq_pipelines.rules.core.base import Rule

#: The stages of work on a table, in order; not every run has all: waiting for another run, opening inputs, landing them,
#: gold's query, judging (which lands in the same pass where possible), and the two commits.
WAIT, READ, LAND, QUERY, JUDGE, QUARANTINE, PUBLISH = "wait", "read", "land", "query", "judge", "quarantine", "publish"
#: The stage after the last one.
DONE = "done"

#: Seconds between two reports, and before the second stage is reported.
EVERY = 1.0


@dataclass(frozen=True)
class StageDone:
    """A finished stage."""

    stage: str
    seconds: float
    #: rows that were processed in it; 0 where none were counted
    rows: int = 0


@dataclass(frozen=True)
class Progress:
    """The progress of work on one table at one moment."""

    #: `silver/<name>` or `gold/<name>`
    table: str
    stage: str
    at: datetime
    #: rows processed in this stage
    rows: int = 0
    #: rows of the whole stage: exact from Parquet footers or the log, otherwise estimated (lines of a sample, the last batch)
    total_rows: int | None = None
    #: 0 to 100 of this stage, below 100 until it ends; None where the total is not known
    percent: float | None = None
    #: average since the stage began; None before the first row
    rows_per_second: float | None = None
    #: number of checks whose result is known
    rules_done: int = 0
    rules_total: int = 0
    #: rows refused so far
    refused: int = 0
    #: failing rows so far, by check; for a rule on keys known only at its end
    failing: Mapping[str, int] = field(default_factory=dict)
    #: whether a check passed, for checks whose result is known
    passed: Mapping[str, bool] = field(default_factory=dict)
    #: detail within the stage: a partition or batch of several, rules judged outside the scan; may be empty
    note: str = ""
    #: seconds since the work began
    seconds: float = 0.0
    #: the stages before this one
    stages: tuple[StageDone, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """As a JSON object, without values that are None or empty."""
        values = {name: value for name, value in vars(self).items() if value not in (None, "", {}, ())}
        values |= {"at": self.at.isoformat(timespec="milliseconds"), "stages": [vars(one) for one in self.stages]}
        return {name: dict(value) if isinstance(value, Mapping) else value for name, value in values.items()}

    @classmethod
    def of_json(cls, values: Mapping[str, Any]) -> Progress:
        """The inverse of `to_json`; raises KeyError or ValueError for other content."""
        known = {name: values[name] for name in cls.__dataclass_fields__ if name in values}
        stages = tuple(StageDone(**one) for one in values.get("stages", ()))
        return cls(**known | {"at": datetime.fromisoformat(values["at"]), "stages": stages})

    def __str__(self) -> str:
        """One line for people."""
        total = f" of {self.total_rows:,}" if self.total_rows else ""
        parts = [
            f"{self.rows:,}{total} rows" if self.rows else "",
            f"{self.percent:.0f} %" if self.percent is not None and self.stage != DONE else "",
            f"{self.rows_per_second:,.0f} rows/s" if self.rows_per_second else "",
            f"{self.rules_done} of {self.rules_total} rules" if self.rules_total else "",
            f"{self.refused:,} refused" if self.refused else "",
            f"{self.seconds:.1f} s" if self.stage == DONE else "",
            self.note,
        ]
        return f"{self.table}: {self.stage}{': ' if any(parts) else ''}{', '.join(filter(None, parts))}"


class ProgressReporter:
    """Tracks the progress of work on one table, and reports it to a listener.

    Reports the first stage and the end. In between it reports the start of each stage, and its progress once a second. Work
    that ends within a second has two reports.
    """

    def __init__(
        self,
        table: str = "",
        checks: Sequence[str] = (),
        tell: Callable[[Progress], None] | None = None,
        usual: Callable[[], int | None] = lambda: None,
        place: str = "",
    ) -> None:
        """`checks` are the names of the table's rules in order; `usual` returns the number of rows of the last batch.

        `tell` receives each report. `place` comes before each note: it names this part of longer work.
        """
        self._table, self._checks, self._tell, self._usual = table, checks, tell, usual
        self._place = place
        self._tally = RowCounter()
        #: check names by the id of a rule (rules cannot be hashed), and by its index in the scan
        self._names: dict[int, str] = {}
        self._indexes: dict[int, str] = {}
        self._passed: dict[str, bool] = {}
        self._failed: dict[str, int] = {}
        self._done: list[StageDone] = []
        self._stage = self._note = ""
        self._total: int | None = None
        self._asked = False
        self._share: float | None = None
        self._refused = 0
        self._began = self._stage_began = time.monotonic()
        self._told = float("-inf")

    @contextmanager
    def going_on(self) -> Iterator[None]:
        """The whole work: reports progress while native code runs, and the end if the block succeeds."""
        with meanwhile(self.tick):
            yield
        self.stage(DONE)

    def stage(self, name: str, total: int | None = None, note: str = "") -> None:
        """Begin a stage and end the one before; `total` is its number of rows, if known."""
        if self._tell is None:
            return
        now = time.monotonic()
        if self._stage:
            self._done.append(StageDone(self._stage, round(now - self._stage_began, 3), self._tally.rows))
        self._stage, self._note, self._stage_began = name, note, now
        self._refused = self._tally.refused or self._refused
        self._tally, self._total, self._share = RowCounter(), total, None
        self._asked = total is not None or name not in (LAND, JUDGE)
        if not self._done or name == DONE or now - self._began >= EVERY:
            self._say(now)

    def tick(self) -> None:
        """Report progress if a second has passed since the last report."""
        now = time.monotonic()
        if self._tell is not None and self._stage and now - self._told >= EVERY:
            self._say(now)

    def share(self, percent: float) -> None:
        """Set the percentage of a stage that is not measured in rows."""
        self._share = percent if percent >= 0 else None

    def through(self, rows: pl.LazyFrame, column: str) -> pl.LazyFrame:
        """The same rows, counted on their way into their only sink."""
        return rows if self._tell is None else self._tally.through(rows, column)

    # --- engine.backends.base.ProgressObserver ------------------------------------------------------

    def sinks(self, scan: StagingScan) -> Sequence[pl.LazyFrame]:
        """A sink that counts rows; a second pass counts from the beginning."""
        if self._tell is None:
            return ()
        if self._tally.rows:  # rows of repeated keys are taken out of what was staged
            self.stage(JUDGE, self._tally.rows, "once more, for keys that repeat")
        else:
            self._passed, self._failed = {}, {}
        known = [rule for rule in scan.rules if not rule.internal]
        self._names = {id(rule): name for rule, name in zip(known, self._checks, strict=False)}
        self._indexes = {
            index: self._names[id(rule)] for index, rule in enumerate(scan.rules) if id(rule) in self._names
        }
        return [self._tally.sink(scan)]

    @contextmanager
    def auxiliary_queries(self, rules: Sequence[Rule]) -> Iterator[None]:
        before, self._note = self._note, ", ".join(_label(rule) for rule in rules) or self._note
        if rules:
            self._now()
        yield
        self._note = before
        if rules:
            self._now()

    def rules_judged(self, results: Sequence[RuleResult]) -> None:
        for result in results:
            if (name := self._names.get(id(result.rule))) is not None:
                self._passed[name] = result.success
                if result.unexpected_count:
                    self._failed[name] = result.unexpected_count

    # --- reports -----------------------------------------------------------------------------------

    def _now(self) -> None:
        now = time.monotonic()
        if self._tell is not None and self._stage and now - self._began >= EVERY:
            self._say(now)

    def _say(self, now: float) -> None:
        if self._tell is not None:
            self._tell(self._progress(now))
            self._told = time.monotonic()

    def _progress(self, now: float) -> Progress:
        tally, lasted = self._tally, now - self._stage_began
        if not self._asked:
            self._total, self._asked = self._usual(), True
        over = self._stage == DONE
        rows = max((one.rows for one in self._done), default=0) if over else tally.rows
        seconds = now - self._began if over else lasted
        failing = {self._indexes[index]: count for index, count in [*tally.failing.items()] if index in self._indexes}
        return Progress(
            table=self._table,
            stage=self._stage,
            at=datetime.now(UTC),
            rows=rows,
            total_rows=None if self._total is None else max(self._total, rows),
            percent=100.0 if over else self._percent(rows),
            rows_per_second=round(rows / seconds, 1) if rows and seconds > 0 else None,
            rules_done=len(self._passed),
            rules_total=len(self._checks),
            refused=tally.refused or self._refused,
            failing=failing | self._failed,
            passed=dict(self._passed),
            note=", ".join(filter(None, (self._place, self._note))),
            seconds=round(now - self._began, 3),
            stages=tuple(self._done),
        )

    def _percent(self, rows: int) -> float | None:
        share = rows * 100 / self._total if self._total else self._share
        return None if share is None else round(min(share, 99.0), 1)


def _label(rule: Rule) -> str:
    return f"{rule.type} of {rule.column_label}" if rule.column_label else str(rule.type)
