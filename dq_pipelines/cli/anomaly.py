"""`dq anomaly`: see what was unlike its past, and say of a point that it is as it should be. Judging is the pipelines' business."""

from __future__ import annotations

import getpass
import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dq_pipelines.cli.asking import named_tables
from dq_pipelines.config.settings import Settings

if TYPE_CHECKING:
    from dq_pipelines.history.store.verdicts import History
    from dq_pipelines.monitoring.anomalies.accepting import Series

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
    from dq_pipelines.monitoring.anomalies.accepting import Series
    from dq_pipelines.project import load_sound_tables

    settings = Settings.from_environment()
    project = load_sound_tables(settings.config)
    tables = named_tables(project, [table], "anomaly list") if table else [one for one in project if one.anomalies]
    history = _history(settings)
    since = datetime.now(UTC) - timedelta(days=days)
    found = [
        row
        for one in tables
        for series in Series.every(one.key, one.anomalies, history, daily=one.is_daily)
        for row in series.outside(since)
    ]
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
    series = _asked(table, metric, column, "accept")
    print(series.accept(at, by=by or getpass.getuser(), note=note, new_level=new_level))
    print(f"the next run of {series.table}, or of its check {series.rule.check} alone, goes by it")


@verbs.command()
def reopen(table: _Table, metric: _Metric, at: _At, column: _Column = None) -> None:
    """Take back that a point was accepted."""
    print(_asked(table, metric, column, "reopen").reopen(at))


def _asked(name: str, metric: str, column: str | None, verb: str) -> Series:
    """The series that the words name; raises ConfigError for a metric that the table does not watch."""
    from dq_pipelines.monitoring.anomalies.accepting import Series
    from dq_pipelines.project import load_sound_tables

    settings = Settings.from_environment()
    (table,) = named_tables(load_sound_tables(settings.config), [name], f"anomaly {verb}")
    return Series.asked(table.key, table.anomalies, _history(settings), metric, column, daily=table.is_daily)


def _history(settings: Settings) -> History:
    from dq_pipelines.history.store.verdicts import History

    return History(settings.history_url)


def _print(found: list[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table as Grid

    from dq_pipelines.monitoring.anomalies.accepting import moment

    grid = Grid("at (UTC)", "table", "metric", "value", "expected", "band", "score", "note")
    for row in found:
        about = row["metric"] if row["column"] is None else f"{row['metric']} of {row['column']}"
        band = f"{_number(row['lower'])} to {_number(row['upper'])}"
        cells = (_number(row["value"]), _number(row["expected"]), band, f"{row['score']:.2f}", row.get("note", ""))
        grid.add_row(moment(datetime.fromisoformat(row["at"])), row["table"], about, *cells)
    Console(markup=False, width=None if Console().is_terminal else 160).print(grid)


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:,.6g}"
