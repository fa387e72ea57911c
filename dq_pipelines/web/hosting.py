"""Dagster as `dq serve` brings it along: where its records are, which code locations, and its daemon. What is served belongs in `app`."""

from __future__ import annotations

import os
import sys
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
from dq_pipelines.orchestration.runs.dagster_settings import FILE, missing_settings, write_settings
from dq_pipelines.security.audit import AuditLog
from dq_pipelines.web.child_processes import PATIENCE, Children, end_leftovers, ending_with_us
from dq_pipelines.web.dagster_client import AccessContext, DagsterHost, hosted
from dq_pipelines.web.dagster_client.code_servers import code_servers
from dq_pipelines.web.dagster_client.daemon import daemon
from dq_pipelines.web.dagster_client.log_lines import one_line_an_event
from dq_pipelines.web.dagster_client.lost_runs import LOOK, LostRuns
from dq_pipelines.web.dagster_client.supervision import Supervision, say
from dq_pipelines.web.dashboard import Site

_HOME, _WORKSPACE = ".dagster_home", "workspace.yaml"


@dataclass(frozen=True)
class Dagster:
    """What of Dagster is wanted beside the dashboard."""

    #: the code locations; `./workspace.yaml` or this project's where there is None
    workspace: Path | None = None
    with_daemon: bool = True
    #: from which level on runs say something on standard error; None for what dagster.yaml says, else info
    log_level: str | None = None

    def target(self) -> Path | None:
        """The workspace file; raises ConfigError for one that there is not."""
        if self.workspace is not None and not self.workspace.is_file():
            raise ConfigError([Problem("", 0, f"dq serve --workspace: wanted a file, found none at {self.workspace}")])
        beside = Path(_WORKSPACE)
        return self.workspace or (beside if beside.is_file() else None)

    @contextmanager
    def running(self, site: Site) -> Iterator[DagsterHost]:
        """Dagster in this process, with code servers and a daemon, as long as the block lasts."""
        target = self.target()
        os.environ["DAGSTER_HOME"] = str(home())
        if left := end_leftovers(os.environ["DAGSTER_HOME"]):
            say(f"{left} processes of a gateway that was killed have been ended")
        books = AccessContext(lambda: site.known().project, AuditLog(site.state))
        supervision = Supervision(self.log_level or "info")
        with ExitStack() as stack:
            instance = stack.enter_context(_opened(self.log_level))
            _say_what_is_missing(instance)
            children = stack.enter_context(ending_with_us())
            stack.enter_context(one_line_an_event(supervision.log_level))
            try:
                served = stack.enter_context(code_servers(instance, target, supervision))
                supervised = {server.name: server.trouble for server in served.servers}
                if self.with_daemon:  # before the pages, which wait for the code to load
                    supervised["daemon"] = stack.enter_context(daemon(instance, served.workspace, supervision)).trouble
                host = stack.enter_context(hosted(instance, served.workspace, books))
                host.supervised = supervised
                lost = LostRuns(instance, site.stores)
                stack.enter_context(supervision.watching("runs", lost.look, LOOK))
                yield host
            finally:
                # All of them end side by side, before who has started each waits for it.
                _end_all(children, supervision)


def _end_all(children: Children, supervision: Supervision) -> None:
    supervision.ending.set()
    runs = children.runs()
    count = "counts as failed, and is done again" if runs == 1 else "count as failed, and are done again"
    of_runs = f"; {counted(runs, 'run')} under way {count}" if runs else ""
    say(f"ending Dagster's daemon and code servers, which have {PATIENCE:.0f} s for it{of_runs}")
    children.begin_to_end()


def _opened(log_level: str | None) -> dg.DagsterInstance:
    """Dagster's records. Runs, the code servers and the daemon open them with the same settings."""
    home = os.environ["DAGSTER_HOME"]
    settings: Any = InstanceRef.from_dir(home).settings
    logs = settings.get("python_logs") or {}
    level = (log_level or logs.get("python_log_level") or "info").upper()
    return dg.DagsterInstance.from_ref(
        InstanceRef.from_dir(home, overrides={"python_logs": {**logs, "python_log_level": level}})
    )


def _say_what_is_missing(instance: dg.DagsterInstance) -> None:
    """Say where settings of somebody's own, or none, keep runs from what docs/gateway.md says of them."""
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
    """Where Dagster keeps its records: as `DAGSTER_HOME` says, else beside, by the settings that lie here.

    A folder with records and without settings is left as it is: they may be meant so.
    """
    if told := os.environ.get("DAGSTER_HOME"):
        found = Path(told)
        is_new = not found.is_dir() or not any(found.iterdir())
        _close(found)
        if is_new:
            say(f"{write_settings(found)} is written, since the folder of Dagster's records was new")
        return found.absolute()
    found = Path(_HOME)
    _close(found)
    settings = found / FILE
    if not settings.exists():
        settings.unlink(missing_ok=True)  # a link that leads nowhere
        if Path(FILE).is_file():
            settings.symlink_to(f"../{FILE}")
        else:
            write_settings(found)
    return found.absolute()


def _close(folder: Path) -> None:
    """Make Dagster's folder, or close it to others: run configuration, logs and errors may hold anything.

    Raises ConfigError where it cannot be made.
    """
    try:
        private_folder(folder)
        told = why_not_private(folder)
        if told and folder.stat().st_uid == os.geteuid():
            folder.chmod(FOLDER)
            told = f"{folder} was open to others on this machine: closed (mode 700)"
        if told:
            sys.stderr.write(f"dq serve: {told}\n")
    except OSError as error:
        said = f"DAGSTER_HOME: wanted a folder to write at {folder}, got: {error.strerror}"
        raise ConfigError([Problem("", 0, said)]) from None
