"""What verbs that change tables ask of a person: which tables (`sales` or `silver/sales`), and whether to go on."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import typer

from dq_pipelines.config.settings import Settings
from dq_pipelines.errors import ConfigError, Problem, nearest

if TYPE_CHECKING:
    from dq_pipelines.project import Project, Table


def sound_project() -> Project:
    """The project that `DQ_CONFIG` names; tables that are left out, since their files are not sound, are said on stderr."""
    from dq_pipelines.project import load_sound_tables

    project = load_sound_tables(Settings.from_environment().config)
    for one in project.left_out:
        print(f"left out: {one.why}", file=sys.stderr)
    return project


def named_tables(project: Project, names: Sequence[str], verb: str) -> list[Table]:
    """The tables of these names, in their order; raises ConfigError for each that is none, with the nearest, or left out."""
    found, problems = [], []
    for name in dict.fromkeys(names):
        bare = name.rpartition("/")[2]
        table = project.tables.get(bare)
        left_out = next((one for one in project.left_out if one.key and one.name == bare), None)
        if left_out is not None:
            problems.append(Problem("", 0, f"dq {verb}: {bare} is left out: {left_out.why}"))
        elif table is None or name not in (bare, *table.assets):
            near = nearest(bare, project.tables) if table is None else f" (nearest: {table.key})"
            problems.append(Problem("", 0, f"dq {verb}: unknown table '{name}'{near}"))
        else:
            found.append(table)
    if problems:
        raise ConfigError(problems)
    return found


def agreed(*, yes: bool) -> bool:
    """Whether a person agrees; where nobody sits at a terminal, who gave the command has."""
    return yes or not sys.stdin.isatty() or typer.confirm("Go on?", err=True)
