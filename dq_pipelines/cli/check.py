"""`dq check`: validates the project's files under `assets_config/`. Looks at paths, and reads no data."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated

import typer

from dq_pipelines.config.counting import counted
from dq_pipelines.config.settings import Settings
from dq_pipelines.errors import ConfigError, Problem

app = typer.Typer()


@app.command()
def check(
    path: Annotated[
        str | None, typer.Argument(help="The project's folder; DQ_CONFIG, else assets_config.", show_default=False)
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object, for programs.")] = False,
) -> None:
    """Print all mistakes in a project's files, each with file and line. Exit 1 when there are any.

    It also warns where a path of a local source does not match the day pattern (`partitions.in_path`).
    """
    started = time.perf_counter()
    from dq_pipelines.project import load_project
    from dq_pipelines.project.days_in_paths import paths_without_a_day

    problems: Sequence[Problem] = ()
    warnings: Sequence[Problem] = ()
    blocked: list[str] = []
    tables = rules = 0
    try:
        project = load_project(path or Settings.from_environment().config)
        warnings = paths_without_a_day(project)
        tables, rules = len(project), sum(len(table.rules) for table in project)
    except ConfigError as error:
        problems = error.problems
        blocked = _blocked(path)
    seconds = time.perf_counter() - started
    if as_json:
        counts = {"tables": tables, "rules": rules, "seconds": round(seconds, 3)}
        mistakes = {"problems": [asdict(problem) for problem in problems], "blocked": blocked}
        print(json.dumps(counts | mistakes | {"warnings": [asdict(warning) for warning in warnings]}))
    else:
        for problem in problems:
            print(problem)
        for warning in warnings:
            print(f"warning: {warning}")
        for sentence in blocked:
            print(sentence)
        summary = (
            counted(len(problems), "problem") if problems else f"{counted(tables, 'table')}, {counted(rules, 'rule')}"
        )
        print(f"{summary} in {seconds:.2f} s")
    if problems:
        raise typer.Exit(1)


def _blocked(path: str | None) -> list[str]:
    """A sentence for each correct table that reads a table with mistakes; none when no table can run at all."""
    from dq_pipelines.project import load_sound_tables

    try:
        project = load_sound_tables(path or Settings.from_environment().config)
    except ConfigError:
        return []
    return [table.why for table in project.left_out if not table.problems]
