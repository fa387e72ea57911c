"""The verdict on rows that another engine than Polars holds: what it judges itself, and what Polars judges for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any

import narwhals as nw
import polars as pl

from dq_pipelines.engine.backends.base import Engine
from dq_pipelines.engine.backends.polars.auxiliary_columns import Lookup
from dq_pipelines.engine.backends.polars.scan import Scan, no_tables
from dq_pipelines.engine.backends.sql.aggregate_query import counted
from dq_pipelines.engine.backends.sql.scan import Inside, planned
from dq_pipelines.engine.interrupt import interruptibly
from dq_pipelines.engine.judge import judge
from dq_pipelines.engine.results.reasons import REASONS, with_reasons
from dq_pipelines.engine.results.result_format import ROW
from dq_pipelines.engine.results.samples import Samples, failing_rows
from dq_pipelines.engine.results.verdict import RuleResult
from dq_pipelines.rules.core.base import Rule
from dq_pipelines.rules.core.on_rows import RowRule

#: Every failing row, whole.
EVERY = Samples(most=None)


@dataclass(frozen=True)
class Elsewhere:
    """Rows in an engine that were judged: the results, and either side of them as Polars frames."""

    inside: Inside
    results: tuple[RuleResult, ...]
    #: the Polars scan that knows which rows are refused, where Polars had to judge by a rule that refuses some
    scan: Scan | None

    @property
    def kept(self) -> pl.LazyFrame:
        """The rows that no refusing rule refuses."""
        if self.scan is not None:
            return self.scan.kept
        flags = [item.flag for item in self.inside.plan.row_rules(("quarantine", "drop"))]
        return self._rows(~_any_of(flags)) if flags else self.inside.rows(self.inside.frame)

    @property
    def refused(self) -> pl.LazyFrame:
        """The rows that a row rule refuses, with `_reasons`."""
        if self.scan is not None:
            return self.scan.refused
        refusing = self.inside.plan.row_rules(("quarantine",))
        flags = [item.flag for item in refusing]
        rows = self._rows(_any_of(flags), flags) if flags else self.inside.rows(self.inside.frame.head(0))
        return with_reasons(rows, refusing).select(*self._columns, REASONS)

    def _rows(self, wanted: nw.Expr, flags: Sequence[str] = ()) -> pl.LazyFrame:
        return self.inside.rows(self.inside.marked().filter(wanted).select(*self._columns, *flags))

    @property
    def _columns(self) -> list[str]:
        return list(self.inside.frame.collect_schema())


def judge_elsewhere(
    engine: Engine,
    frame: nw.LazyFrame[Any],
    rules: Sequence[Rule],
    *,
    hidden: frozenset[str] = frozenset(),
    lookup: Lookup = no_tables,
    samples: Samples = EVERY,
    types: Mapping[str, pl.DataType] | None = None,
) -> Elsewhere:
    """Judge the frame inside its engine, and by the rules that it lacks with Polars.

    `types` are what the columns were where the rows came from, if they were brought there.
    """
    inside, numbers = counted(planned(engine, frame, rules, hidden, types))
    found = {item.index: item for item in inside.plan.planned}
    results = {
        index: replace(item.result(numbers, numbers["rows"]), engine=engine.name)
        for index, item in found.items()
        if item.lacking is None
    }
    results |= _sampled(inside, results, samples)
    results |= _by_polars(inside, lookup, samples)
    everything = tuple(results[index] for index in range(len(rules)))
    refusing = [result for result in everything if _refuses_some(result) and result.engine != engine.name]
    return Elsewhere(inside, everything, _scan_of_all(inside, lookup) if refusing else None)


def _sampled(inside: Inside, results: Mapping[int, RuleResult], samples: Samples) -> dict[int, RuleResult]:
    """The results of row rules that failed, with failing rows."""
    failed = [item for item in inside.plan.row_rules() if results[item.index].unexpected_count]
    if not failed or samples.most == 0:
        return {}
    wanted = samples.wanted({item.index: results[item.index].unexpected_count or 0 for item in failed})
    flags = [item.flag for item in failed]
    shown = [*samples.columns(failed, list(inside.plan.schema)), *({ROW} & set(inside.frame.collect_schema()))]
    marked = inside.marked().filter(_any_of(flags)).select(*shown, *flags)
    with closing(inside.engine.batches(marked)) as batches:
        found = interruptibly(lambda: failing_rows(batches, failed, wanted), inside.engine.stop)
    return {index: replace(results[index], unexpected_rows=rows) for index, rows in found.items()}


def _by_polars(inside: Inside, lookup: Lookup, samples: Samples) -> dict[int, RuleResult]:
    """The results of the rules that the engine lacks, each saying why Polars judged."""
    lacking = [item for item in inside.plan.planned if item.lacking is not None]
    if not lacking:
        return {}
    scan = _scan(inside, [item.rule for item in lacking], lookup)
    results = judge(scan, samples=samples).results
    return {
        item.index: replace(result, note=f"judged by Polars, not {inside.engine.name}: {item.lacking}")
        for item, result in zip(lacking, results, strict=True)
    }


def _scan_of_all(inside: Inside, lookup: Lookup) -> Scan:
    refusing = [rule for rule in inside.plan.rules if isinstance(rule, RowRule) and rule.refuses]
    return judge(_scan(inside, refusing, lookup), samples=Samples(most=0)).scan


def _scan(inside: Inside, rules: Sequence[Rule], lookup: Lookup) -> Scan:
    frame = inside.rows(inside.frame)
    hidden = frozenset(frame.collect_schema()) - set(inside.plan.schema)
    return Scan(frame, rules, lookup, hidden=hidden)


def _any_of(flags: Sequence[str]) -> nw.Expr:
    return nw.any_horizontal(*(nw.col(flag) for flag in flags), ignore_nulls=False)


def _refuses_some(result: RuleResult) -> bool:
    return isinstance(result.rule, RowRule) and result.rule.refuses and bool(result.unexpected_count)
