"""A report's words and its two faces: lines for a terminal, and one page that needs nothing but itself.

What counts as a table's latest verdict belongs in `history.standing`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from dq_pipelines.history.records import ResultRecord
from dq_pipelines.history.standing import RuleStanding, TableStanding
from dq_pipelines.rules.clock import now

NOTHING_YET = "No table has a verdict yet: materialize one (make run, or dagster asset materialize) and look again."

#: Columns of a terminal that does not say how wide it is: a pipe, a log of CI.
_WIDTH = 150
#: Below this width, what stands side by side is put one below the other.
_NARROW = 120
#: Partitions named in a line; the others are counted.
_NAMED = 3

_COLOURS = {"block": "bold white on red", "fail": "red", "warn": "yellow", "ok": "green"}


def age(then: datetime, at: datetime) -> str:
    """How long ago, in one unit."""
    seconds = max((at - then).total_seconds(), 0)
    for unit, length in (("day", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= length:
            count = int(seconds // length)
            return f"{count} {unit}{'s' if unit == 'day' and count > 1 else ''} ago"
    return "just now"


def moment(then: datetime) -> str:
    """A moment by the clock of this machine."""
    return then.astimezone().strftime("%Y-%m-%d %H:%M")


def mark(rule: RuleStanding) -> str:
    """`block`, `fail` (critical), `warn` (failed otherwise), `ok`."""
    if rule.success:
        return "ok"
    return "block" if rule.blocks else "fail" if rule.one.severity == "critical" else "warn"


def found(rule: RuleStanding) -> str:
    """What the rule found: failing rows and their share, or what was observed, or why it could not be judged."""
    shown = [(partition, result) for partition, result in (rule.failed or rule.results) if _is_told_apart(result)]
    if shown:
        said = [f"{partition}: {_observed(result)}" if partition else _observed(result) for partition, result in shown]
        more = f"; and {len(said) - _NAMED} more" if len(said) > _NAMED else ""
        return "; ".join(said[:_NAMED]) + more
    judged, unexpected = rule.judged_count, rule.unexpected_count or 0
    said_rows = f"{unexpected:,} of {judged:,} rows{percent(unexpected, judged)}"
    return f"{said_rows}, within mostly" if rule.is_tolerated else said_rows + _where(rule)


def _is_told_apart(result: ResultRecord) -> bool:
    return result.error is not None or result.unexpected_count is None


def _observed(result: ResultRecord) -> str:
    if result.error is not None:
        return result.error
    if result.changes is not None:
        return result.changes
    value = result.observed_value
    return f"observed {value:,.6g}" if isinstance(value, float) else f"observed {value}"


def percent(part: int, whole: int) -> str:
    """A share in brackets; one that is small, but not nothing, does not read as nothing."""
    if not part or not whole:
        return ""
    share = 100 * part / whole
    return " (under 0.01 %)" if share < 0.005 else f" ({share:.2f} %)"


def _where(rule: RuleStanding) -> str:
    """In which partitions a rule failed, where there are several."""
    failed = [partition for partition, _ in rule.failed if partition is not None]
    if len(rule.results) < 2 or not failed:
        return ""
    if len(failed) > _NAMED:
        return f" in {len(failed)} of {len(rule.results)} partitions"
    return f" in {', '.join(failed)}"


def state(table: TableStanding) -> str:
    """What became of the rows."""
    if table.blocked:
        told = f"blocked, {table.held:,} rows held" if table.held else "blocked"
        where = [verdict.partition for verdict in table.blocked if verdict.partition]
        return f"{told} ({', '.join(where[:_NAMED])}{', …' if len(where) > _NAMED else ''})" if where else told
    return "judged as it stands" if table.as_it_stands else "published"


def partitions(table: TableStanding) -> str:
    """Which partitions the verdicts are of; empty for a table without."""
    names = table.partitions
    if len(names) < 2:
        return "".join(names)
    return f"{len(names)} partitions, {names[0]} to {names[-1]}"


def score(table: TableStanding) -> str:
    """In percent, cut and not rounded: 100 is said only of a table in which no rule found anything."""
    return f"{int(table.score * 100) / 100:.2f}"


def failures(table: TableStanding) -> str:
    return f"{len(table.failed)}/{len(table.rules)}"


# --- the terminal ----------------------------------------------------------------------------------


def print_report(tables: Sequence[TableStanding], unjudged: Sequence[str]) -> None:
    """The report on standard output, with colours where that is a terminal."""
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=max(console.width, _WIDTH))
    if not tables:
        console.print(
            f"No verdict yet of {', '.join(unjudged)}." if unjudged and len(unjudged) < 4 else NOTHING_YET,
            soft_wrap=True,
        )
        return
    narrow = console.width < _NARROW
    console.print(_overview(tables, now(), narrow=narrow))
    for table in tables:
        told = [rule for rule in table.rules if not rule.success or rule.is_tolerated]
        if told:
            console.print(
                Text(f"\n{table.table}", "bold"), Text(f"{len(table.failed)} of {len(table.rules)} rules failed", "dim")
            )
            console.print(_told(told, narrow=narrow))
    if unjudged:
        console.print(f"\nNo verdict yet: {', '.join(unjudged)}", soft_wrap=True)


def _overview(tables: Sequence[TableStanding], at: datetime, *, narrow: bool) -> Any:
    """A line per table; on a narrow terminal two, with the state below the name and the failures below the score."""
    from rich.table import Table
    from rich.text import Text

    grid = Table(box=None, pad_edge=False, collapse_padding=narrow)
    grid.add_column("table", overflow="fold")
    grid.add_column("when", no_wrap=True)
    for name in ("score", *(() if narrow else ("failed",)), "rows in", "published", "refused", "dropped"):
        grid.add_column(name, justify="right", no_wrap=True)
    if not narrow:
        grid.add_column("", overflow="fold")
    between = "\n" if narrow else ", "
    for table in tables:
        colour = "green" if not table.failed else "red" if table.is_alarming else "yellow"
        told = Text(state(table), "bold red" if table.blocked else "dim" if narrow else "")
        if table.partitions:
            told.append(f" ({partitions(table)})", "dim")
        name, when = Text(table.table), Text(f"{moment(table.at)}{between}{age(table.at, at)}")
        met, failed = Text(score(table), colour), Text(failures(table), colour)
        numbers = [Text(f"{number:,}") for number in (table.rows_in, table.published, table.refused, table.dropped)]
        if narrow:
            grid.add_row(Text("\n").join([name, told]), when, Text("\n").join([met, failed]), *numbers)
        else:
            grid.add_row(name, when, met, failed, *numbers, told)
    return grid


def _told(rules: Sequence[RuleStanding], *, narrow: bool) -> Any:
    from rich.table import Table
    from rich.text import Text

    grid = Table(box=None, show_header=False, padding=(0, 1, 0, 1))
    for no_wrap in (True, True, *(() if narrow else (False, False)), False):
        grid.add_column(no_wrap=no_wrap, overflow="fold")
    for rule in rules:
        said, one = mark(rule), rule.one
        told = [Text(one.rule), Text(one.column or ""), Text(found(rule))]
        if narrow:
            told = [Text("\n").join([Text(" ").join(told[:2]), Text(found(rule), "dim")])]
        grid.add_row(Text(said, _COLOURS[said]), Text(one.severity), *told)
    return grid


# --- the page --------------------------------------------------------------------------------------


def page(tables: Sequence[TableStanding], unjudged: Sequence[str]) -> str:
    """The report as one HTML page, without scripts and without anything from elsewhere."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("dq_pipelines.cli", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    words = {each.__name__: each for each in (age, failures, found, mark, partitions, score, state)}
    return environment.get_template("report.html.j2").render(
        tables=tables, unjudged=unjudged, at=now().astimezone(), nothing_yet=NOTHING_YET, **words
    )
