"""Resolves the GraphQL fields that enable buttons in Dagster's UI, by the tables of each definition.

Dagster resolves them by a definition's owners only. Here domains count too, and jobs that are no materialization.
"""
# ruff: noqa: SLF001 - nodes keep their definition in private attributes

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from dagster import AssetKey
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.definitions.selector import JobSelector, ScheduleSelector, SensorSelector
from dagster._core.remote_representation.code_location import is_implicit_asset_job_name
from dagster._core.workspace.permissions import Permissions
from graphql import GraphQLResolveInfo, GraphQLSchema

from dq_pipelines.web.dagster_client.errors import object_type
from dq_pipelines.web.dagster_client.rights import Selector

#: From a node, the definition and the permission to check; None if Dagster's own resolver answers.
Asked = Callable[[Any], tuple[Selector, str] | None]


def _asset(permission: str) -> Asked:
    return lambda root: (root._remote_node.key, permission)


def _job(permission: str) -> Asked:
    def asked(root: Any) -> tuple[Selector, str] | None:
        handle = root._remote_job.handle
        if is_implicit_asset_job_name(handle.job_name):
            return None  # its tables depend on the selection
        return JobSelector(handle.location_name, handle.repository_name, handle.job_name), permission

    return asked


def _instigator(of_schedule: str, of_sensor: str) -> Asked:
    def asked(root: Any) -> tuple[Selector, str]:
        state = root._instigator_state
        if state.instigator_type == InstigatorType.SCHEDULE:
            return ScheduleSelector.from_instigator_selector(state.selector), of_schedule
        return SensorSelector.from_instigator_selector(state.selector), of_sensor

    return asked


_OF_ASSETS: Mapping[str, str] = {
    "hasMaterializePermission": Permissions.LAUNCH_PIPELINE_EXECUTION,
    "hasWipePermission": Permissions.WIPE_ASSETS,
    "hasReportRunlessAssetEventPermission": Permissions.REPORT_RUNLESS_ASSET_EVENTS,
}

#: By GraphQL type and field.
FIELDS: Mapping[tuple[str, str], Asked] = {
    **{("AssetNode", field): _asset(permission) for field, permission in _OF_ASSETS.items()},
    **{
        (kind, field): _job(permission)
        for kind in ("Pipeline", "Job")
        for field, permission in (
            ("hasLaunchExecutionPermission", Permissions.LAUNCH_PIPELINE_EXECUTION),
            ("hasLaunchReexecutionPermission", Permissions.LAUNCH_PIPELINE_REEXECUTION),
        )
    },
    ("InstigationState", "hasStartPermission"): _instigator(Permissions.START_SCHEDULE, Permissions.EDIT_SENSOR),
    ("InstigationState", "hasStopPermission"): _instigator(Permissions.STOP_RUNNING_SCHEDULE, Permissions.EDIT_SENSOR),
    ("Sensor", "hasCursorUpdatePermissions"): lambda root: (
        root._remote_sensor.sensor_selector,
        Permissions.UPDATE_SENSOR_CURSOR,
    ),
}

#: Fields whose own resolvers ask the context about a definition, or about each asset of a run or a backfill.
BY_THEMSELVES = frozenset({
    ("Run", "hasReExecutePermission"), ("Run", "hasTerminatePermission"), ("Run", "hasDeletePermission"),
    ("PartitionSet", "hasLaunchBackfillPermission"), ("PartitionSet", "hasCancelBackfillPermission"),
    ("PartitionBackfill", "hasCancelPermission"), ("PartitionBackfill", "hasResumePermission"),
})  # fmt: skip


def answer_by_tables(schema: GraphQLSchema) -> None:
    """Make these fields of the schema resolve by the tables of their node."""
    for (kind, name), asked in FIELDS.items():
        field = object_type(schema, kind).fields[name]
        field.resolve = _by_tables(asked, field.resolve)
    manifest = object_type(schema, "Repository").fields["assetManifest"]
    manifest.resolve = _each_of_manifest(manifest.resolve)


def _by_tables(asked: Asked, before: Any) -> Callable[..., Any]:
    def resolve(root: Any, info: GraphQLResolveInfo, **arguments: Any) -> Any:
        question = asked(root)
        if question is None:
            return before(root, info, **arguments)
        selector, permission = question
        return info.context.has_permission_for_selector(permission, selector)

    return resolve


def _each_of_manifest(before: Any) -> Callable[..., Any]:
    """The manifest of all assets is built without resolvers, so its fields are set here."""

    def resolve(root: Any, info: GraphQLResolveInfo, **arguments: Any) -> Any:
        nodes = before(root, info, **arguments)
        for node in nodes:
            key = AssetKey(node["assetKey"]["path"])
            for name, permission in _OF_ASSETS.items():
                node[name] = info.context.has_permission_for_selector(permission, key)
        return nodes

    return resolve
