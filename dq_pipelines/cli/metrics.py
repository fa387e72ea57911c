"""`dq metrics`: shows a table's column metrics, one metric batch by batch, and the drift between two partitions."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dq_pipelines.cli.time_options import Since, Until
from dq_pipelines.config.counting import counted
from dq_pipelines.config.settings import Settings
from dq_pipelines.errors import ConfigError, Problem, nearest

if TYPE_CHECKING:
    from dq_pipelines.history.queries.series import Point
    from dq_pipelines.history.store.metrics import ColumnMetrics
    from dq_pipelines.monitoring.metrics.merged_batches import BatchRange

app = typer.Typer()

_SHOWN = ("null_share", "distinct_count", "min", "mean", "standard_deviation", "p50", "p95", "max", "outlier_count")


@app.command()
def metrics(
    table: Annotated[
        str, typer.Argument(help="A table, as flights, silver/flights or gold/revenue; or a CSV or Parquet file.")
    ],
    metric: Annotated[
        str | None, typer.Option("--metric", help="Show this metric batch by batch, such as row_count or mean.")
    ] = None,
    column: Annotated[str | None, typer.Option("--column", help="Only this column.")] = None,
    partition: Annotated[str | None, typer.Option("--partition", help="Only the batches of this partition.")] = None,
    against: Annotated[
        str | None, typer.Option("--against", help="Also show the drift (PSI) against this partition.")
    ] = None,
    since: Annotated[datetime | None, Since("Only batches from this day or time on (UTC).")] = None,
    until: Annotated[datetime | None, Until("Only batches up to this time, or the end of this day (UTC).")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show the metrics of a table's batches, merged from the history: no row is read again.

    For a file, the numeric columns are measured now.
    """
    if Path(table).is_file():
        from dq_pipelines.monitoring.metrics.file_metrics import metrics_of_file

        _print_metrics(table, 1, metrics_of_file(table), None, as_json=as_json)
        return
    from dq_pipelines.cli.project_tables import named_tables
    from dq_pipelines.history.queries.series import series
    from dq_pipelines.history.store.verdicts import History
    from dq_pipelines.monitoring.metrics.merged_batches import BatchRange
    from dq_pipelines.project import load_sound_tables

    settings = Settings.from_environment()
    key = named_tables(load_sound_tables(settings.config), [table], "metrics")[0].key
    history = History(settings.history_url)
    batch_range = BatchRange(key, partition, since, until)
    if metric is not None:
        _must_be_known(metric, column)
        points = series(
            history, key, metric, column, partition=partition, since=batch_range.since, until=batch_range.until
        )
        _print_points(points, as_json=as_json)
        return
    batches, measured = batch_range.metrics(history)
    shown = [each for each in measured if column in (None, each.column)]
    drift = (
        _drift(BatchRange(key, against, batch_range.since, batch_range.until), shown, history)
        if against is not None
        else None
    )
    _print_metrics(key, batches, shown, drift, as_json=as_json)


def _must_be_known(metric: str, column: str | None) -> None:
    from dq_pipelines.history.queries.series import METRICS

    if metric not in METRICS:
        problem = f"unknown metric '{metric}'{nearest(metric, METRICS)}"
    elif METRICS[metric].of_column and column is None:
        problem = f"{metric} is a metric of a column: name the column with --column"
    else:
        return
    raise ConfigError([Problem("", 0, f"dq metrics --metric: {problem}")])


def _drift(reference: BatchRange, shown: Sequence[ColumnMetrics], history: Any) -> dict[str, float | None]:
    from dq_pipelines.monitoring.metrics.drift import population_stability_index

    before = {each.column: each for each in reference.metrics(history)[1]}
    return {
        each.column: population_stability_index(before[each.column], each) if each.column in before else None
        for each in shown
    }


def _print_points(points: Sequence[Point], *, as_json: bool) -> None:
    if as_json:
        print(json.dumps([asdict(point) | {"at": point.at.isoformat()} for point in points], indent=1))
        return
    for point in points:
        where = f"  [{point.partition}]" if point.partition else ""
        print(f"{point.at:%Y-%m-%d %H:%M:%S}  {point.value:>16,.6g}  {point.batch}{where}")


def _print_metrics(
    table: str,
    batches: int,
    shown: Sequence[ColumnMetrics],
    drift: dict[str, float | None] | None,
    *,
    as_json: bool,
) -> None:
    if as_json:
        metrics = [{name: value for name, value in asdict(each).items() if name != "state"} for each in shown]
        drifts = [{} if drift is None else {"population_stability_index": drift[each.column]} for each in shown]
        columns = [metric | drift_of for metric, drift_of in zip(metrics, drifts, strict=True)]
        print(json.dumps({"table": table, "batches": batches, "columns": columns}, indent=1, ensure_ascii=False))
        return
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    grid = Table(
        title=f"{table}: {counted(batches, 'batch')}, {counted(max((each.count for each in shown), default=0), 'row')}"
    )
    grid.add_column("column")
    for name in (*_SHOWN, *(["PSI"] if drift is not None else [])):
        grid.add_column(name.replace("_", " "), justify="right")
    for each in shown:
        values = {"null_share": each.null_count / each.count if each.count else None}
        cells = [_cell(values.get(name, getattr(each, name, None))) for name in _SHOWN]
        grid.add_row(escape(each.column), *cells, *([_cell(drift[each.column])] if drift is not None else []))
    Console(width=None if Console().is_terminal else 160).print(grid)


def _cell(value: float | None) -> str:
    return "" if value is None else f"{value:,.4g}" if abs(value) < 1e6 else f"{value:.4e}"
