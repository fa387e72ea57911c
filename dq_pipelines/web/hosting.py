"""Dagster as `dq serve` brings it along: where its records are, which code locations, and its daemon. What is served belongs in `app`."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import dagster as dg

from dq_pipelines.config.private import FOLDER, private_folder, why_not_private
from dq_pipelines.errors import ConfigError, Problem
from dq_pipelines.layers.run_queue import TABLE_TAG
from dq_pipelines.security.audit import AuditLog
from dq_pipelines.web.children import end_leftovers, ending_with_us
from dq_pipelines.web.dagster_ui import Books, DagsterHost, hosted
from dq_pipelines.web.dagster_ui.code_servers import code_servers
from dq_pipelines.web.dagster_ui.daemon import daemon
from dq_pipelines.web.dagster_ui.lost_runs import LOOK, LostRuns
from dq_pipelines.web.dagster_ui.supervision import say, watching
from dq_pipelines.web.dashboard import Site

_HOME, _SETTINGS, _WORKSPACE = ".dagster_home", "dagster.yaml", "workspace.yaml"

#: Settings where there are none: those of the project's own dagster.yaml that keep runs going, and no reports to Dagster's makers.
_DEFAULTS = """\
telemetry: {enabled: false}
nux: {enabled: false}
concurrency:
  runs:
    max_concurrent_runs: 4
    tag_concurrency_limits:
      - {key: dq/table, value: {applyLimitPerUniqueValue: true}, limit: 1}
      - {key: dq/tables, limit: 2}
sensors: {use_threads: true, num_workers: 4}
schedules: {use_threads: true, num_workers: 4}
run_queue: {max_user_code_failure_retries: 20, user_code_failure_retry_delay: 5}
run_monitoring: {enabled: true, start_timeout_seconds: 300, max_resume_run_attempts: 0}
run_retries: {enabled: true, max_retries: 2, retry_on_asset_or_op_failure: false}
"""


@dataclass(frozen=True)
class Dagster:
    """What of Dagster is wanted beside the dashboard."""

    #: the code locations; `./workspace.yaml` or this project's where there is None
    workspace: Path | None = None
    with_daemon: bool = True

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
        books = Books(lambda: site.known().project, AuditLog(site.state))
        with ExitStack() as stack:
            instance = stack.enter_context(dg.DagsterInstance.get())
            _want_limits(instance)
            stack.enter_context(ending_with_us())
            served = stack.enter_context(code_servers(instance, target))
            supervised = {server.name: server.trouble for server in served.servers}
            if self.with_daemon:  # before the pages, which wait for the code to load
                supervised["daemon"] = stack.enter_context(daemon(instance, served.workspace)).trouble
            host = stack.enter_context(hosted(instance, served.workspace, books))
            host.supervised = supervised
            lost = LostRuns(instance, site.stores)
            stack.enter_context(watching("runs", lost.look, LOOK))
            yield host


def _want_limits(instance: dg.DagsterInstance) -> None:
    """Say where settings of somebody's own let runs that only wait for their table fill the queue."""
    queue = instance.get_concurrency_config().run_queue_config
    limited = {limit["key"] for limit in (queue.tag_concurrency_limits or ())} if queue is not None else {TABLE_TAG}
    if TABLE_TAG not in limited:
        where = Path(instance.root_directory) / _SETTINGS
        say(
            f"{where}: wanted concurrency.runs.tag_concurrency_limits of {TABLE_TAG}, found none: runs that wait for their table may "
            "fill the queue; see docs/gateway.md"
        )


def home() -> Path:
    """Where Dagster keeps its records: as `DAGSTER_HOME` says, else beside, by the settings that lie here."""
    if told := os.environ.get("DAGSTER_HOME"):
        found = Path(told)
        _close(found)
        return found.absolute()
    found = Path(_HOME)
    _close(found)
    settings = found / _SETTINGS
    if not settings.exists():
        settings.unlink(missing_ok=True)  # a link that leads nowhere
        if Path(_SETTINGS).is_file():
            settings.symlink_to(f"../{_SETTINGS}")
        else:
            settings.write_text(_DEFAULTS, encoding="utf-8")
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
