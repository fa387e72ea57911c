"""`dq anomaly`: lists anomalies, accepts a point as normal, and takes an acceptance back."""

from __future__ import annotations

import getpass
import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dq_pipelines.cli.project_tables import named_tables
from dq_pipelines.config.settings import Settings

if TYPE_CHECKING:
    from dq_pipelines.history.store.verdicts import History
    from dq_pipelines.monitoring.anomalies.acceptance import Series

app = typer.Typer()
verbs = typer.Typer(no_args_is_help=True)
app.add_typer(verbs, name="anomaly", help="List anomalies, and accept points that are normal.")


@app.callback()
def _group() -> None:
    """The group is the only verb of this module."""


_Table = Annotated[str, typer.Argument(metavar="TABLE", help="The table: sales, or silver/sales.")]
_Metric = Annotated[str, typer.Argument(help="The metric, as in the table's `anomalies`.")]
_Column = Annotated[str | None, typer.Option(help="The column, for a metric of a column.")]
_At = Annotated[str, typer.Option(help="The point's time (UTC) as in `dq anomaly list`, or its day.")]


@verbs.command("list")
def list_anomalies(
    table: Annotated[
        str | None, typer.Argument(help="Only this table: sales, or silver/sales.", show_default=False)
    ] = None,
    days: Annotated[int, typer.Option(min=1, help="How far back.")] = 90,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON list.")] = False,
) -> None:
    """Show the points outside their band, and accepted points, newest first."""
    from dq_pipelines.monitoring.anomalies.acceptance import Series
    from dq_pipelines.project import load_sound_tables

    settings = Settings.from_environment()
    project = load_sound_tables(settings.config)
    watched = [each for each in project if each.anomalies]
    tables = named_tables(project, [table], "anomaly list") if table else watched
    history = _history(settings)
    since = datetime.now(UTC) - timedelta(days=days)
    points = [
        point
        for each in tables
        for series in Series.every(each.key, each.anomalies, history, daily=each.is_daily)
        for point in series.outside(since)
    ]
    points.sort(key=lambda point: point["at"], reverse=True)
    if as_json:
        print(json.dumps(points, indent=1, ensure_ascii=False))
    elif points:
        _print(points)
    else:
        print(f"no anomalies in {days} days")


@verbs.command()
def accept(
    table: _Table,
    metric: _Metric,
    at: _At,
    column: _Column = None,
    by: Annotated[str | None, typer.Option(help="Who accepts it.", show_default="you")] = None,
    note: Annotated[str, typer.Option(help="Why the point is normal.")] = "",
    new_level: Annotated[
        bool,
        typer.Option("--new-level", help="A new level begins here: ignore earlier points, and learn from this one on."),
    ] = False,
) -> None:
    """Accept a point as normal: its check passes, and the point is not learned from, or begins a new level."""
    series = _series(table, metric, column, "accept")
    print(series.accept(at, by=by or getpass.getuser(), note=note, new_level=new_level))
    print(f"the next run of {series.table}, or of its check {series.rule.check} alone, applies it")


@verbs.command()
def reopen(table: _Table, metric: _Metric, at: _At, column: _Column = None) -> None:
    """Take back the acceptance of a point."""
    print(_series(table, metric, column, "reopen").reopen(at))


def _series(name: str, metric: str, column: str | None, verb: str) -> Series:
    """The series of a table's metric. Raises ConfigError for a metric that the table does not watch."""
    from dq_pipelines.monitoring.anomalies.acceptance import Series
    from dq_pipelines.project import load_sound_tables

    settings = Settings.from_environment()
    (table,) = named_tables(load_sound_tables(settings.config), [name], f"anomaly {verb}")
    return Series.of(table.key, table.anomalies, _history(settings), metric, column, daily=table.is_daily)


def _history(settings: Settings) -> History:
    from dq_pipelines.history.store.verdicts import History

    return History(settings.history_url)


def _print(points: list[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table as Grid

    from dq_pipelines.monitoring.anomalies.acceptance import moment

    grid = Grid("at (UTC)", "table", "metric", "value", "expected", "band", "score", "note")
    for row in points:
        about = row["metric"] if row["column"] is None else f"{row['metric']} of {row['column']}"
        band = f"{_number(row['lower'])} to {_number(row['upper'])}"
        cells = (_number(row["value"]), _number(row["expected"]), band, f"{row['score']:.2f}", row.get("note", ""))
        grid.add_row(moment(datetime.fromisoformat(row["at"])), row["table"], about, *cells)
    Console(markup=False, width=None if Console().is_terminal else 160).print(grid)


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:,.6g}"
