"""Runs `python -m dq_pipelines.web`: `cli` must not import `web`, so it runs in a process of its own."""

from __future__ import annotations

import subprocess
import sys

import typer


def web(*arguments: str) -> None:
    """Run `python -m dq_pipelines.web`, print its standard error, and exit with its code if that is not 0."""
    command = [sys.executable, "-m", "dq_pipelines.web", *arguments]
    ran = subprocess.run(command, stderr=subprocess.PIPE, text=True, check=False)  # noqa: S603 - our own program
    print(ran.stderr, end="", file=sys.stderr)
    if ran.returncode:
        raise typer.Exit(ran.returncode)
