"""`dq serve`: the dashboard, Dagster's UI and REST on this machine. What is served belongs in `web`, which has a door of its own."""

from __future__ import annotations

import os
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer()


class LogLevel(StrEnum):
    """Python's levels, as Dagster's command line calls them."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


@app.command()
def serve(
    host: Annotated[
        str, typer.Option(help="Where to listen: this machine alone, unless there are users, and TLS or a proxy.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="0 for any that is free.", min=0, max=65_535)] = 3001,
    dagster: Annotated[bool, typer.Option(help="Serve Dagster's UI beside the dashboard.")] = True,
    daemon: Annotated[bool, typer.Option(help="Run Dagster's daemon, which runs schedules and sensors.")] = True,
    tls_cert: Annotated[
        Path | None, typer.Option(envvar="DQ_TLS_CERT", help="The certificate and its chain, in PEM: serve by HTTPS.")
    ] = None,
    tls_key: Annotated[
        Path | None,
        typer.Option(envvar="DQ_TLS_KEY", help="The certificate's private key, in PEM, without a passphrase."),
    ] = None,
    behind_proxy: Annotated[
        str,
        typer.Option(
            envvar="DQ_BEHIND_PROXY",
            help="Addresses or networks of proxies, with commas: X-Forwarded-For, -Proto and -Host are taken from them alone.",
        ),
    ] = "",
    log_level: Annotated[
        LogLevel | None,
        typer.Option(
            help="What runs say on standard error, from this level on: as `python_logs` of dagster.yaml has it, else info. At debug "
            "errors that are expected have their tracebacks."
        ),
    ] = None,
    workspace: Annotated[
        Path | None,
        typer.Option("--workspace", "-w", help="The code locations; ./workspace.yaml, or this project alone, without."),
    ] = None,
) -> None:
    """Serve Dagster's UI, the dashboard, REST and /metrics until Ctrl-C: for who logs in, or while there are no users for this
    machine alone.
    """
    arguments = [sys.executable, "-m", "dq_pipelines.web", "serve", f"--host={host}", f"--port={port}"]
    arguments += [] if tls_cert is None else [f"--tls-cert={tls_cert}"]
    arguments += [] if tls_key is None else [f"--tls-key={tls_key}"]
    arguments += [f"--behind-proxy={behind_proxy}"] if behind_proxy else []
    arguments += [] if dagster else ["--no-dagster"]
    arguments += [] if daemon else ["--no-daemon"]
    arguments += [] if log_level is None else [f"--log-level={log_level.value}"]
    arguments += [] if workspace is None else [f"--workspace={workspace}"]
    os.execv(sys.executable, arguments)  # noqa: S606 - our own door, which takes this process' place and its signals
