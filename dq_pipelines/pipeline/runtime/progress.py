"""Progress: how far the work on a table has come, told about once a second while it goes on.

What is told becomes an event of Dagster's in `progress_events`. `engine.row_counter` counts rows.
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

#: What a table's work goes through, in this order, though not every work through every stage: waiting for another run,
#: opening inputs, landing them, gold's query, judging (where it can, landing in the same pass), the two commits.
WAIT, READ, LAND, QUERY, JUDGE, QUARANTINE, PUBLISH = "wait", "read", "land", "query", "judge", "quarantine", "publish"
#: All of it is over.
DONE = "done"

#: Seconds between two tellings, and before the first stage but one is told.
EVERY = 1.0


@dataclass(frozen=True)
class StageDone:
    """A stage that is over."""

    stage: str
    seconds: float
    #: that went by in it; 0 where none were counted
    rows: int = 0


@dataclass(frozen=True)
class Progress:
    """How far the work on one table has come at one moment."""

    #: `silver/<name>` or `gold/<name>`
    table: str
    stage: str
    at: datetime
    #: that have gone by in this stage
    rows: int = 0
    #: that will have: from Parquet's footers or the log exactly, else about (lines of a sample, the last batch)
    total_rows: int | None = None
    #: 0 to 100 of this stage; below 100 before it is over; None where nobody knows how much there is
    percent: float | None = None
    #: since the stage began; None before there are any
    rows_per_second: float | None = None
    #: checks whose result is known
    rules_done: int = 0
    rules_total: int = 0
    #: rows refused so far
    refused: int = 0
    #: failing rows so far, by check; of a rule on keys they are known at its end only
    failing: Mapping[str, int] = field(default_factory=dict)
    #: whether a check has passed, as soon as it is known
    passed: Mapping[str, bool] = field(default_factory=dict)
    #: what is looked at within the stage: a partition or a batch of several, rules beside the scan; "" for nothing in particular
    note: str = ""
    #: seconds since the work began
    seconds: float = 0.0
    #: the stages before this one
    stages: tuple[StageDone, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """As JSON holds it; nothing that is None or empty."""
        said = {name: value for name, value in vars(self).items() if value not in (None, "", {}, ())}
        said |= {"at": self.at.isoformat(timespec="milliseconds"), "stages": [vars(one) for one in self.stages]}
        return {name: dict(value) if isinstance(value, Mapping) else value for name, value in said.items()}

    @classmethod
    def of_json(cls, said: Mapping[str, Any]) -> Progress:
        """What `to_json` has said; raises KeyError or ValueError for what it has not."""
        known = {name: said[name] for name in cls.__dataclass_fields__ if name in said}
        stages = tuple(StageDone(**one) for one in said.get("stages", ()))
        return cls(**known | {"at": datetime.fromisoformat(said["at"]), "stages": stages})

    def __str__(self) -> str:
        """In one line for people."""
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


class Reporter:
    """One work's progress, kept while it goes on and told where somebody listens.

    Told are the first stage, the end, and between them a stage as it begins and how it goes, once a second: of work that
    is over within a second, the two.
    """

    def __init__(
        self,
        table: str = "",
        checks: Sequence[str] = (),
        tell: Callable[[Progress], None] | None = None,
        usual: Callable[[], int | None] = lambda: None,
        place: str = "",
    ) -> None:
        """`checks` are the names of the table's rules in their order; `usual` says how many rows the last batch had.

        `place` stands before each note: which part of a longer work this is.
        """
        self._table, self._checks, self._tell, self._usual = table, checks, tell, usual
        self._place = place
        self._tally = RowCounter()
        #: by rule (they cannot be hashed) and by its place in the scan
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
        """The work: what stays within is told while native code is waited for, and its end when it ends well."""
        with meanwhile(self.tick):
            yield
        self.stage(DONE)

    def stage(self, name: str, total: int | None = None, note: str = "") -> None:
        """A stage begins, and the one before is over; `total` rows are about to go by, if anybody knows."""
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
        """A moment has passed."""
        now = time.monotonic()
        if self._tell is not None and self._stage and now - self._told >= EVERY:
            self._say(now)

    def share(self, percent: float) -> None:
        """How much of the stage is over, where not rows tell it."""
        self._share = percent if percent >= 0 else None

    def through(self, rows: pl.LazyFrame, column: str) -> pl.LazyFrame:
        """The same rows, counted on their way into the one sink that they have."""
        return rows if self._tell is None else self._tally.through(rows, column)

    # --- engine.backends.base.ProgressObserver ------------------------------------------------------

    def sinks(self, scan: StagingScan) -> Sequence[pl.LazyFrame]:
        """A sink that counts what goes by; in a second pass, from the beginning."""
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

    # --- telling -----------------------------------------------------------------------------------

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
