"""Names of the schedule and the sensor of a table, in Dagster."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from dq_pipelines.project.model import Project, Table
from dq_pipelines.project.tables import LandedTable

Kind = Literal["schedule", "sensor"]
_ENDINGS = ("_schedule", "_arrivals")


def schedule_name(table: str) -> str:
    return f"{table}_schedule"


def arrivals_name(table: str) -> str:
    return f"{table}_arrivals"


def automations_of(table: Table) -> Mapping[str, Kind]:
    """The schedule and the sensor that a table has, by name."""
    found: dict[str, Kind] = {}
    if table.model.schedule is not None:
        found[schedule_name(table.name)] = "schedule"
    if isinstance(table.model, LandedTable) and table.model.on_arrival:
        found[arrivals_name(table.name)] = "sensor"
    return found


def table_of(name: str, project: Project) -> str | None:
    """The table that this schedule or sensor runs; None for one of the whole project."""
    for ending in _ENDINGS:
        table = project.tables.get(name.removesuffix(ending)) if name.endswith(ending) else None
        if table is not None and name in automations_of(table):
            return table.name
    return None
