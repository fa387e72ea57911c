"""The passes of a scan on Polars: the numbers, small frames and the caller's sinks in one, and a second one only where needed.

Repeated keys are looked for by hashes that the first pass collects. Only when some are found that refuse rows are sinks
written a second time, with those keys joined in.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

import polars as pl

from dq_pipelines.engine.backends.base import Counted, Marks, PassRequest
from dq_pipelines.engine.backends.polars.auxiliary_columns import measured_answers
from dq_pipelines.engine.backends.polars.duplicate_keys import find_repeated_keys, hashes
from dq_pipelines.engine.backends.polars.failing_rows import failing_rows, first_failing
from dq_pipelines.engine.backends.polars.marked_rows import MarkedRows, marks_in, repeats_of
from dq_pipelines.engine.faults import sentence
from dq_pipelines.engine.gx.delegation import GxAnswers, ask_gx, gx_rules
from dq_pipelines.engine.interrupt import collect_all
from dq_pipelines.engine.results.conclusion import GROUPS, conclude
from dq_pipelines.engine.results.gx_results import with_gx_results
from dq_pipelines.engine.results.samples import Rows, Samples
from dq_pipelines.engine.results.verdict import RuleResult
from dq_pipelines.rules.core.auxiliary_queries import Determined, LimitsFromColumn, Repeats
from dq_pipelines.rules.core.base import Rule


@dataclass(frozen=True)
class PolarsScan(MarkedRows):
    """One lazy frame, judged on the streaming engine."""

    def count(self, request: PassRequest) -> Counted:
        observer = request.observer
        with observer.auxiliary_queries(list(gx_rules(self.plan).values())):
            gx = ask_gx(self.plan, self.frame)
        with observer.auxiliary_queries(self._rules_with(LimitsFromColumn, Determined)):
            scan = self.knowing(measured={**measured_answers(self.frame, self.plan), **gx.answers})
        first = scan.first_pass(request)
        uniqueness = self._rules_with(Repeats)
        if uniqueness:
            early = scan.results_of(first.numbers, gx)
            observer.rules_judged([one for one in early.values() if not any(one.rule is rule for rule in uniqueness)])
        # From here on, the rows may be read from a cheaper place.
        again = scan.reading(request.again()) if request.again else scan
        with observer.auxiliary_queries(uniqueness):
            repeats = find_repeated_keys(
                again.frame, again.plan.schema, first.hashed, same_types=again.plan is scan.plan
            )
            scan = again.knowing(repeats=repeats)
            results = scan.results_of({**first.numbers, **scan.repeat_counts()}, gx)
        observer.rules_judged(list(results.values()))
        marks: Marks | None = first.marks
        rows = first.rows
        if scan.refuses_repeats():
            sinks = request.sinks(scan)
            numbers = collect_all([scan.numbers(), *sinks, *observer.sinks(scan)])[0] if sinks else None
            marks = None if numbers is None else marks_in(numbers)
            rows = rows if numbers is None else int(numbers["rows"].item())
        return Counted(scan, results, rows, marks, first.measured, first.failing)

    def first_pass(self, request: PassRequest) -> _FirstPass:
        """The numbers, and all else that one pass can give; writes the caller's sinks."""
        keys = self.keys()
        small = self.small_frames()
        sinks = request.sinks(self)
        # Not with sinks: of a cache that is also cut short, Polars 2.1 forgets columns that a sink wants.
        first = [] if sinks else first_failing(self, request.samples)
        measures = request.measures.frames(self)
        parts = [
            [self.numbers()],
            [hashes(one) for one in keys.values()],
            [frame for frames in small.values() for frame in frames],
            first,
            measures,
            [*sinks, *request.observer.sinks(self)],
        ]
        collected = iter(collect_all([frame for part in parts for frame in part]))
        (numbers,), hashed, grouped, failing, measured, _ = ([next(collected) for _ in part] for part in parts)
        rows_of = iter(grouped)
        groups = {f"{index}.{GROUPS}": [next(rows_of).to_dicts() for _ in frames] for index, frames in small.items()}
        return _FirstPass(
            numbers={**numbers.row(0, named=True), **groups},
            counts=numbers,
            hashed=dict(zip(keys, hashed, strict=True)),
            failing=failing[0] if failing else None,
            measured=measured,
        )

    def results_of(self, numbers: Mapping[str, Any], gx: GxAnswers) -> dict[int, RuleResult]:
        """The results by the index of the rule, those of Great Expectations in their places."""
        return with_gx_results(conclude(self.plan, numbers), gx.results)

    def _rules_with(self, *kinds: type) -> list[Rule]:
        """The rules on rows that have an auxiliary query of these kinds."""
        return [item.rule for item in self.plan.row_rules() if isinstance(item.rule.auxiliary_query(), kinds)]  # type: ignore[attr-defined]

    def repeat_counts(self) -> dict[str, Any]:
        """By `<index>.unexpected`, how many rows have a repeated key."""
        queries = {item.index: repeats_of(item) for item in self.plan.row_rules()}
        return {
            f"{index}.unexpected": self.repeats[query].select(pl.col("len").sum()).collect().item()
            for index, query in queries.items()
            if query is not None
        }

    def refuses_repeats(self) -> bool:
        """Whether a rule on keys takes rows out because of a repeated key."""
        queries = [repeats_of(item) for item in self.plan.row_rules(("quarantine", "drop"))]
        return any(self.repeats[query].head(1).collect().height > 0 for query in queries if query is not None)

    def failing_rows(self, counted: Counted, samples: Samples) -> dict[int, Rows]:
        return failing_rows(self, counted, samples)

    def without(self, faults: Mapping[int, BaseException]) -> Self:
        """The scan in which these rules are errors, each with a sentence."""
        errors = {index: sentence(self.rules[index], error) for index, error in faults.items()}
        return replace(self, plan=self.plan.without(errors))


@dataclass(frozen=True)
class _FirstPass:
    """What the first pass has collected."""

    #: the scalars of the plan, counts, and groups
    numbers: Mapping[str, Any]
    #: the numbers as a frame of one row
    counts: pl.DataFrame
    #: hashes of keys, by the query of a uniqueness rule
    hashed: dict[Repeats, pl.DataFrame]
    failing: pl.DataFrame | None
    measured: list[pl.DataFrame]

    @property
    def rows(self) -> int:
        return int(self.numbers["rows"])

    @property
    def marks(self) -> Marks:
        return marks_in(self.counts)
