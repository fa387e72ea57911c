"""A project: everything under `assets_config/`, loaded and checked as one immutable value.

`tables` says what a file may say, `model` what a project is, `loading` how it comes to be, `references`
what must hold between files.
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
