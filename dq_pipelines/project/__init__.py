"""A project: everything under `assets_config/`, loaded and checked as one immutable value.

`tables` has the models of the files, `model` the loaded project, `loading` reads it, and `references` checks
what one file says of another.
"""

from dq_pipelines.project.lifecycle import Retention, RunHistory
from dq_pipelines.project.loading import load_project, load_sound_tables
from dq_pipelines.project.model import LeftOut, Project, Table
from dq_pipelines.project.runtime_settings import Metrics, OpenLineage, Retries
from dq_pipelines.project.tables import (
    Column,
    DailyPartitions,
    DynamicPartitions,
    Gold,
    GoldTable,
    LandedTable,
    Partitions,
    ProjectSettings,
    Silver,
)

__all__ = [
    "Column",
    "DailyPartitions",
    "DynamicPartitions",
    "Gold",
    "GoldTable",
    "LandedTable",
    "LeftOut",
    "Metrics",
    "OpenLineage",
    "Partitions",
    "Project",
    "ProjectSettings",
    "Retention",
    "Retries",
    "RunHistory",
    "Silver",
    "Table",
    "load_project",
    "load_sound_tables",
]
