"""Dagster's undocumented parts are what web/dagster_client takes them for. A test that fails here says what a new Dagster has moved.

Look at the release notes, decide who may do what is new, and name it in the table that the test names.
"""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import sqlalchemy as sa
from dagster._core.events import EngineEventData
from dagster._core.remote_representation.external import RemoteJob, RemoteSchedule, RemoteSensor
from dagster._core.storage.runs.sql_run_storage import SqlRunStorage
from dagster._core.workspace.context import BaseWorkspaceRequestContext, WorkspaceRequestContext
from dagster._core.workspace.permissions import Permissions
from dagster._grpc.client import DagsterGrpcClient
from dagster._grpc.constants import GrpcServerCommand
from dagster._grpc.server import open_server_process
from dagster_graphql.schema import create_schema
from dagster_webserver.webserver import DagsterWebserver
from graphql import GraphQLObjectType, GraphQLSchema, GraphQLUnionType, get_named_type
from starlette.routing import Mount, Route, WebSocketRoute

from dq_pipelines.security.roles import Permission
from dq_pipelines.web.dagster_client.host import _cache_column_check
from dq_pipelines.web.dagster_client.mutations import DONE, MUTATIONS
from dq_pipelines.web.dagster_client.permission_fields import BY_THEMSELVES, FIELDS
from dq_pipelines.web.dagster_client.rights import JOBS, OF_ONE_TABLE, RIGHTS, CallersContext
from dq_pipelines.web.dagster_client.route_permissions import ROUTES, needed
from dq_pipelines.web.dagster_client.server import CallersServer, is_known
from dq_pipelines_tests.web.conftest import SALES, build

pytestmark = pytest.mark.slow

#: Dagster's permissions that are the admin's alone, as all are that `RIGHTS` does not name.
_ADMINS = {
    "report_runless_asset_events", "edit_dynamic_partitions", "edit_concurrency_limit", "edit_app_managed_components",
    "refresh_component_state",
}  # fmt: skip
#: Answers of mutations that say that nothing was done.
_NOT_DONE = {
    "InvalidStepError", "InvalidOutputError", "RunConfigValidationInvalid", "PipelineNotFoundError", "RunConflict",
    "UnauthorizedError", "PythonError", "InvalidSubsetError", "PresetNotFoundError", "ConflictingExecutionParamsError",
    "NoModeProvidedError", "ScheduleNotFoundError", "SensorNotFoundError", "TerminateRunFailure", "RunNotFoundError",
    "ReloadNotSupported", "RepositoryLocationNotFound", "AssetNotFoundError", "UnsupportedOperationError",
    "PartitionSetNotFoundError", "PartitionKeysNotFoundError", "DuplicateDynamicPartitionError",
    "AppManagedComponentValidationError", "RefreshComponentStateError",
}  # fmt: skip
#: Fields that tell of permissions without being about one definition.
_OF_ALL = {
    ("Query", "permissions"),
    ("WorkspaceLocationEntry", "permissions"),
    ("WorkspaceLocationStatusEntry", "permissions"),
}


def test_code_servers_are_started_and_called_as_expected() -> None:
    started = set(inspect.signature(open_server_process).parameters)
    assert {"instance_ref", "port", "socket", "server_command", "heartbeat", "heartbeat_timeout"} <= started
    assert [*GrpcServerCommand.CODE_SERVER_START.server_command] == ["code-server", "start"]
    assert [*GrpcServerCommand.API_GRPC.server_command][:2] == ["api", "grpc"]
    client = DagsterGrpcClient(socket="/nowhere.sock")
    assert "timeout" in inspect.signature(client.get_server_id).parameters
    assert "timeout" in inspect.signature(client.reload_code).parameters
    assert [*inspect.signature(client._get_response).parameters] == ["method", "request", "timeout"]
    assert EngineEventData.in_process(7).metadata["pid"].value == "7"


@pytest.fixture(scope="module")
def schema() -> GraphQLSchema:
    found: GraphQLSchema = create_schema().graphql_schema
    return found


def test_each_permission_of_dagster_has_one_of_ours() -> None:
    assert {str(one) for one in Permissions} == {str(name) for name in RIGHTS} | _ADMINS


def test_a_hosted_instance_checks_its_columns_only_once(tmp_path: Path) -> None:
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        storage = instance.run_storage
        assert isinstance(storage, SqlRunStorage)
        assert storage.has_run_stats_index_cols()
        _cache_column_check(instance)
        asked: list[str] = []

        def hear(*told: Any) -> None:
            asked.append(told[2])

        sa.event.listen(sa.Engine, "before_cursor_execute", hear)
        try:
            instance.get_run_records(limit=1)
        finally:
            sa.event.remove(sa.Engine, "before_cursor_execute", hear)
    assert len([one for one in asked if "run_body" in one]) == 1, asked
    assert not [one for one in asked if "table_xinfo" in one or "table_info" in one], asked


def test_each_mutation_is_in_our_table(schema: GraphQLSchema) -> None:
    assert schema.mutation_type is not None
    assert set(schema.mutation_type.fields) == set(MUTATIONS)
    assert all(mutation.needs for mutation in MUTATIONS.values())


def test_each_answer_type_of_a_mutation_is_known_as_success_or_failure(schema: GraphQLSchema) -> None:
    assert schema.mutation_type is not None
    found = set()
    for field in schema.mutation_type.fields.values():
        kind = get_named_type(field.type)
        found |= {one.name for one in kind.types} if isinstance(kind, GraphQLUnionType) else {kind.name}
    assert found == DONE | _NOT_DONE
    assert not DONE & _NOT_DONE


def test_each_permission_field_is_known(schema: GraphQLSchema) -> None:
    found = {
        (kind.name, name)
        for kind in schema.type_map.values()
        if isinstance(kind, GraphQLObjectType)
        for name in kind.fields
        if name.endswith(("Permission", "Permissions", "permissions"))
    }
    assert found == set(FIELDS) | BY_THEMSELVES | _OF_ALL


def test_subscriptions_only_read(schema: GraphQLSchema) -> None:
    assert schema.subscription_type is not None
    assert set(schema.subscription_type.fields) == {"pipelineRunLogs", "capturedLogs", "locationStateChangeEvents"}


def test_a_context_has_the_same_parts_and_permission_checks() -> None:
    assert list(inspect.signature(WorkspaceRequestContext.__init__).parameters) == [
        "self", "instance", "current_workspace", "process_context", "version", "source", "read_only", "read_only_locations",
    ]  # fmt: skip
    asked = [name for name in dir(BaseWorkspaceRequestContext) if "permission" in name or name.endswith("_tags")]
    assert asked == [
        "get_partition_tags", "get_reporting_user_tags", "get_viewer_tags", "has_permission",
        "has_permission_for_location", "has_permission_for_owners", "has_permission_for_selector", "permissions",
        "permissions_for_location", "permissions_for_owner", "viewer_has_any_owner_definition_permissions",
        "was_permission_checked",
    ]  # fmt: skip
    ours = {name for name in vars(CallersContext) if not name.startswith("_")}
    answered = {"permissions", "permissions_for_location", "permissions_for_owner", "has_permission"}
    answered |= {"has_permission_for_location", "has_permission_for_selector", "show_instance_config"}
    assert answered <= ours
    for name in answered:
        assert hasattr(WorkspaceRequestContext, name), name
    for kind in (RemoteSchedule, RemoteSensor):
        assert {"asset_selection", "selector_id", "get_remote_origin_id"} <= set(dir(kind))
    assert {"handle", "asset_selection"} <= set(dir(RemoteJob))


def test_each_route_of_dagster_is_named_or_a_file() -> None:
    routes = DagsterWebserver.build_routes(object.__new__(_Routes))  # type: ignore[no-untyped-call]
    paths = {route.path for route in routes if isinstance(route, Route | WebSocketRoute) and route.path in ROUTES}
    assert paths == set(ROUTES)
    strange = [getattr(route, "path", route) for route in routes if not is_known(route)]
    assert strange == []
    files = [route for route in routes if isinstance(route, Mount)]
    assert files
    assert all((route.name or "").endswith("_static") for route in files)


class _Routes(CallersServer):
    _app_path_prefix = ""


@pytest.mark.parametrize(
    ("path", "permission"),
    [
        ("/", Permission.LOOK),
        ("/assets/silver/sales", Permission.LOOK),
        ("/logs/a/compute_logs/b.err", Permission.LOOK),
        ("/notebook", Permission.ADMIN),
        ("/dagit/notebook", Permission.ADMIN),
        ("/report_asset_materialization/silver/sales", Permission.ADMIN),
        ("/report_asset_check/", Permission.ADMIN),
    ],
)
def test_the_permission_of_each_route(path: str, permission: Permission) -> None:
    assert needed(path) is permission


def test_each_job_that_materializes_nothing_has_a_permission(tmp_path: Path) -> None:
    shop = build(tmp_path)
    (tmp_path / "assets_config" / "project.yaml").write_text(
        "run_history: {keep: 90d, per_job: 1, schedule: '0 5 * * *'}\n"
    )
    more = "retention: {keep: 730d, by: id}\nsilver:\n  anomalies: [{metric: row_count}]\n"
    shop.table("sales", SALES.replace("silver:\n", more).replace("id: int64", "id: datetime"))
    found = {job.name for job in shop.definitions.resolve_all_job_defs() if not job.asset_layer.executable_asset_keys}
    assert {name for name in found if not name.startswith("checks__")} == {*JOBS, "upkeep"}
    assert set(JOBS) >= OF_ONE_TABLE
