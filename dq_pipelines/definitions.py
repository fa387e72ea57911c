"""The door for Dagster: `dagster dev -m dq_pipelines.definitions`. Nothing happens here but loading the configuration.

A table whose file is not sound is left out, and keeps no other from running.
"""

from dq_pipelines.assembly import build_definitions
from dq_pipelines.config.settings import Settings
from dq_pipelines.project import load_sound_tables

defs = build_definitions(load_sound_tables(Settings.from_environment().config))
