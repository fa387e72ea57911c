"""The options `--since` and `--until`, which take a day or a time."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import typer

from dq_pipelines.config import moments


def Since(help: str) -> Any:  # noqa: N802 - stands where a class of options does
    """The option `--since`: a day means its start."""
    return _option("--since", help, moments.start_of)


def Until(help: str) -> Any:  # noqa: N802 - as above
    """The option `--until`: a day means its end."""
    return _option("--until", help, moments.end_of)


def _option(name: str, help: str, read: Callable[[str], datetime]) -> Any:
    def parsed(value: str | datetime) -> datetime:
        if isinstance(value, datetime):
            return value
        try:
            return read(value)
        except ValueError as error:
            raise typer.BadParameter(str(error)) from None

    return typer.Option(name, help=help, parser=parsed, metavar="DAY|TIME")
