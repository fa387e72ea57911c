"""Collects the content of the overview page and the report: status of tables, failing rules, quarantine, runs."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property

from dq_pipelines.config.counting import counted
from dq_pipelines.errors import PublishError
from dq_pipelines.history.queries.last_runs import BatchSummary, last_runs
from dq_pipelines.history.queries.recent_changes import RecentChanges
from dq_pipelines.history.queries.scores import Score, score_of_all
from dq_pipelines.history.queries.table_status import TableStatus
from dq_pipelines.history.queries.trend import TrendPoint, trend
from dq_pipelines.history.queries.wording import NOTHING_YET
from dq_pipelines.history.store.status import STATUSES, Status, worst
from dq_pipelines.pipeline.current_status import lost_history
from dq_pipelines.pipeline.quarantine.quarantine_summary import QuarantineSummary, Reason
from dq_pipelines.web.dashboard import charts
from dq_pipelines.web.dashboard.charts import Chart
from dq_pipelines.web.dashboard.failing_rules import FailingRules, failing_rules
from dq_pipelines.web.dashboard.lake_counts import LakeCounts
from dq_pipelines.web.dashboard.listing import Choices, Listing
from dq_pipelines.web.dashboard.request_context import PageContext, RequestContext
from dq_pipelines.web.dashboard.table_summary import RUNS, TableSummary

#: Points of a table's sparkline.
SPARKS = 40
#: Failing rules, reasons, and names of tables that never ran, of which a page shows so many at most; the report shows all.
LISTED = 50
#: Sentences about what could not be read.
_NOTES = 10


@dataclass(frozen=True)
class Overview(PageContext):
    """The overview page: status of tables, failing rules, quarantine and runs."""

    #: what is listed; None for all tables at once, as in the report
    listing: Listing | None
    choices: Choices
    #: every visible table that has run, those that are listed on all pages, and those on this page
    every: Sequence[TableSummary]
    matching: Sequence[TableSummary]
    lines: Sequence[TableSummary]
    #: the keys of tables that never ran and are listed, and the number of all of them
    unjudged: Sequence[str]
    unjudged_count: int
    failing: FailingRules
    runs: Sequence[BatchSummary]
    #: of the listed tables
    quarantines: Sequence[QuarantineSummary]
    charts: Sequence[Chart]
    #: judged and refused rows of all tables within the time range; each row counts once
    rows_in: int
    refused: int
    notes: Sequence[str] = ()
    #: tables that are no longer in YAML
    removed: Sequence[TableStatus] = ()
    #: what changed in visible tables within the last day; None in the report
    recent: RecentChanges | None = None

    @cached_property
    def domains(self) -> list[tuple[str, int, Score]]:
        """Each domain with its number of tables and its score, sorted by name."""
        scores: dict[str, list[Score | None]] = {}
        for line in self.every:
            scores.setdefault(line.domain, []).append(line.score)
        found = ((name, len(of), score_of_all(of)) for name, of in sorted(scores.items()))
        return [(name, count, score) for name, count, score in found if score is not None]

    @cached_property
    def counts(self) -> dict[Status, int]:
        """The number of tables per status, the worst first, including tables that never ran."""
        found = [*(line.status for line in self.every), *["never_run"] * self.unjudged_count]
        return {status: found.count(status) for status in STATUSES if status in found}

    @property
    def status(self) -> Status:
        """The status of the worst table that has run."""
        return worst([line.status for line in self.every])

    @property
    def score(self) -> float | None:
        """In percent: the mean of the tables' scores."""
        scores = [line.standing.score for line in self.every if line.standing.score is not None]
        return sum(scores) / len(scores) if scores else None

    @property
    def rules(self) -> tuple[int, int]:
        """The numbers of failing rules and of all rules."""
        return sum(len(line.failing) for line in self.every), sum(len(line.standing.rules) for line in self.every)

    @property
    def nothing(self) -> str:
        """The message if there is no table to show."""
        if self.visit.tables is None:
            return self._lost_history() or NOTHING_YET
        return "None of these tables has run yet." if self.unjudged_count else "There is no table that you may view."

    def _lost_history(self) -> str:
        known, lake = self.visit.known.project, self.visit.site.stores.lake
        try:
            return lost_history(lake, [table.key for table in known], [line.standing for line in self.every])
        except PublishError as error:
            return f"Cannot check whether the history is lost: {error}"

    @property
    def waiting(self) -> int:
        """Open rows in quarantine of all tables, whatever is listed."""
        return sum(line.standing.open_rows or 0 for line in self.every)

    @property
    def waiting_reasons(self) -> list[tuple[str, str, str | None, list[Reason]]]:
        """Table, rule, column and their reasons by day, sorted by rows, most first; of the listed tables."""
        every = [row for one in self.quarantines for row in one.by_reason]
        return sorted(every, key=lambda row: -sum(reason.rows for reason in row[3]))

    @property
    def last(self) -> datetime | None:
        return max((line.standing.at for line in self.every), default=None)


def overview(visit: RequestContext, listing: Listing | None = None) -> Overview:
    """The overview page, or all tables at once."""
    standings, known = {each.table: each for each in visit.standings()}, visit.known_tables
    lake = visit.site.lake
    counts = (lake.now if listing is None else lake.soon)(sorted(known.keys() | standings.keys()))
    every = [visit.summary(each, counts) for each in standings.values()]
    unjudged = sorted(key for key in known if key not in standings)
    chosen = listing or Listing()
    matching = chosen.matching(every, known)
    waiting = [key for key in unjudged if chosen.has_status("never_run") and chosen.has(key, known[key])]
    if chosen.status == "never_run":
        matching, waiting = [*matching, *(visit.summary(TableStatus(key, ()), counts) for key in waiting)], []
    ordered = chosen.in_order(matching)
    shown, page = (None, ordered) if listing is None else chosen.page_of(ordered)
    lines, found, rows = _page(visit, page, counts, standings, waiting[:LISTED])
    quarantines = [
        counts.quarantines[one.standing.table] for one in matching if one.standing.table in counts.quarantines
    ]
    drawn = [
        charts.scores(found, is_part=len(page) < len(ordered)),
        charts.layers(rows, is_part=len(page) < len(ordered)),
        charts.quarantine(quarantines, visit.at),
    ]
    return Overview(
        visit, shown, Choices.of(known.values()), every, ordered, lines, waiting, len(unjudged),
        failing_rules(matching, visit.site.summaries, None if listing is None else LISTED),
        last_runs(visit.history, visit.tables, RUNS) if listing is None else (),  # a server has a page of runs
        [one for one in quarantines if one.statuses],
        [chart for chart in drawn if chart.points],
        *_rows_within(visit, visit.span.name, standings),
        (*visit.known.notes, *_notes(counts)),
        visit.removed(),
        None if listing is None else _recent(visit, every),
    )  # fmt: skip


def _rows_within(visit: RequestContext, span: str, tables: Collection[str]) -> tuple[int, int]:
    """Judged rows of these tables and the refused ones of them, within a time range; each row counts once."""
    found = visit.site.rows_in(span, visit.at)
    some = [found[key] for key in tables if key in found]
    return sum(rows for rows, _ in some), sum(refused for _, refused in some)


def _recent(visit: RequestContext, tables: Sequence[TableSummary]) -> RecentChanges:
    """What changed, without rules whose status is another one now: replays and dismissed rows settle a failure."""
    changes = visit.site.recent(visit.at)
    found = RecentChanges.of(changes[key] for one in tables if (key := one.standing.table) in changes)
    # Rows as the tile above counts them: each once, whatever the number of its verdicts.
    rows_in, refused = _rows_within(visit, "1", [one.standing.table for one in tables])
    touched = {one.table for one in (*found.began, *found.recovered)}
    failing = {
        (one.table, one.rule.one.check) for line in tables if line.standing.table in touched for one in line.failing
    }
    return replace(
        found,
        rows_in=rows_in,
        refused=refused,
        began=[one for one in found.began if (one.table, one.check) in failing],
        recovered=[one for one in found.recovered if (one.table, one.check) not in failing],
    )


def _page(
    visit: RequestContext,
    page: Sequence[TableSummary],
    counts: LakeCounts,
    standings: Mapping[str, TableStatus],
    unjudged: Sequence[str],
) -> tuple[list[TableSummary], Sequence[TrendPoint], dict[str, int]]:
    """The lines of the tables of one page, their trend, and their rows by layer."""
    names = [one.standing.table for one in page]
    if counts.uncounted.intersection(names):
        counts = visit.site.lake.now(names)
        page = [visit.summary(standings.get(one.standing.table, one.standing), counts) for one in page]
    found = trend(visit.history, names, points=SPARKS, since=visit.since)
    sparks: dict[str, list[TrendPoint]] = {name: [] for name in names}
    for one in found:
        sparks[one.table].append(one)
    lines = [replace(one, spark=sparks[one.standing.table]) for one in visit.site.summaries.with_since(page)]
    shown = {name.partition("/")[2] for name in (*names, *unjudged)}
    return lines, found, {key: rows for key, rows in counts.rows.items() if key.partition("/")[2] in shown}


def _notes(counts: LakeCounts) -> list[str]:
    """Sentences about what could not be read, or is not counted yet."""
    notes = list(counts.notes[:_NOTES])
    if len(counts.notes) > _NOTES:
        notes.append(f"And {len(counts.notes) - _NOTES} more sentences like these: the page of each table has its own.")
    if count := len(counts.uncounted):
        notes.append(
            f"Open rows in quarantine are still being counted for {counted(count, 'table')}, whose status is that of the last "
            "verdict until then; the page is loaded again when they are counted."
        )
    return notes


@dataclass(frozen=True)
class Brief:
    """One table in the report: its current status, without its history."""

    line: TableSummary
    quarantine: QuarantineSummary
    description: str


def briefs(first: Overview) -> list[Brief]:
    """The tables of an overview for the report, in the same order."""
    waiting = {one.table: one for one in first.quarantines}
    names = [(line, line.standing.table) for line in first.lines]
    return [
        Brief(line, waiting.get(name, QuarantineSummary(name)), first.visit.description(name)) for line, name in names
    ]
