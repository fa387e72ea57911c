"""Hosts Dagster for `dq serve`: opens its records, and starts its code servers and its daemon."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
from dagster._core.instance import InstanceRef

from dq_pipelines.config.counting import counted
from dq_pipelines.config.private import FOLDER, private_folder, why_not_private
from dq_pipelines.errors import ConfigError, Problem
from dq_pipelines.orchestration.console_links import VARIABLE
from dq_pipelines.orchestration.runs.dagster_settings import FILE, missing_settings, write_settings
from dq_pipelines.security.audit import AuditLog
from dq_pipelines.web.child_processes import PATIENCE, Children, end_leftovers, ending_with_us
from dq_pipelines.web.dagster_client import AccessContext, DagsterHost, ended_maintenance, hosted
from dq_pipelines.web.dagster_client.code_servers import code_servers
from dq_pipelines.web.dagster_client.daemon import daemon
from dq_pipelines.web.dagster_client.ended_maintenance import EndedMaintenance
from dq_pipelines.web.dagster_client.log_lines import one_line_per_event
from dq_pipelines.web.dagster_client.lost_runs import LOOK, LostRuns
from dq_pipelines.web.dagster_client.supervision import Supervision, say
from dq_pipelines.web.dashboard import Site
from dq_pipelines.web.navigation import CONSOLE

_HOME, _WORKSPACE = ".dagster_home", "workspace.yaml"


@dataclass(frozen=True)
class Dagster:
    """How the gateway hosts Dagster."""

    #: the file of the code locations; None for `./workspace.yaml`, or this project if there is no such file
    workspace: Path | None = None
    with_daemon: bool = True
    #: the level from which runs log to standard error; None for that of dagster.yaml, else info
    log_level: str | None = None

    def target(self) -> Path | None:
        """The workspace file; None for this project alone. Raises ConfigError if the named file does not exist."""
        if self.workspace is not None and not self.workspace.is_file():
            raise ConfigError([Problem("", 0, f"dq serve --workspace: wanted a file, found none at {self.workspace}")])
        default = Path(_WORKSPACE)
        return self.workspace or (default if default.is_file() else None)

    @contextmanager
    def running(self, site: Site) -> Iterator[DagsterHost]:
        """Host Dagster with code servers and a daemon until the block ends."""
        target = self.target()
        os.environ["DAGSTER_HOME"] = str(home())
        if left := end_leftovers(os.environ["DAGSTER_HOME"]):
            say(f"ended {counted(left, 'process')} of a gateway that was killed")
        access = AccessContext(lambda: site.known().project, AuditLog(site.state))
        supervision = Supervision(self.log_level or "info")
        with ExitStack() as stack:
            stack.enter_context(_console_known())
            instance = stack.enter_context(_opened(self.log_level))
            _warn_of_missing_settings(instance)
            children = stack.enter_context(ending_with_us())
            stack.enter_context(one_line_per_event(supervision.log_level))
            try:
                served = stack.enter_context(code_servers(instance, target, supervision))
                supervised = {server.name: server.failure for server in served.servers}
                if self.with_daemon:  # before the pages, which wait until the code has loaded
                    supervised["daemon"] = stack.enter_context(daemon(instance, served.workspace, supervision)).failure
                host = stack.enter_context(hosted(instance, served.workspace, access))
                host.supervised = supervised
                lost = LostRuns(instance, site.stores)
                stack.enter_context(supervision.watching("runs", lost.look, LOOK))
                maintenance = EndedMaintenance(instance, AuditLog(site.state))
                stack.enter_context(supervision.watching("maintenance", maintenance.look, ended_maintenance.LOOK))
                yield host
            finally:
                # All of them end in parallel; the exit stack then waits for each.
                _end_all(children, supervision)


@contextmanager
def _console_known() -> Iterator[None]:
    """Tell the code servers and their runs the console's address, which is on this server unless it is set."""
    given = os.environ.get(VARIABLE)
    os.environ[VARIABLE] = given or CONSOLE
    try:
        yield
    finally:
        if given is None:
            del os.environ[VARIABLE]


def _end_all(children: Children, supervision: Supervision) -> None:
    supervision.ending.set()
    runs = children.runs()
    outcome = "counts as failed, and is retried" if runs == 1 else "count as failed, and are retried"
    of_runs = f"; {counted(runs, 'run')} under way {outcome}" if runs else ""
    say(f"ending Dagster's daemon and code servers within {PATIENCE:.0f} s{of_runs}")
    children.begin_to_end()


def _opened(log_level: str | None) -> dg.DagsterInstance:
    """Dagster's instance. Runs, the code servers and the daemon open it with the same settings."""
    home = os.environ["DAGSTER_HOME"]
    settings: Any = InstanceRef.from_dir(home).settings
    logs = settings.get("python_logs") or {}
    level = (log_level or logs.get("python_log_level") or "info").upper()
    return dg.DagsterInstance.from_ref(
        InstanceRef.from_dir(home, overrides={"python_logs": {**logs, "python_log_level": level}})
    )


def _warn_of_missing_settings(instance: dg.DagsterInstance) -> None:
    """Warn of settings that are missing in dagster.yaml, and of the effect on runs (docs/gateway.md)."""
    missing = list(missing_settings(instance))
    settings = Path(instance.root_directory) / FILE
    if missing:
        names, effects = (", ".join(some) for some in zip(*missing, strict=True))
        remedy = (
            "see docs/gateway.md"
            if settings.is_file()
            else "`dq doctor --repair` writes ours there, for the next start"
        )
        say(f"{settings}: wanted {names}; found none: {effects}; {remedy}")


def home() -> Path:
    """Dagster's home: `DAGSTER_HOME`, else `.dagster_home` in the working directory, with the settings of `./dagster.yaml`.

    A folder with records and without settings is left as it is: this may be on purpose.
    """
    if named := os.environ.get("DAGSTER_HOME"):
        folder = Path(named)
        is_new = not folder.is_dir() or not any(folder.iterdir())
        _make_private(folder)
        if is_new:
            say(f"wrote {write_settings(folder)}, since the folder of Dagster's records was new")
        return folder.absolute()
    folder = Path(_HOME)
    _make_private(folder)
    settings = folder / FILE
    if not settings.exists():
        settings.unlink(missing_ok=True)  # a broken link
        if Path(FILE).is_file():
            settings.symlink_to(f"../{FILE}")
        else:
            write_settings(folder)
    return folder.absolute()


def _make_private(folder: Path) -> None:
    """Make Dagster's folder, or close it to other users: run configuration, logs and errors may hold anything.

    Raises ConfigError if the folder cannot be made.
    """
    try:
        private_folder(folder)
        warning = why_not_private(folder)
        if warning and folder.stat().st_uid == os.geteuid():
            folder.chmod(FOLDER)
            warning = f"{folder} was open to others on this machine: closed (mode 700)"
        if warning:
            say(warning)
    except OSError as error:
        problem = f"DAGSTER_HOME: wanted a folder to write at {folder}, got: {error.strerror}"
        raise ConfigError([Problem("", 0, problem)]) from None
