"""Lays out the status of tables for `dq report` in a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from dq_pipelines.history.queries.rule_status import RuleState
from dq_pipelines.history.queries.table_status import TableStatus
from dq_pipelines.history.queries.wording import (
    NOTHING_YET,
    age,
    attempt,
    failures,
    last_attempt,
    moment,
    partitions,
    recheck,
    removed,
    rule_findings,
    score,
    state,
    word,
)
from dq_pipelines.history.store.records import ResultRecord
from dq_pipelines.project.check_titles import check_title
from dq_pipelines.rules.core.clock import now

#: Width in columns if the output has no width of its own: a pipe, a log of CI.
_WIDTH = 150
#: Below this width, columns are stacked.
_NARROW = 120

#: Status of a table or a rule -> its style.
_COLOURS = {
    "error": "bold white on red",
    "blocked": "bold white on red",
    "failing": "red",
    "warning": "yellow",
    "never_run": "dim",
    "healthy": "green",
    "passed": "green",
}


def print_report(
    tables: Sequence[TableStatus],
    unjudged: Sequence[str],
    gone: Sequence[TableStatus] = (),
    standalone: Mapping[str, Sequence[ResultRecord]] | None = None,
    titles: Mapping[str, Mapping[str, str]] | None = None,
) -> None:
    """Print the report on standard output, with colours if that is a terminal.

    `unjudged` are tables that have never run, `gone` tables that are no longer in YAML. `standalone` has the results of
    checks beside the verdicts, and `titles` the titles of checks by name, each by table.
    """
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=max(console.width, _WIDTH))
    if not tables:
        console.print(
            f"Never run: {', '.join(unjudged)}." if unjudged and len(unjudged) < 4 else NOTHING_YET,
            soft_wrap=True,
        )
        if gone:
            console.print(removed(gone), soft_wrap=True)
        return
    narrow = console.width < _NARROW
    console.print(_overview(tables, now(), narrow=narrow))
    for table in tables:
        failed = [f"{one.rule}: {one.error}" for one in (standalone or {}).get(table.table, ()) if not one.success]
        for sentence in filter(None, (attempt(table), recheck(table), *failed)):
            console.print(Text(f"\n{table.table}: {sentence}"), soft_wrap=True)
        shown = [rule for rule in table.rules if not rule.success or rule.is_tolerated or rule.settled]
        if shown:
            console.print(
                Text(f"\n{table.table}", "bold"),
                Text(f"{len(table.failed)} of {len(table.rules)} rules not met", "dim"),
            )
            console.print(_rules(shown, (titles or {}).get(table.table, {}), narrow=narrow))
    if unjudged:
        console.print(f"\nNever run: {', '.join(unjudged)}", soft_wrap=True)
    if gone:
        console.print(f"\n{removed(gone)}", soft_wrap=True)


def _overview(tables: Sequence[TableStatus], at: datetime, *, narrow: bool) -> Any:
    """A line per table: status, time and numbers of the last batch, and the last attempt if that is another one.

    On a narrow terminal two lines: the state below the name, the failures below the score.
    """
    from rich.table import Table
    from rich.text import Text

    grid = Table(box=None, pad_edge=False, collapse_padding=narrow)
    grid.add_column("table", overflow="fold")
    if not narrow:
        grid.add_column("status", no_wrap=True)
    grid.add_column("last batch", no_wrap=True)
    for name in ("score", *(() if narrow else ("failed",)), "rows in", "published", "refused", "dropped"):
        grid.add_column(name, justify="right", no_wrap=True)
    if not narrow:
        grid.add_column("", overflow="fold")
    between = "\n" if narrow else ", "
    for table in tables:
        status = Text(word(table.status), _COLOURS[table.status])
        colour = "" if table.failed else "green"
        details = Text(state(table), "dim" if narrow else "")
        if table.partitions:
            details.append(f" ({partitions(table)})", "dim")
        if tried := last_attempt(table, at):
            details.append(f"{between}{tried}", "dim")
        name, judged = Text(table.table), table.latest
        when = Text(f"{moment(judged.started_at)}{between}{age(judged.started_at, at)}" if judged else "-")
        met, failed = Text(score(table), colour), Text(failures(table), colour)
        numbers = [Text(f"{number:,}") for number in (table.rows_in, table.published, table.refused, table.dropped)]
        if narrow:
            grid.add_row(
                Text("\n").join([name, Text(": ").join([status, details])]),
                when,
                Text("\n").join([met, failed]),
                *numbers,
            )
        else:
            grid.add_row(name, status, when, met, failed, *numbers, details)
    return grid


def _rules(rules: Sequence[RuleState], titles: Mapping[str, str], *, narrow: bool) -> Any:
    """A line per rule: what it demands in words, its type and columns, and what was found."""
    from rich.table import Table
    from rich.text import Text

    grid = Table(box=None, show_header=False, padding=(0, 1, 0, 1))
    for no_wrap in (True, True, *(() if narrow else (False,)), False):
        grid.add_column(no_wrap=no_wrap, overflow="fold")
    for rule in rules:
        result = rule.one
        named = " of ".join(filter(None, (result.rule, result.column)))
        about = [Text(named)]
        if result.rule != result.check:  # what every table has is known by its name
            about = [Text(check_title(titles, result.check, result.rule, result.column)), Text(named, "dim")]
        found = Text(rule_findings(rule))
        cells = [Text("\n").join([*about, found])] if narrow else [Text("\n").join(about), found]
        grid.add_row(Text(rule.status, _COLOURS[rule.status]), Text(result.severity), *cells)
    return grid
