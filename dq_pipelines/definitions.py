"""Dagster's entry point: `dagster dev -m dq_pipelines.definitions`. It only loads the configuration.

A table with an invalid file is left out, and the others run.
"""

from dq_pipelines.assembly import build_definitions
from dq_pipelines.config.settings import Settings
from dq_pipelines.project import load_sound_tables

defs = build_definitions(load_sound_tables(Settings.from_environment().config))
