"""`dq validate`: judges a file by rules, outside a project."""

from __future__ import annotations

import json
import sys
import warnings
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dq_pipelines.config.counting import counted
from dq_pipelines.errors import ConfigError, Problem

if TYPE_CHECKING:
    from dq_pipelines.engine.results.verdict import ResultFormat, RuleResult, Verdict

app = typer.Typer()


class Format(StrEnum):
    """How the verdict is printed."""

    table = "table"
    json = "json"


class Detail(StrEnum):
    """GX's result formats."""

    BOOLEAN_ONLY = "BOOLEAN_ONLY"
    BASIC = "BASIC"
    SUMMARY = "SUMMARY"
    COMPLETE = "COMPLETE"


@app.command()
def validate(
    data: Annotated[
        str,
        typer.Argument(
            help="A CSV, Parquet, ORC, JSON, NDJSON or Excel file, a Delta table's folder, or a table in the engine's database."
        ),
    ],
    rules: Annotated[str, typer.Argument(help="A YAML file of rules, or a Great Expectations suite in JSON.")],
    format: Annotated[Format, typer.Option(help="A table for people, or JSON as GX writes it.")] = Format.table,
    as_json: Annotated[bool, typer.Option("--json", help="The same as --format json.")] = False,
    result_format: Annotated[
        Detail, typer.Option(help="How much detail each result has.", case_sensitive=False)
    ] = Detail.SUMMARY,
    engine: Annotated[
        str, typer.Option(help="Which engine judges: polars, duckdb, spark, postgresql, or an address.")
    ] = "polars",
    export_suite: Annotated[
        Path | None,
        typer.Option(help="Also write the rules as a Great Expectations suite in JSON here.", show_default=False),
    ] = None,
) -> None:
    """Judge a file by rules and print the verdict. Exit 1 when a rule fails or a line cannot be parsed."""
    from dq_pipelines.cli.input_file import read_file
    from dq_pipelines.engine.backends.frames import UnreadableLines
    from dq_pipelines.engine.validate import validate as judged

    wanted: ResultFormat = result_format.value
    file = read_file(data)
    with warnings.catch_warnings():  # `read_file` has printed the lines
        warnings.simplefilter("ignore", UnreadableLines)
        verdict = judged(file.data, rules, engine=engine, result_format=wanted)
    if as_json or format is Format.json:
        document = verdict.to_json_dict()
        if file.unreadable:
            document["meta"] = {**document.get("meta", {}), "unreadable_lines": file.unreadable}
        print(json.dumps(document, indent=2, ensure_ascii=False, default=str))
    else:
        _print(verdict, file.unreadable)
    if export_suite is not None:
        _export(verdict, export_suite)
    if not verdict.success or file.unreadable:
        raise typer.Exit(1)


def _export(verdict: Verdict, path: Path) -> None:
    from dq_pipelines.engine.gx.suite import OURS

    suite = verdict.to_gx_suite(path.stem)
    try:
        path.write_text(json.dumps(suite, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    except OSError as error:
        raise ConfigError([Problem(str(path), 0, f"the suite cannot be written: {error.strerror}")]) from None
    for item in suite["meta"].get(OURS, {}).get("not_in_gx", ()):
        print(f"{path}: kept in meta, not among the expectations: {item['why']}", file=sys.stderr)


def _print(verdict: Verdict, unreadable: int) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table("", "rule", "column", "found", box=None, pad_edge=False)
    for result in verdict.results:
        mark = "[green]pass[/]" if result.success else "[red]FAIL[/]"
        table.add_row(mark, escape(result.rule.type), escape(result.rule.column_label or ""), escape(_found(result)))
    console = Console(soft_wrap=True)
    console.print(table)
    for result in verdict.results:
        if result.note is not None:
            console.print(escape(f"{result.rule.type}: {result.note}"))
    counts = verdict.statistics
    last = f"{counts['successful_expectations']} of {counts['evaluated_expectations']} rules passed"
    if unreadable:
        last += f", but {counted(unreadable, 'line')} cannot be read, and no rule has judged them"
    console.print(last)


def _found(result: RuleResult) -> str:
    if result.error is not None:
        return result.error
    if result.unexpected_count is None:
        return f"{result.observed_value}{f', {result.remark}' if result.remark else ''}"
    return f"{result.unexpected_count:,} of {result.element_count:,} rows fail"
