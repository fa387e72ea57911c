"""`dq check`: is everything under `assets_config/` as it should be? Reads the project's files and looks at paths, not into data."""

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
    """Say everything that is wrong with a project's files, each with file and line. Exit 1 when something is.

    It also tries the days in paths (`partitions.in_path`) on the files that lie at the sources on this machine, and warns.
    """
    begun = time.perf_counter()
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
    seconds = time.perf_counter() - begun
    if as_json:
        found = [asdict(problem) for problem in problems]
        told = {"tables": tables, "rules": rules, "seconds": round(seconds, 3), "problems": found, "blocked": blocked}
        print(json.dumps(told | {"warnings": [asdict(warning) for warning in warnings]}))
    else:
        for problem in problems:
            print(problem)
        for warning in warnings:
            print(f"warning: {warning}")
        for sentence in blocked:
            print(sentence)
        what = (
            counted(len(problems), "problem") if problems else f"{counted(tables, 'table')}, {counted(rules, 'rule')}"
        )
        print(f"{what} in {seconds:.2f} s")
    if problems:
        raise typer.Exit(1)


def _blocked(path: str | None) -> list[str]:
    """A sentence for each table that is sound by itself, and reads one that is not; none where no table can run at all."""
    from dq_pipelines.project import load_sound_tables

    try:
        project = load_sound_tables(path or Settings.from_environment().config)
    except ConfigError:
        return []
    return [one.why for one in project.left_out if not one.problems]
