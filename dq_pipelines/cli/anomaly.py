"""`dq anomaly`: see what was unlike its past, and say of a point that it is as it should be. Judging is the pipelines' business."""

from __future__ import annotations

import getpass
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dq_pipelines.cli.asking import named_tables
from dq_pipelines.config.settings import Settings
from dq_pipelines.errors import ConfigError, Problem, nearest

if TYPE_CHECKING:
    from dq_pipelines.history.accepted import Accepted
    from dq_pipelines.history.series import Point
    from dq_pipelines.history.store import History
    from dq_pipelines.monitoring.anomalies.declared import AnomalyRule
    from dq_pipelines.project import Table

app = typer.Typer()
verbs = typer.Typer(no_args_is_help=True)
app.add_typer(verbs, name="anomaly", help="See what was unlike its past, and accept it.")


@app.callback()
def _group() -> None:
    """The group is the only verb of this module."""


_Table = Annotated[str, typer.Argument(metavar="TABLE", help="The table: sales, or silver/sales.")]
_Metric = Annotated[str, typer.Argument(help="The metric, as the table's `anomalies` name it.")]
_Column = Annotated[str | None, typer.Option(help="The column, for a metric of one.")]
_At = Annotated[str, typer.Option(help="The point's moment as `dq anomaly list` shows it, in UTC, or its day.")]


@verbs.command("list")
def list_anomalies(
    table: Annotated[
        str | None, typer.Argument(help="Only this table: sales, or silver/sales.", show_default=False)
    ] = None,
    days: Annotated[int, typer.Option(min=1, help="How far back.")] = 90,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON list.")] = False,
) -> None:
    """Show the points that are outside of their bands or were accepted, newest first."""
    from dq_pipelines.project import load_project

    settings = Settings.from_environment()
    project = load_project(settings.config)
    tables = named_tables(project, [table], "anomaly list") if table else [one for one in project if one.anomalies]
    history = _history(settings)
    since = datetime.now(UTC) - timedelta(days=days)
    found = [row for one in tables for series in _watched(one, history) for row in series.outside(since)]
    found.sort(key=lambda row: row["at"], reverse=True)
    if as_json:
        print(json.dumps(found, indent=1, ensure_ascii=False))
    elif found:
        _print(found)
    else:
        print(f"nothing was unlike its past in {days} days")


@verbs.command()
def accept(
    table: _Table,
    metric: _Metric,
    at: _At,
    column: _Column = None,
    by: Annotated[str | None, typer.Option(help="Who says so.", show_default="you")] = None,
    note: Annotated[str, typer.Option(help="Why it is as it should be.")] = "",
    new_level: Annotated[
        bool,
        typer.Option("--new-level", help="It is so from now on: forget what was before, and learn from this point."),
    ] = False,
) -> None:
    """Say that a point is as it should be: its check passes, and it teaches nothing, or it begins a new level."""
    from dq_pipelines.history.accepted import Accepted, AcceptedPoints

    series = _asked(table, metric, column, "accept")
    point = series.point(at)
    who = by or getpass.getuser()
    accepted = Accepted(series.table.key, metric, column, point.at, new_level, who, note, datetime.now(UTC))
    AcceptedPoints(series.history).accept(accepted)
    print(f"{series.name} of {_moment(point.at)} ({point.value:,.6g}): {accepted.said}")
    print(f"the next run of {series.table.key}, or of its check {series.rule.check} alone, goes by it")


@verbs.command()
def reopen(table: _Table, metric: _Metric, at: _At, column: _Column = None) -> None:
    """Take back that a point was accepted."""
    from dq_pipelines.history.accepted import AcceptedPoints

    series = _asked(table, metric, column, "reopen")
    point = series.point(at)
    if not AcceptedPoints(series.history).reopen(series.table.key, metric, column, point.at):
        raise _refusal(f"dq anomaly reopen: {series.name} of {_moment(point.at)} was not accepted")
    print(f"{series.name} of {_moment(point.at)}: open again")


@dataclass(frozen=True)
class _Series:
    """A metric that is watched, with what is known of it."""

    table: Table
    rule: AnomalyRule
    history: History
    points: tuple[Point, ...]
    words: dict[datetime, Accepted]

    @property
    def name(self) -> str:
        return f"{self.table.key}: {self.rule.about}"

    def point(self, at: str) -> Point:
        """The point of this moment, to the second, or the only one of this day; raises ConfigError."""
        try:
            wanted = datetime.fromisoformat(at)
        except ValueError:
            raise _refusal(f"dq anomaly --at: wanted a moment such as 2026-01-31 02:00:00, got '{at}'") from None
        wanted = wanted if wanted.tzinfo else wanted.replace(tzinfo=UTC)
        day = len(at.strip()) <= len("2026-01-31")
        length = timedelta(days=1) if day else timedelta(seconds=1)
        found = [point for point in self.points if wanted <= point.at < wanted + length]
        if len(found) == 1:
            return found[0]
        if found:
            said = f"{len(found)} points on that day: {', '.join(_moment(point.at) for point in found[-3:])}"
        elif self.points:
            near = min(self.points, key=lambda point: abs(point.at - wanted))
            said = f"no point then (nearest: {_moment(near.at)})"
        else:
            said = "no points yet"
        raise _refusal(f"dq anomaly --at: wanted one point of {self.name}, found {said}")

    def outside(self, since: datetime) -> Iterator[dict[str, Any]]:
        """Each of the points since then that are outside of their band, or were accepted, and what was said of it."""
        from dq_pipelines.monitoring.anomalies.watching import judged

        for place in (place for place, point in enumerate(self.points) if point.at >= since):
            watched = judged(self.rule, self.points[: place + 1], self.words)
            accepted = self.words.get(self.points[place].at)
            if watched.judgement.anomalous or accepted:
                yield {
                    "at": self.points[place].at.isoformat(),
                    "table": self.table.key,
                    "metric": self.rule.metric,
                    "column": self.rule.column,
                    **watched.observed,
                    "accepted": accepted.said if accepted else None,
                }


def _watched(table: Table, history: History) -> Iterator[_Series]:
    from dq_pipelines.history.accepted import AcceptedPoints
    from dq_pipelines.monitoring.anomalies.watching import points_of

    for rule in table.anomalies:
        words = AcceptedPoints(history).of(table.key, rule.metric, rule.column)
        yield _Series(table, rule, history, tuple(points_of(rule, history, table.key, daily=table.is_daily)), words)


def _asked(name: str, metric: str, column: str | None, verb: str) -> _Series:
    """The series that the words name; raises ConfigError for a metric that the table does not watch."""
    from dq_pipelines.project import load_project

    settings = Settings.from_environment()
    (table,) = named_tables(load_project(settings.config), [name], f"anomaly {verb}")
    for series in _watched(table, _history(settings)):
        if (series.rule.metric, series.rule.column) == (metric, column):
            return series
    asked = metric if column is None else f"{metric} of {column}"
    known = [rule.about for rule in table.anomalies]
    told = f", wanted one of {', '.join(known)}" if known else ""
    raise _refusal(f"dq anomaly {verb}: {table.key} does not watch {asked}{nearest(asked, known)}{told}")


def _history(settings: Settings) -> History:
    from dq_pipelines.history.store import History

    return History(settings.history_url)


def _refusal(said: str) -> ConfigError:
    return ConfigError([Problem("", 0, said)])


def _moment(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S}"


def _print(found: list[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table as Grid

    grid = Grid("at (UTC)", "table", "metric", "value", "expected", "band", "score", "note")
    for row in found:
        about = row["metric"] if row["column"] is None else f"{row['metric']} of {row['column']}"
        band = f"{_number(row['lower'])} to {_number(row['upper'])}"
        cells = (_number(row["value"]), _number(row["expected"]), band, f"{row['score']:.2f}", row.get("note", ""))
        grid.add_row(_moment(datetime.fromisoformat(row["at"])), row["table"], about, *cells)
    Console(markup=False, width=None if Console().is_terminal else 160).print(grid)


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:,.6g}"
