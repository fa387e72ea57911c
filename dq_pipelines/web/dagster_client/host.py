"""Dagster in this process: opened, hosted, and asked in somebody's name. What callers may do there belongs in `rights`."""

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
from dq_pipelines.web.auth.access import Caller
from dq_pipelines.web.dagster_client.code_servers import target_of
from dq_pipelines.web.dagster_client.errors import DagsterError
from dq_pipelines.web.dagster_client.rights import LOCAL, AccessContext, CallersProcess
from dq_pipelines.web.dagster_client.route_permissions import RoutePermissions
from dq_pipelines.web.dagster_client.server import CallersServer
from dq_pipelines.web.dagster_client.supervision import ProcessFailure


class DagsterHost:
    """Dagster in this process: its UI to mount, its records to read, and its GraphQL to ask in a caller's name."""

    def __init__(self, process: CallersProcess) -> None:
        self.process = process
        self.server = CallersServer(process, "", live_data_poll_rate=2000)
        self.app: ASGIApp = RoutePermissions(self.server.create_asgi_app(), process.books.log)
        #: what is wrong with the daemon (`daemon`) and the code servers (by location) that this gateway keeps running
        self.supervised: Mapping[str, ProcessFailure] = {}

    @property
    def instance(self) -> dg.DagsterInstance:
        """Dagster's records of runs and events."""
        return self.process.instance

    def end_of(self, run_id: str) -> RunEnd:
        """How a run ended that ended without success."""
        return run_end(self.instance)(run_id)

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
def hosted(instance: dg.DagsterInstance, workspace: Path | None, books: AccessContext) -> Iterator[DagsterHost]:
    """Dagster with the code locations of this workspace file, or with this project's where there is None."""
    instance.optimize_for_webserver(15_000, -1, 20)
    _know_columns(instance)
    with CallersProcess(
        instance, target_of(workspace), version=__version__, code_server_log_level="warning"
    ) as process:
        process.books = books
        yield DagsterHost(process)


def _know_columns(instance: dg.DagsterInstance) -> None:
    """Look once whether the table of runs has its newer columns, which no migration takes away.

    Dagster asks the database's catalog at each list of runs: in PostgreSQL a fifth of the time that the list takes.
    """
    storage = instance.run_storage
    if isinstance(storage, SqlRunStorage) and storage.has_run_stats_index_cols():
        storage.has_run_stats_index_cols = lambda: True  # type: ignore[method-assign]
