"""One code server for each code location, for the pages and for the daemon, as `dagster dev` has it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
import yaml
from dagster._cli.proxy_server_manager import ProxyServerManager
from dagster._core.workspace.load_target import ModuleTarget, WorkspaceFileTarget, WorkspaceLoadTarget


def target_of(workspace: Path | None) -> WorkspaceLoadTarget:
    """The code locations of this file, or this project's where there is None."""
    if workspace is not None:
        return WorkspaceFileTarget([str(workspace)])
    return ModuleTarget("dq_pipelines.definitions", None, str(Path.cwd()), "dq_pipelines")


@contextmanager
def code_servers(instance: dg.DagsterInstance, workspace: Path | None) -> Iterator[Path]:
    """Start them; gives a workspace file that names where they are. They end with this process, however it ends."""
    with (
        ProxyServerManager(instance, target_of(workspace), code_server_log_level="warning") as manager,
        tempfile.TemporaryDirectory(prefix="dq_serve_") as folder,
    ):
        path = Path(folder) / "workspace.yaml"
        path.write_text(yaml.safe_dump({"load_from": list(manager.get_code_server_specs())}), encoding="utf-8")
        yield path
