"""Dagster hosted in this process for a workshop's project, with a real code server, real runs and real users."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any
from unittest import mock

import dagster as dg
import uvicorn
from starlette.testclient import TestClient

from dq_pipelines.security.audit import AuditLog, Event
from dq_pipelines.security.roles import Grant
from dq_pipelines.security.users import Users
from dq_pipelines.web.app import application
from dq_pipelines.web.dagster_client import AccessContext, DagsterHost, hosted
from dq_pipelines.web.serving import config_of
from dq_pipelines_tests.web.conftest import site_of
from dq_pipelines_tests.web.served import environment
from dq_pipelines_tests.workshop import Workshop

PASSWORD = "correct horse battery"


@dataclass
class Hosted:
    """A project, Dagster over it, and whoever asks."""

    shop: Workshop
    host: DagsterHost
    _clients: dict[str, TestClient] = field(default_factory=dict)

    def client(self) -> TestClient:
        """Somebody who is not logged in; from this machine as long as there are no users."""
        return TestClient(application(site_of(self.shop), self.host), base_url="http://localhost:3001")

    def as_user(self, name: str) -> TestClient:
        """A browser in which this user has logged in."""
        client = self.client()
        form = {"name": name, "password": PASSWORD, "next": "/"}
        answer = client.post("/login", data=form, headers=OWN, follow_redirects=False)
        assert answer.status_code == 303, answer.text
        client.headers.update(OWN)
        return client

    def browser(self, name: str) -> TestClient:
        """The same browser each time: to log in takes a while, and few may within a minute."""
        if name not in self._clients:
            self._clients[name] = self.as_user(name)
        return self._clients[name]

    def asked(self, name: str, query: str, variables: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """What Dagster's GraphQL answers this user's browser: `data`, or `errors`."""
        answer = self.browser(name).post("/graphql", json={"query": query, "variables": variables})
        found: dict[str, Any] = answer.json()
        return found

    def heard(self, what: str) -> list[Event]:
        """What the audit log has of this kind, the newest first."""
        found = [event for _, event in AuditLog(self.shop.state).events() if event.what == what]
        return found[::-1]

    def launching(self, *keys: str, job: str = "__ASSET_JOB", **more: Any) -> dict[str, Any]:
        """Variables of `LAUNCH` for these assets, or for a job."""
        selector: dict[str, Any] = {
            "repositoryLocationName": "dq_pipelines",
            "repositoryName": "__repository__",
            "pipelineName": job,
        }
        if keys:
            selector["assetSelection"] = [{"path": key.split("/")} for key in keys]
        return {"params": {"selector": selector, "runConfigData": "{}", **more}}

    def ended(self, run_id: str, seconds: float = 90) -> dg.DagsterRun:
        """The run, when it has ended."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            run = self.host.instance.get_run_by_id(run_id)
            assert run is not None
            if run.is_finished:
                return run
            time.sleep(0.1)
        raise AssertionError(f"{run_id} has not ended within {seconds} s")


#: Runs start at once, since there is no daemon that would take them from the queue.
AT_ONCE = """
telemetry: {enabled: false}
nux: {enabled: false}
run_coordinator: {module: dagster._core.run_coordinator, class: DefaultRunCoordinator}
"""

LAUNCH = """
mutation Launch($params: ExecutionParams!) {
  launchRun(executionParams: $params) {
    __typename
    ... on LaunchRunSuccess { run { runId } }
    ... on Error { message }
  }
}
"""

#: What a browser says of a request by a page of the same site.
OWN = {"sec-fetch-site": "same-origin"}


@contextmanager
def hosting(shop: Workshop, users: Mapping[str, list[Grant]] | None = None) -> Iterator[Hosted]:
    """Host Dagster for this project until the block ends; users are made with `PASSWORD`."""
    for name, grants in (users or {}).items():
        Users(shop.state.url).add(name, PASSWORD, grants)
    home = shop.root / "dagster_home"
    home.mkdir(exist_ok=True)
    (home / "dagster.yaml").write_text(AT_ONCE)
    places = environment(shop) | {"DAGSTER_HOME": str(home)}
    site = site_of(shop)
    books = AccessContext(lambda: site.known().project, AuditLog(shop.state))
    with (
        mock.patch.dict(os.environ, places),
        dg.DagsterInstance.get() as instance,
        ExitStack() as afterwards,
        hosted(instance, None, books) as host,
    ):
        # Else Python warns, in some later test, of a code server that has not ended yet. One whose code was loaded anew lives on
        # until its heart has not been felt for 45 s.
        afterwards.callback(_end, host)
        yield Hosted(shop, host)


def _end(host: DagsterHost) -> None:
    for server in host.process._grpc_server_registry._all_processes:
        server.server_process.kill()
        server.server_process.wait()


@contextmanager
def listening(here: Hosted) -> Iterator[str]:
    """The address of a real server in a thread of this process, for clients that no test client stands in for."""
    site = site_of(here.shop)
    server = uvicorn.Server(config_of(application(site, here.host)))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            site.closing.set()
            server.should_exit = True
            thread.join(20)
            assert not thread.is_alive(), "the server has not ended"
