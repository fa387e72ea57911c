"""The door for Dagster: `dagster dev -m dq_pipelines.definitions`. Nothing happens here but loading the configuration."""

from dq_pipelines.assembly import build_definitions
from dq_pipelines.config.settings import Settings
from dq_pipelines.project import load_project

defs = build_definitions(load_project(Settings.from_environment().config))
