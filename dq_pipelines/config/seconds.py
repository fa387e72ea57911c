"""Limits of time that the environment may set."""

from __future__ import annotations

import os

from dq_pipelines.errors import ConfigError, Problem


def seconds_from_environment(name: str, default: float, most: float = float("inf")) -> float:
    """The seconds that a variable says, or the default where it says none; raises ConfigError for what is no such time."""
    text = os.environ.get(name) or str(default)
    try:
        found = float(text)
    except ValueError:
        found = 0.0
    if not 0 < found < most:
        raise ConfigError([Problem("", 0, f"{name}: wanted a number of seconds above 0, got '{text}'")])
    return found
