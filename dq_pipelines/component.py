"""Defines a Dagster component that adds an `assets_config/` to another Dagster project."""

# No `from __future__ import annotations` here: Dagster does not resolve string annotations of fields.
from pathlib import Path

import dagster as dg

from dq_pipelines.assembly import build_definitions
from dq_pipelines.project import load_sound_tables


class AssetsConfigComponent(dg.Component, dg.Model, dg.Resolvable):
    """Every table under `path` as assets, checks, schedules and sensors."""

    #: the folder, absolute or relative to the component's own folder or to the working directory
    path: str = "assets_config"

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:
        relative = Path(context.path) / self.path
        return build_definitions(load_sound_tables(relative if relative.is_dir() else Path(self.path)), executor=None)
