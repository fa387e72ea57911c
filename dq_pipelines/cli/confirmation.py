"""Asks a person at a terminal to confirm a change."""

from __future__ import annotations

import sys

import typer


def confirmed(*, yes: bool) -> bool:
    """Whether to go on: `--yes`, a person's answer, or no terminal to ask at (a script that runs the command has decided)."""
    return yes or not sys.stdin.isatty() or typer.confirm("Go on?", err=True)
