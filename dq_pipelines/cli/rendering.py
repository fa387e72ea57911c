"""How `dq report` lays out the standing of tables in a terminal. Its words belong in `history.queries.wording`."""

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
from dq_pipelines.rules.core.clock import now

#: Columns of a terminal that does not say how wide it is: a pipe, a log of CI.
_WIDTH = 150
#: Below this width, what stands side by side is put one below the other.
_NARROW = 120

#: Of a table's or a rule's status.
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
    beside: Mapping[str, Sequence[ResultRecord]] | None = None,
) -> None:
    """The report on standard output, with colours where that is a terminal.

    `gone` are tables that left the YAML, `beside` the results by table that belong to no verdict.
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
        late = [f"{one.rule}: {one.error}" for one in (beside or {}).get(table.table, ()) if not one.success]
        for said in filter(None, (attempt(table), recheck(table), *late)):
            console.print(Text(f"\n{table.table}: {said}"), soft_wrap=True)
        told = [rule for rule in table.rules if not rule.success or rule.is_tolerated or rule.settled]
        if told:
            console.print(
                Text(f"\n{table.table}", "bold"), Text(f"{len(table.failed)} of {len(table.rules)} rules failed", "dim")
            )
            console.print(_told(told, narrow=narrow))
    if unjudged:
        console.print(f"\nNever run: {', '.join(unjudged)}", soft_wrap=True)
    if gone:
        console.print(f"\n{removed(gone)}", soft_wrap=True)


def _overview(tables: Sequence[TableStatus], at: datetime, *, narrow: bool) -> Any:
    """A line per table, with the time and the numbers of its last batch, and the last attempt where that is another; on a narrow terminal two, with the state below the name and the failures below the score."""
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
        told = Text(state(table), "dim" if narrow else "")
        if table.partitions:
            told.append(f" ({partitions(table)})", "dim")
        if tried := last_attempt(table, at):
            told.append(f"{between}{tried}", "dim")
        name, judged = Text(table.table), table.latest
        when = Text(f"{moment(judged.started_at)}{between}{age(judged.started_at, at)}" if judged else "-")
        met, failed = Text(score(table), colour), Text(failures(table), colour)
        numbers = [Text(f"{number:,}") for number in (table.rows_in, table.published, table.refused, table.dropped)]
        if narrow:
            grid.add_row(
                Text("\n").join([name, Text(": ").join([status, told])]), when, Text("\n").join([met, failed]), *numbers
            )
        else:
            grid.add_row(name, status, when, met, failed, *numbers, told)
    return grid


def _told(rules: Sequence[RuleState], *, narrow: bool) -> Any:
    from rich.table import Table
    from rich.text import Text

    grid = Table(box=None, show_header=False, padding=(0, 1, 0, 1))
    for no_wrap in (True, True, *(() if narrow else (False, False)), False):
        grid.add_column(no_wrap=no_wrap, overflow="fold")
    for rule in rules:
        said, one = rule.status, rule.one
        told = [Text(one.rule), Text(one.column or ""), Text(rule_findings(rule))]
        if narrow:
            told = [Text("\n").join([Text(" ").join(told[:2]), Text(rule_findings(rule), "dim")])]
        grid.add_row(Text(said, _COLOURS[said]), Text(one.severity), *told)
    return grid
