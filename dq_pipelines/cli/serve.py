"""`dq serve`: replaces this process by `python -m dq_pipelines.web serve`, with the same options."""

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
        str, typer.Option(help="The address to listen on. Other than this machine, it needs users, and TLS or a proxy.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="The port; 0 for any free one.", min=0, max=65_535)] = 3001,
    dagster: Annotated[bool, typer.Option(help="Also serve Dagster's UI.")] = True,
    daemon: Annotated[bool, typer.Option(help="Run Dagster's daemon, which runs schedules and sensors.")] = True,
    tls_cert: Annotated[
        Path | None, typer.Option(envvar="DQ_TLS_CERT", help="The certificate and its chain, in PEM: serve HTTPS.")
    ] = None,
    tls_key: Annotated[
        Path | None,
        typer.Option(envvar="DQ_TLS_KEY", help="The certificate's private key, in PEM, without a passphrase."),
    ] = None,
    behind_proxy: Annotated[
        str,
        typer.Option(
            envvar="DQ_BEHIND_PROXY",
            help="Addresses or networks of trusted proxies, separated by commas: only their X-Forwarded-For, -Proto and -Host count.",
        ),
    ] = "",
    log_level: Annotated[
        LogLevel | None,
        typer.Option(
            help="The level from which runs log to standard error: that of `python_logs` in dagster.yaml, else info. At debug, "
            "expected errors have their tracebacks."
        ),
    ] = None,
    workspace: Annotated[
        Path | None,
        typer.Option(
            "--workspace", "-w", help="The code locations; by default ./workspace.yaml, else this project alone."
        ),
    ] = None,
) -> None:
    """Serve Dagster's UI, the dashboard, REST and /metrics until Ctrl-C.

    Callers log in; without any users, only this machine is served.
    """
    arguments = [sys.executable, "-m", "dq_pipelines.web", "serve", f"--host={host}", f"--port={port}"]
    arguments += [] if tls_cert is None else [f"--tls-cert={tls_cert}"]
    arguments += [] if tls_key is None else [f"--tls-key={tls_key}"]
    arguments += [f"--behind-proxy={behind_proxy}"] if behind_proxy else []
    arguments += [] if dagster else ["--no-dagster"]
    arguments += [] if daemon else ["--no-daemon"]
    arguments += [] if log_level is None else [f"--log-level={log_level.value}"]
    arguments += [] if workspace is None else [f"--workspace={workspace}"]
    os.execv(sys.executable, arguments)  # noqa: S606 - our own program, which replaces this process and receives its signals
