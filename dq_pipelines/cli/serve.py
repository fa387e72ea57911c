"""`dq serve`: the dashboard on this machine. What is served belongs in `web`, which has a door of its own."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

app = typer.Typer()


@app.command()
def serve(
    host: Annotated[
        str, typer.Option(help="Where to listen: this machine alone, unless there are users (dq user add).")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="0 for any that is free.", min=0, max=65_535)] = 3001,
) -> None:
    """Serve the dashboard and /metrics until Ctrl-C: for who logs in, or for this machine alone while there are no users."""
    arguments = [sys.executable, "-m", "dq_pipelines.web", "serve", f"--host={host}", f"--port={port}"]
    os.execv(sys.executable, arguments)  # noqa: S606 - our own door, which takes this process' place and its signals
