"""The room beside this one: `web` is never imported here, its door is opened in a process of its own."""

from __future__ import annotations

import subprocess
import sys

import typer


def web(*arguments: str) -> None:
    """Run `python -m dq_pipelines.web`, and end as it ended where that was no success, with what it said."""
    command = [sys.executable, "-m", "dq_pipelines.web", *arguments]
    ran = subprocess.run(command, stderr=subprocess.PIPE, text=True, check=False)  # noqa: S603 - our own door
    print(ran.stderr, end="", file=sys.stderr)
    if ran.returncode:
        raise typer.Exit(ran.returncode)
