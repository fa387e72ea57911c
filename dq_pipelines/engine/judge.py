"""Running a scan: the numbers, what lies beside them and the caller's sinks in one pass, and a second one only where needed.

Repeated keys are looked for beside the scan, and only when some are found that refuse rows are sinks written
a second time, with them joined in. When a pass fails, the rules at fault become errors and the pass runs again without them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import narwhals as nw
import polars as pl

from dq_pipelines.config.columns import exact_names
from dq_pipelines.engine.backends.polars.auxiliary_columns import usual_values
from dq_pipelines.engine.backends.polars.duplicate_keys import hashes, keyed, repeated_hashes, repeated_keys
from dq_pipelines.engine.backends.polars.scan import Scan
from dq_pipelines.engine.faults import FAULTS, at_fault, sentence
from dq_pipelines.engine.gx.delegation import ask_gx, gx_rules
from dq_pipelines.engine.interrupt import collect_all, interruptibly
from dq_pipelines.engine.measures import NO_MEASURES, Measures
from dq_pipelines.engine.plan import PlannedRule
from dq_pipelines.engine.progress_observer import UNWATCHED, Watching
from dq_pipelines.engine.results.result_format import ROW
from dq_pipelines.engine.results.samples import Rows, Samples, failing_rows
from dq_pipelines.engine.results.verdict import RuleResult
from dq_pipelines.rules.core.auxiliary_queries import ByGx, Determined, Measured, Repeats, RowSql
from dq_pipelines.rules.core.base import Rule
from dq_pipelines.rules.core.columns import Columns
from dq_pipelines.rules.core.condition import Condition
from dq_pipelines.rules.library.functions import PythonFunction

#: What a person looks at.
SOME = Samples()

#: Where failing rows are looked for first, and while they are counted: most often there are enough.
_TOP = 100_000


@dataclass(frozen=True)
class Judgement:
    """A scan that was run: the results, the counts, and the scan that knows its repeated keys."""

    scan: Scan
    results: tuple[RuleResult, ...]
    #: rows that came in
    rows: int
    #: the numbers of the last pass; None where repeated keys came up and no sink wanted the rows a second time
    counted: Mapping[str, Any] | None = field(repr=False)
    #: what `measures` asked for, as the first pass found it
    measured: Sequence[pl.DataFrame] = ()

    @cached_property
    def _marks(self) -> Mapping[str, Any]:
        # A check alone tells what each rule found: who asks for more pays for the second pass.
        return self.counted or collect_all([self.scan.numbers()])[0].row(0, named=True)

    @property
    def refused(self) -> int:
        """Rows that went to quarantine."""
        return int(self._marks["refused"])

    @property
    def dropped(self) -> int:
        """Rows that a rule with `on_failure: drop` discarded."""
        return int(self._marks["dropped"])

    @property
    def kept(self) -> int:
        return self.rows - self.refused - self.dropped


def judge(
    scan: Scan,
    sinks: Callable[[Scan], Sequence[pl.LazyFrame]] = lambda _: (),
    measures: Measures = NO_MEASURES,
    *,
    again: Callable[[], pl.LazyFrame] | None = None,
    samples: Samples = SOME,
    watch: Watching = UNWATCHED,
) -> Judgement:
    """Run the scan once, with `sinks`, and return what the rules said.

    A rule that fails over these rows is a result with its `error`, and the pass runs again without it; so is a
    measure left out. What is the fault of neither (the rows cannot be read, the disk is full) is raised.

    `again` gives the frame to read when rows must be looked at a second time (for repeated keys that
    refuse rows, and for samples of failing rows); by default the scan's own. Sinks are written once
    more in the first case, and must overwrite what they wrote before. `measures` are small frames out of
    the rows that the caller wants to know beside the results; `watch` is told how far it has come.
    """
    while True:
        try:
            return _judged(scan, sinks, measures, again, samples, watch)
        except FAULTS:
            faults = _rules_at_fault(scan, samples)
            scan = scan.without(faults)
            left_out = measures.leave_out_faults(scan)
            if not faults and not left_out:
                raise


def _rules_at_fault(scan: Scan, samples: Samples) -> dict[int, str]:
    """The rules that fail when they are judged alone, by their index, each with a sentence."""

    def attempt(indexes: Sequence[int]) -> None:
        _judged(scan.of(indexes), _read_only, NO_MEASURES, None, samples, UNWATCHED)

    candidates = [index for index in range(len(scan.rules)) if index not in scan.at_fault]
    return {index: sentence(scan.rules[index], error) for index, error in at_fault(candidates, attempt).items()}


def _read_only(scan: Scan) -> list[pl.LazyFrame]:
    """Sinks that read every row, with its reasons, and write nothing."""
    return [rows.sink_batches(lambda _: None, lazy=True) for rows in (scan.kept, scan.refused)]


def _judged(
    scan: Scan,
    sinks: Callable[[Scan], Sequence[pl.LazyFrame]],
    measures: Measures,
    again: Callable[[], pl.LazyFrame] | None,
    samples: Samples,
    watch: Watching,
) -> Judgement:
    """One pass, and a second one where repeated keys refuse rows."""
    with watch.beside(list(gx_rules(scan).values())):
        by_gx = ask_gx(scan)
    with watch.beside(_asking(scan, Measured, Determined)):
        scan = scan.knowing(measured={**_measured(scan), **by_gx.answers})
    keys = scan.keys()
    small = scan.small_frames()
    wanted = [*map(hashes, keys.values()), *(frame for frames in small.values() for frame in frames)]
    written = sinks(scan)
    # Not beside sinks: of a cache that is also cut short, Polars 2.1 forgets columns that a sink wants.
    tops = [] if written else _top(scan, samples)
    asked = measures.frames(scan)
    numbers, *beside = collect_all([scan.numbers(), *wanted, *tops, *asked, *written, *watch.counting(scan)])
    measured = beside[len(wanted) + len(tops) :][: len(asked)]
    top = beside[len(wanted)] if tops else None
    rows_of = iter(beside[len(keys) :])
    observed = {index: [next(rows_of).to_dicts() for _ in frames] for index, frames in small.items()}
    # From here on, the rows may be read from a cheaper place.
    there = scan.knowing(frame=again() if again else scan.frame)
    hashed = dict(zip(keys, beside, strict=False))
    del beside  # 8 bytes for each row and key
    found = {**numbers.row(0, named=True), **{f"{index}.beside": rows for index, rows in observed.items()}}
    if unique := _asking(scan, Repeats):
        early = by_gx.put_into(_results(scan, found))
        watch.told([result for result in early if not any(result.rule is rule for rule in unique)])
    with watch.beside(unique):
        scan = there.knowing(repeats=_repeats(there, hashed, alike=there.plan is scan.plan))
        results = by_gx.put_into(_results(scan, _with_repeat_counts(scan, found)))
    watch.told(results)
    outdated = any(_refusing_repeats(scan))
    if outdated and (written := sinks(scan)):
        (numbers, *_), outdated = collect_all([scan.numbers(), *written, *watch.counting(scan)]), False
    return Judgement(
        scan=scan,
        results=_with_samples(scan, results, samples, top),
        rows=numbers["rows"].item(),
        counted=None if outdated else numbers.row(0, named=True),
        measured=measured,
    )


def _measured(scan: Scan) -> dict[Measured | Determined, Any]:
    """What rules hold values against that the columns themselves say: a pass over these columns alone.

    Numbers by their name where a column is measured; where others determine it, the frame of the usual values.
    """
    columns = Columns(scan.plan.schema)
    queries = [query for query in scan.plan.auxiliary_queries if isinstance(query, Measured | Determined)]
    frames = []
    for query in queries:
        if isinstance(query, Determined):
            frames.append(usual_values(scan.frame, query))
            continue
        value = columns[query.column]
        if query.row_condition is not None:
            condition = Condition.parse(query.row_condition).expr(columns)
            value = replace(value, expr=nw.when(condition).then(value.expr))
        frames.append(nw.from_native(scan.frame).select(**query.measures(value)).to_native())
    found = collect_all(frames) if frames else []
    pairs = zip(queries, found, strict=True)
    return {query: got if isinstance(query, Determined) else got.row(0, named=True) for query, got in pairs}


def _repeats(scan: Scan, found: dict[Repeats, pl.DataFrame], *, alike: bool) -> dict[Repeats, pl.LazyFrame]:
    """Per uniqueness rule, the keys that occur more than once: key columns and `len`.

    `found` are the hashes of all keys, given up as they are looked through; `alike` says whether the keys read now
    have the types of those.
    """
    suspects, queries = [], list(found)
    for query in queries:
        repeated = repeated_hashes(found.pop(query))
        keys = keyed(scan.frame, query, scan.plan.schema)
        suspects.append(repeated_keys(keys, repeated if alike or repeated.is_empty() else None))
    return {query: keys.lazy() for query, keys in zip(queries, collect_all(suspects), strict=True)} if suspects else {}


def _refusing_repeats(scan: Scan) -> list[bool]:
    """Per rule on keys that refuses rows: whether any key repeats."""
    refusing = scan.plan.row_rules(("quarantine", "drop"))
    queries = [item.rule.auxiliary_query() for item in refusing]  # type: ignore[attr-defined]
    return [_any_row(scan.repeats[query]) for query in queries if isinstance(query, Repeats)]


def _any_row(frame: pl.LazyFrame) -> bool:
    return frame.head(1).collect().height > 0


def _with_repeat_counts(scan: Scan, numbers: Mapping[str, Any]) -> dict[str, Any]:
    counts = dict(numbers)
    for item in scan.plan.row_rules():
        query = item.rule.auxiliary_query()  # type: ignore[attr-defined]
        if isinstance(query, Repeats):
            keys = scan.repeats[query].select(pl.col("len").sum()).collect()
            counts[f"{item.index}.unexpected"] = keys.item()
    return counts


def _results(scan: Scan, numbers: Mapping[str, Any]) -> tuple[RuleResult, ...]:
    return tuple(item.result(numbers, numbers["rows"]) for item in scan.plan.planned)


def _asking(scan: Scan, *kinds: type) -> list[Rule]:
    """The rules that want to know something of these kinds before the scan or after it."""
    return [item.rule for item in scan.plan.row_rules() if isinstance(item.rule.auxiliary_query(), kinds)]  # type: ignore[attr-defined]


def _top(scan: Scan, samples: Samples) -> list[pl.LazyFrame]:
    """The failing rows among the first ones, out of the pass that counts; none where that would read columns for them."""
    rules = [item for item in scan.plan.row_rules() if not _by_repeats(item)]
    if not rules or not samples.most or not samples.are_judged(rules):
        return []
    shown = _shown(scan, rules, samples)
    rows = scan.marked.head(_TOP).select(*exact_names(shown), *(item.flag for item in rules))
    return [rows.filter(pl.any_horizontal(item.flag for item in rules))]


def _shown(scan: Scan, rules: Sequence[PlannedRule], samples: Samples) -> list[str]:
    return [*samples.columns(rules, scan.columns), *(scan.hidden & {ROW})]


def _by_repeats(item: PlannedRule) -> bool:
    """Whether the rule's failing rows are known only when the pass is over."""
    return isinstance(item.rule.auxiliary_query(), Repeats)  # type: ignore[attr-defined]


def _tells_by_the_row(scan: Scan, failed: Sequence[PlannedRule]) -> bool:
    """Whether rows can be marked without all the others: not by what may hold them against a mean over all rows.

    What GX says of rows is known by their places in the whole.
    """
    of_all = any(isinstance(query, ByGx | RowSql) for query in scan.plan.auxiliary_queries)
    return not of_all and not any(isinstance(item.rule, PythonFunction) for item in failed)


def _with_samples(
    scan: Scan, results: tuple[RuleResult, ...], samples: Samples, top: pl.DataFrame | None
) -> tuple[RuleResult, ...]:
    """The results with failing rows: of the `top` that the pass has met, and looked for where it has not met enough."""
    failed = [item for item in scan.plan.row_rules() if results[item.index].unexpected_count]
    if not failed or samples.most == 0:
        return results
    wanted = samples.wanted({item.index: results[item.index].unexpected_count or 0 for item in failed})
    rows: dict[int, Rows] = {}

    def lacking() -> list[PlannedRule]:
        return [item for item in failed if len(rows.get(item.index, ())) < wanted[item.index]]

    def look_in(scan: Scan, rules: Sequence[PlannedRule]) -> None:
        marked = scan.marked.select(*exact_names(_shown(scan, rules, samples)), *(item.flag for item in rules))
        failing = marked.filter(pl.any_horizontal(item.flag for item in rules))
        batches = failing.collect_batches(engine="streaming")
        rows.update(interruptibly(lambda: failing_rows(batches, rules, wanted)))

    seen = [item for item in failed if top is not None and not _by_repeats(item)]
    if top is not None and seen:
        met = top.select(*exact_names(_shown(scan, seen, samples)), *(item.flag for item in seen))
        rows.update(failing_rows([met], seen, wanted))
    unseen = [item for item in failed if item not in seen]
    if unseen and _tells_by_the_row(scan, unseen):
        look_in(scan.knowing(frame=scan.frame.head(_TOP)), unseen)
    if lacking():
        look_in(scan, lacking())
    return tuple(
        replace(result, unexpected_rows=rows[index]) if index in rows else result
        for index, result in enumerate(results)
    )
