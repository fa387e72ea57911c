"""Failing rows for people to look at: out of the pass that counts, out of the first rows, and only then out of all."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from dq_pipelines.config.columns import exact_names
from dq_pipelines.engine.backends.base import Counted
from dq_pipelines.engine.backends.polars.marked_rows import MarkedRows, repeats_of
from dq_pipelines.engine.interrupt import interruptibly
from dq_pipelines.engine.plan import PlannedRule
from dq_pipelines.engine.results.result_format import ROW
from dq_pipelines.engine.results.samples import Rows, Samples, first_failing_rows
from dq_pipelines.rules.core.auxiliary_queries import ByGx, RowSql
from dq_pipelines.rules.library.functions import PythonFunction

#: In how many rows failing ones are looked for first: most often there are enough.
_FIRST = 100_000


def first_failing(scan: MarkedRows, samples: Samples) -> list[pl.LazyFrame]:
    """The failing rows among the first ones, to collect with the counts; no frame where it would read more columns."""
    rules = [item for item in scan.plan.row_rules() if repeats_of(item) is None]
    if not rules or not samples.most or not samples.are_judged(rules):
        return []
    return [_failing(scan, scan.marked.head(_FIRST), rules, samples)]


def failing_rows(scan: MarkedRows, counted: Counted, samples: Samples) -> dict[int, Rows]:
    """The first failing rows of each rule that has some, by its index."""
    failed = counted.failed_rules()
    if not failed or samples.most == 0:
        return {}
    wanted = samples.wanted({item.index: counted.results[item.index].unexpected_count or 0 for item in failed})
    rows: dict[int, Rows] = {}

    def lacking() -> list[PlannedRule]:
        return [item for item in failed if len(rows.get(item.index, ())) < wanted[item.index]]

    def look_in(scan: MarkedRows, rules: Sequence[PlannedRule]) -> None:
        batches = _failing(scan, scan.marked, rules, samples).collect_batches(engine="streaming")
        rows.update(interruptibly(lambda: first_failing_rows(batches, rules, wanted)))

    met = [] if counted.first_failing is None else [item for item in failed if repeats_of(item) is None]
    if counted.first_failing is not None and met:
        first = counted.first_failing.select(*exact_names(_shown(scan, met, samples)), *(item.flag for item in met))
        rows.update(first_failing_rows([first], met, wanted))
    others = [item for item in failed if item not in met]
    if others and _can_be_marked_in_part(scan, others):
        look_in(scan.reading(scan.frame.head(_FIRST)), others)
    if lacking():
        look_in(scan, lacking())
    return rows


def _failing(scan: MarkedRows, marked: pl.LazyFrame, rules: Sequence[PlannedRule], samples: Samples) -> pl.LazyFrame:
    """Of marked rows those that fail one of the rules, with the columns to show and the flags."""
    flags = [item.flag for item in rules]
    return marked.select(*exact_names(_shown(scan, rules, samples)), *flags).filter(pl.any_horizontal(flags))


def _shown(scan: MarkedRows, rules: Sequence[PlannedRule], samples: Samples) -> list[str]:
    return [*samples.columns(rules, scan.columns), *(scan.hidden & {ROW})]


def _can_be_marked_in_part(scan: MarkedRows, failed: Sequence[PlannedRule]) -> bool:
    """Whether rows can be marked without all the others.

    SQL conditions and Python functions may compare a row with a mean over all rows. Great Expectations answers by a row's
    place among all.
    """
    needs_all = any(isinstance(query, ByGx | RowSql) for query in scan.plan.auxiliary_queries)
    return not needs_all and not any(isinstance(item.rule, PythonFunction) for item in failed)
