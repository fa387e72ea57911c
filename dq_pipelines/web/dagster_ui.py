"""Dagster's own web server and GraphQL, with each caller's rights. Dagster's undocumented parts are leaned on here alone.

What they are, and that they still are what this file takes them for, is held by dq_pipelines_tests/web/test_dagster_ui.py.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from inspect import isawaitable
from pathlib import Path
from typing import Any

import dagster as dg
from dagster._core.workspace.context import WorkspaceProcessContext, WorkspaceRequestContext
from dagster._core.workspace.load_target import ModuleTarget, WorkspaceFileTarget, WorkspaceLoadTarget
from dagster._core.workspace.permissions import LOCATION_SCOPED_PERMISSIONS, PermissionResult, Permissions
from dagster_webserver.version import __version__
from dagster_webserver.webserver import DagsterWebserver
from graphql import GraphQLSchema, execute, parse, validate
from starlette.applications import Starlette
from starlette.requests import HTTPConnection

from dq_pipelines.errors import DqError
from dq_pipelines.security.roles import Grant, Permission, Role, may, why_not
from dq_pipelines.security.users import User
from dq_pipelines.web.access import Caller, caller_of

#: What somebody must be allowed here to be allowed that there; what is not named is the admin's.
RIGHTS: Mapping[str, Permission] = {
    Permissions.LAUNCH_PIPELINE_EXECUTION: Permission.RUN,
    Permissions.LAUNCH_PIPELINE_REEXECUTION: Permission.RUN,
    Permissions.LAUNCH_PARTITION_BACKFILL: Permission.RUN,
    Permissions.TERMINATE_PIPELINE_EXECUTION: Permission.CANCEL,
    Permissions.CANCEL_PARTITION_BACKFILL: Permission.CANCEL,
    Permissions.START_SCHEDULE: Permission.SCHEDULE,
    Permissions.STOP_RUNNING_SCHEDULE: Permission.SCHEDULE,
    Permissions.SCHEDULE_DRY_RUN: Permission.SCHEDULE,
    Permissions.EDIT_SENSOR: Permission.SCHEDULE,
    Permissions.SENSOR_DRY_RUN: Permission.SCHEDULE,
    Permissions.UPDATE_SENSOR_CURSOR: Permission.SCHEDULE,
    Permissions.TOGGLE_AUTO_MATERIALIZE: Permission.SCHEDULE,
    Permissions.RELOAD_REPOSITORY_LOCATION: Permission.EDIT,
    Permissions.RELOAD_WORKSPACE: Permission.EDIT,
    Permissions.DELETE_PIPELINE_RUN: Permission.ERASE,
    Permissions.WIPE_ASSETS: Permission.ERASE,
}

#: Who asks where nobody can log in yet: on this machine alone, and to look.
LOCAL = Caller(User("", frozenset({Grant(Role.VIEWER)})))


class DagsterError(DqError):
    """Dagster refused what was asked of it, or could not do it."""


class CallersContext(WorkspaceRequestContext):
    """What Dagster knows of one request: the workspace, and what its caller may do."""

    caller: Caller

    @property
    def permissions(self) -> Mapping[str, PermissionResult]:
        return self._rights(list(Permissions))

    def permissions_for_location(self, *, location_name: str) -> Mapping[str, PermissionResult]:
        return self._rights(LOCATION_SCOPED_PERMISSIONS)

    def permissions_for_owner(self, *, owner: str) -> Mapping[str, PermissionResult]:
        return self._rights(LOCATION_SCOPED_PERMISSIONS, owners=[owner])

    def viewer_has_any_owner_definition_permissions(self) -> bool:
        return any(grant.scope for grant in self.caller.user.grants)

    def get_viewer_tags(self) -> dict[str, str]:
        return {"dq/user": self.caller.user.name} if self.caller.user.name else {}

    def get_reporting_user_tags(self) -> dict[str, str]:
        return self.get_viewer_tags()

    def _rights(self, names: Any, owners: Any = ()) -> dict[str, PermissionResult]:
        grants = self.caller.user.grants
        found = {}
        for name in names:
            wanted = RIGHTS.get(name, Permission.ADMIN)
            allowed = may(grants, wanted, owners=owners)
            found[name] = PermissionResult(allowed, None if allowed else why_not(grants, wanted))
        return found


class CallersProcess(WorkspaceProcessContext):
    """The workspace of this process, as each caller may use it."""

    def create_request_context(self, source: object | None = None) -> CallersContext:
        asking = source if isinstance(source, Caller) else None
        if asking is None and isinstance(source, HTTPConnection):
            asking = caller_of(source.scope)
        context = CallersContext(
            instance=self.instance,
            current_workspace=self.get_current_workspace(),
            process_context=self,
            version=self.version,
            source=source,
            read_only=False,
        )
        context.caller = asking or LOCAL
        return context


class CallersServer(DagsterWebserver[CallersProcess, CallersContext]):
    """Dagster's web server; its GraphQL is that of `schema`."""

    @property
    def schema(self) -> GraphQLSchema:
        found: GraphQLSchema = self._graphene_schema.graphql_schema
        return found


class DagsterHost:
    """Dagster in this process: its UI to mount, its records to read, and its GraphQL to ask in a caller's name."""

    def __init__(self, process: CallersProcess) -> None:
        self.process = process
        self.server = CallersServer(process, "", live_data_poll_rate=2000)
        self.app: Starlette = self.server.create_asgi_app()

    @property
    def instance(self) -> dg.DagsterInstance:
        """Dagster's records of runs and events."""
        return self.process.instance

    def ask(self, caller: Caller | None, query: str, variables: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """What Dagster's GraphQL answers this caller; raises DagsterError where it answers with an error.

        Blocks: call it from a thread. The answer's own unions (`__typename`: PythonError, UnauthorizedError, …) are the asker's
        to read.
        """
        document = parse(query)
        wrong = validate(self.server.schema, document)

        async def run() -> Any:
            with self.process.create_request_context(caller or LOCAL) as context:
                found = execute(
                    self.server.schema, document, context_value=context, variable_values=dict(variables or {})
                )
                return await found if isawaitable(found) else found

        found = asyncio.run(run()) if not wrong else None
        errors = wrong or (found.errors if found is not None else None)
        if errors or found is None:
            raise DagsterError(f"Dagster: {errors[0].message if errors else 'no answer'}")
        return dict(found.data)


@contextmanager
def hosted(instance: dg.DagsterInstance, workspace: Path | None) -> Iterator[DagsterHost]:
    """Dagster with the code locations of this workspace file, or with this project's where there is None."""
    target: WorkspaceLoadTarget
    if workspace is not None:
        target = WorkspaceFileTarget([str(workspace)])
    else:
        target = ModuleTarget("dq_pipelines.definitions", None, str(Path.cwd()), "dq_pipelines")
    instance.optimize_for_webserver(15_000, -1, 20)
    with CallersProcess(instance, target, version=__version__, code_server_log_level="warning") as process:
        yield DagsterHost(process)
