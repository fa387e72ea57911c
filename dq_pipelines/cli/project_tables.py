"""Loads the project and finds the tables that a command names: `sales` or `silver/sales`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from dq_pipelines.config.settings import Settings
from dq_pipelines.errors import ConfigError, Problem, nearest

if TYPE_CHECKING:
    from dq_pipelines.project import Project, Table


def sound_project() -> Project:
    """The project of `DQ_CONFIG`, without the tables whose files have mistakes; these are printed on stderr."""
    from dq_pipelines.project import load_sound_tables

    project = load_sound_tables(Settings.from_environment().config)
    for table in project.left_out:
        print(f"left out: {table.why}", file=sys.stderr)
    return project


def named_tables(project: Project, names: Sequence[str], verb: str) -> list[Table]:
    """The tables of these names, in their order.

    Raises ConfigError for each name that is unknown (with the nearest) or left out.
    """
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
