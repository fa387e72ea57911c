"""The judge: applies the rules of a scan to its rows, whichever backend holds them.

A pass over the rows belongs to the backend. The judge decides what happens when a pass fails, who judges by the rules that
the backend lacks, and which failing rows are looked up.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import polars as pl

from dq_pipelines.engine.backends.base import (
    NO_MEASURES,
    NO_OBSERVER,
    Counted,
    Marks,
    Measures,
    PassRequest,
    ProgressObserver,
    Scan,
    StagingScan,
    no_sinks,
)
from dq_pipelines.engine.faults import at_fault
from dq_pipelines.engine.plan import PlannedRule
from dq_pipelines.engine.results.samples import Rows, Samples
from dq_pipelines.engine.results.verdict import RuleResult
from dq_pipelines.rules.core.on_rows import RowRule

#: As many failing rows as a person looks at.
SOME = Samples()


@dataclass(frozen=True)
class Judgement:
    """The results, and the scan that knows which rows the rules took out."""

    scan: Scan
    #: in the order of the rules
    results: tuple[RuleResult, ...]
    #: rows that came in
    rows: int
    #: None where the passes have not counted them
    marks: Marks | None = field(default=None, repr=False)
    #: the frames that `measures` asked for
    measured: Sequence[pl.DataFrame] = ()

    @cached_property
    def _marks(self) -> Marks:
        # Results alone do not need them: only a caller that asks for more pays for another pass.
        return self.marks or self.scan.count_marks()

    @property
    def refused(self) -> int:
        """Rows that went to quarantine."""
        return self._marks.refused

    @property
    def dropped(self) -> int:
        """Rows that a rule with `on_failure: drop` discarded."""
        return self._marks.dropped

    @property
    def kept(self) -> int:
        """Rows that are left."""
        return self.rows - self.refused - self.dropped


def judge(
    scan: Scan,
    sinks: Callable[[StagingScan], Sequence[pl.LazyFrame]] = no_sinks,
    measures: Measures = NO_MEASURES,
    *,
    again: Callable[[], pl.LazyFrame] | None = None,
    samples: Samples = SOME,
    observer: ProgressObserver = NO_OBSERVER,
) -> Judgement:
    """Judge the rows of a scan, and write them by `sinks` in the same pass.

    A rule that fails over these rows is a result with its `error`, or is judged by another backend, and the pass runs again
    without it. A measure that fails is left out likewise. An error that neither causes (the rows cannot be read, the disk is
    full) is raised.

    `sinks` and `measures` are called with the scan for each pass. A second pass overwrites what the first has written. It is
    needed when repeated keys refuse rows. `again` gives the frame to read then and for samples; by default it is the scan's
    own. `observer` receives the progress.

    Raises TypeError for sinks or measures on a backend that cannot stage rows.
    """
    if not scan.backend.can_stage and not (sinks is no_sinks and measures is NO_MEASURES):
        raise TypeError(
            f"{scan.backend.name} judges rows but writes and measures none: wanted a backend that can stage"
        )
    counted, samples_by_rule = _counted(scan, PassRequest(sinks, measures, samples, observer, again))
    scan = counted.scan
    results = {index: _completed(one, scan, samples_by_rule.get(index)) for index, one in counted.results.items()}
    marks = counted.marks
    if lacking := [item for item in scan.plan.planned if item.lacking is not None]:
        delegated = _on_reference(scan, lacking, samples, observer)
        results |= delegated
        if any(_takes_rows_out(one) for one in delegated.values()):
            scan, marks = _scan_of_refusing_rules(scan), None
    ordered = tuple(results[index] for index in sorted(results))
    return Judgement(scan, ordered, counted.rows, marks, counted.measured)


def _counted(scan: Scan, request: PassRequest) -> tuple[Counted, dict[int, Rows]]:
    """What the passes count, with failing rows by the index of the rule; without the rules that make a pass fail."""
    while True:
        try:
            return _passes(scan, request)
        except scan.backend.errors:
            faults = _rules_at_fault(scan, request.samples)
            scan = scan.without(faults)
            left_out = isinstance(scan, StagingScan) and request.measures.leave_out_faults(scan)
            if not faults and not left_out:
                raise


def _passes(scan: Scan, request: PassRequest) -> tuple[Counted, dict[int, Rows]]:
    counted = scan.count(request)
    return counted, counted.scan.failing_rows(counted, request.samples)


def _rules_at_fault(scan: Scan, samples: Samples) -> dict[int, BaseException]:
    """The rules that fail when they are judged alone, by their index, with what they raise."""
    request = PassRequest(_read_only if scan.backend.can_stage else no_sinks, NO_MEASURES, samples, NO_OBSERVER)

    def attempt(indexes: Sequence[int]) -> None:
        _passes(scan.only(indexes), request)

    candidates = [item.index for item in scan.plan.planned if item.error is None and item.lacking is None]
    return at_fault(candidates, attempt, scan.backend.errors, together=scan.backend.fails_together)


def _read_only(scan: StagingScan) -> list[pl.LazyFrame]:
    """Sinks that read every row, with its reasons, and write nothing."""
    return [rows.sink_batches(lambda _: None, lazy=True) for rows in (scan.kept, scan.refused)]


def _completed(result: RuleResult, scan: Scan, rows: Rows | None) -> RuleResult:
    """The result with its failing rows, and with who judged unless that is known already."""
    engine = scan.backend.name if result.engine == RuleResult.engine else result.engine
    return replace(result, engine=engine, unexpected_rows=result.unexpected_rows if rows is None else rows)


def _on_reference(
    scan: Scan, lacking: Sequence[PlannedRule], samples: Samples, observer: ProgressObserver
) -> Mapping[int, RuleResult]:
    """The results of rules that the backend lacks, by their index, each with a note that says why another judged."""
    other = scan.on_reference([item.rule for item in lacking])
    results = judge(other, samples=samples, observer=observer).results
    name = other.backend.name.capitalize()
    return {
        item.index: replace(result, note=f"judged by {name}, not {scan.backend.name}: {item.lacking}")
        for item, result in zip(lacking, results, strict=True)
    }


def _scan_of_refusing_rules(scan: Scan) -> Scan:
    """The scan of all rules that take rows out, on the backend that has all of them."""
    refusing = [rule for rule in scan.rules if isinstance(rule, RowRule) and rule.refuses]
    return judge(scan.on_reference(refusing), samples=Samples(most=0)).scan


def _takes_rows_out(result: RuleResult) -> bool:
    return isinstance(result.rule, RowRule) and result.rule.refuses and bool(result.unexpected_count)
