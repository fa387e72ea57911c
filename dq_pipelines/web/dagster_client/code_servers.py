"""Starts and supervises one code server per code location, for the pages and the daemon, as `dagster dev` does.

A code server is two processes. The outer one listens at a fixed address and forwards requests to the inner one, which has
loaded the project's code and starts the processes of runs. Dagster restarts an outer process, but no inner one.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import dagster as dg
import grpc
import psutil
import yaml
from dagster._core.errors import DagsterUserCodeUnreachableError
from dagster._core.remote_origin import CodeLocationOrigin, ManagedGrpcPythonEnvCodeLocationOrigin
from dagster._core.workspace.load_target import ModuleTarget, WorkspaceFileTarget, WorkspaceLoadTarget
from dagster._grpc.__generated__.dagster_api_pb2 import PingRequest
from dagster._grpc.client import DagsterGrpcClient
from dagster._grpc.constants import GrpcServerCommand
from dagster._grpc.server import open_server_process

from dq_pipelines.pipeline.runtime.processes import this_process
from dq_pipelines.web.child_processes import is_alive
from dq_pipelines.web.dagster_client.supervision import Backoff, ProcessFailure, Supervision, say

#: Seconds without an answer after which a process counts as hanging.
HANGS = 30.0
#: Seconds between two checks of the processes, two pings of the inner one, and two heartbeats for the outer one.
_LOOK, _ASK, _BEAT = 0.5, 2.0, 10.0
#: Seconds to wait for an answer; and without a heartbeat after which the outer process ends itself.
_ANSWER, _BEAT_TIMEOUT = 5, 45


def target_of(workspace: Path | None) -> WorkspaceLoadTarget:
    """The code locations of this workspace file; None for this project."""
    if workspace is not None:
        return WorkspaceFileTarget([str(workspace)])
    return ModuleTarget("dq_pipelines.definitions", None, str(Path.cwd()), "dq_pipelines")


@contextmanager
def code_servers(
    instance: dg.DagsterInstance, workspace: Path | None, supervision: Supervision
) -> Iterator[CodeServers]:
    """Start the code servers, and keep them running until the block ends. `web.child_processes` ends them with the gateway."""
    origins = target_of(workspace).create_origins()
    _remove_leftovers()
    with tempfile.TemporaryDirectory(prefix=f"{prefix()}_{os.getpid()}_") as folder, ExitStack() as stack:
        servers = [
            CodeServer(instance, origin, f"{folder}/{number}.sock", supervision.log_level_of_services)
            for number, origin in enumerate(origins)
            if isinstance(origin, ManagedGrpcPythonEnvCodeLocationOrigin)
        ]
        for server in servers:
            server.start()
            stack.enter_context(supervision.watching(f"the code server of {server.name}", server.look, _LOOK))
        others = [origin for origin in origins if not isinstance(origin, ManagedGrpcPythonEnvCodeLocationOrigin)]
        path = Path(folder) / "workspace.yaml"
        entries = [*(server.described() for server in servers), *map(_described, others)]
        path.write_text(yaml.safe_dump({"load_from": entries}), encoding="utf-8")
        yield CodeServers(path, servers)


def prefix() -> str:
    """The prefix of the folders with the code servers' sockets on this machine; runs carry the folder in a tag."""
    machine = this_process().rsplit(":", 2)[0]
    return f"dq_serve_{sha256(machine.encode()).hexdigest()[:8]}"


def _remove_leftovers() -> None:
    """Remove the folders of killed gateways."""
    for folder in Path(tempfile.gettempdir()).glob(f"{prefix()}_*"):
        pid = folder.name.split("_")[3]
        if pid.isdigit() and not psutil.pid_exists(int(pid)):
            shutil.rmtree(folder, ignore_errors=True)


@dataclass(frozen=True)
class CodeServers:
    """The code servers of a gateway."""

    #: a workspace file with their addresses
    workspace: Path
    servers: Sequence[CodeServer] = ()


@dataclass
class CodeServer:
    """The code server of one code location."""

    instance: dg.DagsterInstance
    origin: ManagedGrpcPythonEnvCodeLocationOrigin
    socket: str
    log_level: str = "warning"
    failure: ProcessFailure = field(default_factory=ProcessFailure)

    def __post_init__(self) -> None:
        self._outer: subprocess.Popen[bytes] | None = None
        self._inner: psutil.Process | None = None
        self._outer_began = self._inner_began = 0.0
        self._asked = self._asked_outer = self._answered = self._beat = 0.0
        self._newest = self._not_before = 0.0
        self._backoffs = {"outer": Backoff(), "inner": Backoff()}
        self._client = DagsterGrpcClient(socket=self.socket)

    @property
    def name(self) -> str:
        return self.origin.location_name

    def described(self) -> dict[str, Any]:
        """The server's entry in a workspace file."""
        return {
            "grpc_server": {
                "location_name": self.name,
                "socket": self.socket,
                "host": "localhost",
                "additional_metadata": dict(self.origin.loadable_target_origin.as_dict),
            }
        }

    def start(self) -> None:
        """Start both processes, and wait until they answer. If they do not, log it; the next check tries again."""
        Path(self.socket).unlink(missing_ok=True)
        self._outer_began = self._inner_began = time.monotonic()
        try:
            self._outer = open_server_process(
                instance_ref=self.instance.get_ref(),
                port=None,
                socket=self.socket,
                server_command=GrpcServerCommand.CODE_SERVER_START,
                location_name=self.name,
                loadable_target_origin=self.origin.loadable_target_origin,
                heartbeat=True,
                heartbeat_timeout=_BEAT_TIMEOUT,
                startup_timeout=self.instance.code_server_process_startup_timeout,
                log_level=self.log_level,
            )
        except Exception as error:  # noqa: BLE001 - Dagster raises a bare Exception
            self._restart_later("outer", f"has not started: {next(iter(str(error).strip().splitlines()), '')}")
            return
        self._inner = self._found_inner()
        self._answered = self._beat = time.monotonic()
        self.failure.is_over()

    def look(self, ending: threading.Event) -> None:
        """Restart a process that has ended, and kill one that hangs."""
        if time.monotonic() < self._not_before or ending.is_set():
            return
        if self._outer is None:
            self.start()
        elif (code := self._outer.poll()) is not None:
            self._outer = None
            self._restart_later("outer", f"ended (exit {code})")
        elif not self._outer_beats(self._outer):
            self.failure.began("does not answer")
        elif self._inner is None or not is_alive(self._inner):
            self._tend_inner()
        else:
            self._ask(self._inner)

    def _outer_beats(self, outer: subprocess.Popen[bytes]) -> bool:
        """Whether the outer process has answered recently. It is killed if it has not for too long."""
        now = time.monotonic()
        if now - self._asked_outer > _BEAT:
            self._asked_outer = now
            with suppress(grpc.RpcError):
                # The client's own method has no timeout.
                self._client._get_response("Heartbeat", PingRequest(echo=""), _ANSWER)  # noqa: SLF001
                self._beat = time.monotonic()
        silent = time.monotonic() - self._beat
        if silent > HANGS:
            say(f"the code server of {self.name} has not answered for {silent:.0f} s and is killed")
            outer.kill()
        return silent <= 2 * _BEAT

    def _tend_inner(self) -> None:
        """Log that the inner process has ended; at the next check, have the outer one start another."""
        if (known := self._inner) is not None:
            self._inner = self._found_inner()
            if self._inner is None:
                self._restart_later("inner", f"the process {known.pid} that loads the code and starts runs has ended")
            return
        # It answers with an error if it cannot tell the old process, which is gone, to exit.
        with suppress(DagsterUserCodeUnreachableError):
            self._client.reload_code(self.instance.code_server_process_startup_timeout)
        self._answered = self._beat = time.monotonic()
        self._asked = 0.0  # the next check pings it
        self._inner = self._found_inner()
        if self._inner is None:
            self._restart_later("inner", "the process that loads the code has not started")

    def _ask(self, inner: psutil.Process) -> None:
        """Ping the inner process. It is killed if it has not answered for too long."""
        now = time.monotonic()
        if now - self._asked < _ASK:
            return
        self._asked = now
        try:
            self._client.get_server_id(timeout=_ANSWER)
        except DagsterUserCodeUnreachableError:
            silent = time.monotonic() - self._answered
            if silent > 3 * _ANSWER:
                self.failure.began("does not answer")
            if silent > HANGS and now - self._inner_began > HANGS:
                say(f"process {inner.pid} of the code server has not answered for {silent:.0f} s and is killed")
                with suppress(psutil.Error):
                    inner.kill()
        else:
            self._answered = time.monotonic()
            self._inner = self._found_inner() or inner  # a reload may have started another
            self.failure.is_over()

    def _restart_later(self, which: str, what: str) -> None:
        began = self._outer_began if which == "outer" else self._inner_began
        pause = self._backoffs[which].after(time.monotonic() - began)
        self._not_before = time.monotonic() + pause
        self.failure.began(f"{what}; it is being restarted")
        say(f"the code server of {self.name}: {what}; it is restarted in {pause:g} s")

    def _found_inner(self) -> psutil.Process | None:
        """The living child of the outer process that is newer than the last one; older ones live until their runs have ended."""
        with suppress(psutil.Error):
            children = psutil.Process(self._outer.pid).children() if self._outer is not None else []
            newer = [one for one in children if one.create_time() > self._newest and is_alive(one)]
            if newer:
                newest = max(newer, key=lambda one: one.create_time())
                self._newest, self._inner_began = newest.create_time(), time.monotonic()
                return newest
        return None


def _described(origin: CodeLocationOrigin) -> dict[str, Any]:
    """The workspace entry of a code location that another program serves."""
    names = ("location_name", "host", "port", "socket", "additional_metadata")
    values = {name: getattr(origin, name, None) for name in names}
    return {"grpc_server": {name: value for name, value in values.items() if value is not None}}
