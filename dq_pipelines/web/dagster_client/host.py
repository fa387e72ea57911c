"""Hosts Dagster in this process: its UI, its records, and GraphQL queries in a caller's name."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from inspect import isawaitable
from pathlib import Path
from typing import Any

import dagster as dg
from dagster._core.storage.runs.sql_run_storage import SqlRunStorage
from dagster_webserver.version import __version__
from graphql import execute, parse, validate
from starlette.types import ASGIApp

from dq_pipelines.orchestration.steps.attempts import run_end
from dq_pipelines.pipeline.runtime.dead_attempts import RunEnd
from dq_pipelines.web.auth.access import LOCAL, Caller
from dq_pipelines.web.dagster_client.code_servers import target_of
from dq_pipelines.web.dagster_client.errors import DagsterError
from dq_pipelines.web.dagster_client.rights import AccessContext, CallersProcess
from dq_pipelines.web.dagster_client.route_permissions import RoutePermissions
from dq_pipelines.web.dagster_client.server import CallersServer
from dq_pipelines.web.dagster_client.supervision import ProcessFailure


class DagsterHost:
    """Dagster in this process: its UI to mount, its records to read, and its GraphQL to query in a caller's name."""

    def __init__(self, process: CallersProcess) -> None:
        self.process = process
        self.server = CallersServer(process, "", live_data_poll_rate=2000)
        self.app: ASGIApp = RoutePermissions(self.server.create_asgi_app(), process.access.log)
        #: failures of the daemon (`daemon`) and of the code servers (by location) that this gateway supervises
        self.supervised: Mapping[str, ProcessFailure] = {}

    @property
    def instance(self) -> dg.DagsterInstance:
        """Dagster's records of runs and events."""
        return self.process.instance

    def end_of(self, run_id: str) -> RunEnd:
        """How an unsuccessful run ended."""
        return run_end(self.instance)(run_id)

    def ask(self, caller: Caller | None, query: str, variables: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """The answer of Dagster's GraphQL to this caller. Raises DagsterError if it answers with an error.

        Blocks: call it from a thread. Callers handle the error types in the answer itself (`__typename`: PythonError,
        UnauthorizedError, …).
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
def hosted(instance: dg.DagsterInstance, workspace: Path | None, access: AccessContext) -> Iterator[DagsterHost]:
    """Host Dagster with the code locations of this workspace file; None for this project."""
    instance.optimize_for_webserver(15_000, -1, 20)
    _cache_column_check(instance)
    with CallersProcess(
        instance, target_of(workspace), version=__version__, code_server_log_level="warning"
    ) as process:
        process.access = access
        yield DagsterHost(process)


def _cache_column_check(instance: dg.DagsterInstance) -> None:
    """Check only once whether the table of runs has its newer columns, which no migration removes.

    Dagster queries the database's catalog at each list of runs: in PostgreSQL a fifth of the list's time.
    """
    storage = instance.run_storage
    if isinstance(storage, SqlRunStorage) and storage.has_run_stats_index_cols():
        storage.has_run_stats_index_cols = lambda: True  # type: ignore[method-assign]
