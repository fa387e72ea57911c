"""Defines asset jobs that resolve within the graph of their own tables.

Dagster resolves a job by loops over every asset and check of the code location. A project of a thousand tables has more than
a thousand jobs, so the loading time would grow with the square of the number of tables.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Self

import dagster as dg
from dagster._core.definitions.asset_selection import (
    AssetCheckKeysSelection,
    AssetChecksForAssetKeysSelection,
    KeysAssetSelection,
)
from dagster._core.definitions.assets.graph.asset_graph import AssetGraph
from dagster._core.definitions.target import ANONYMOUS_ASSET_JOB_PREFIX
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

from dq_pipelines.orchestration.checks.rule_checks import asset_key
from dq_pipelines.project import Table


def assets_of(*tables: Table) -> dg.AssetSelection:
    """Selects all assets of these tables, with their checks."""
    return dg.AssetSelection.assets(*(asset_key(key) for table in tables for key in table.assets))


class AssetJob(UnresolvedAssetJobDefinition):
    """The job that `dg.define_asset_job` gives for a selection of named assets or checks."""

    def __new__(
        cls, name: str, selection: dg.AssetSelection, *, tags: Mapping[str, str] | None = None, **more: Any
    ) -> Self:
        # No tags are {} to `define_asset_job`, and None to this class.
        job: Self = super().__new__(cls, name=name, selection=selection, tags=dict(tags or {}), **more)
        return job

    @classmethod
    def of_automation(cls, name: str, table: Table) -> AssetJob:
        """Returns the job that Dagster would make for a sensor or schedule of this name with the table's assets as its target."""
        return cls(f"{ANONYMOUS_ASSET_JOB_PREFIX}_{name}", assets_of(table))

    def resolve(
        self,
        asset_graph: AssetGraph,
        default_executor_def: dg.ExecutorDefinition | None = None,
        resource_defs: Mapping[str, dg.ResourceDefinition] | None = None,
    ) -> dg.JobDefinition:
        """Returns the job. Raises DagsterInvalidSubsetError for a selected asset or check that nothing defines."""
        keys = _named(self.selection)
        graph = asset_graph if keys is None else _around(asset_graph, keys)
        return super().resolve(graph, default_executor_def, resource_defs)


def _named(selection: dg.AssetSelection) -> Iterable[dg.AssetKey] | None:
    """The assets that a selection names, itself or by their checks; None for a selection of another kind."""
    match selection:
        case KeysAssetSelection():
            return selection.selected_keys
        case AssetChecksForAssetKeysSelection():
            return selection.selected_asset_keys
        case AssetCheckKeysSelection():
            return {key.asset_key for key in selection.selected_asset_check_keys}
    return None


def _around(graph: AssetGraph, keys: Iterable[dg.AssetKey]) -> AssetGraph:
    """The part of a graph that a job of these assets needs: their definitions, those of their checks, and what they read."""
    # A dict, since the order of definitions decides the order of a job's steps.
    own = dict.fromkeys(
        definition
        for key in keys
        if graph.has(key)
        for definition in graph.assets_defs_for_keys([key, *graph.get(key).check_keys])
    )
    read = {
        key for one in own for key in (*one.node_keys_by_input_name.values(), *one.node_keys_by_output_name.values())
    }
    definitions = own | dict.fromkeys(graph.assets_def_for_key(key) for key in read if graph.has(key))
    assets = {key: graph.get(key) for one in definitions for key in one.keys}
    checks = {key: one for one in definitions for key in one.check_keys}
    return AssetGraph(assets, checks)
