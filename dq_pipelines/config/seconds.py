"""Reads time limits from the environment."""

from __future__ import annotations

import os

from dq_pipelines.errors import ConfigError, Problem


def seconds_from_environment(name: str, default: float, most: float = float("inf")) -> float:
    """The seconds in a variable, or the default without it; raises ConfigError unless they are above 0 and below `most`."""
    text = os.environ.get(name) or str(default)
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < most:
        raise ConfigError([Problem("", 0, f"{name}: wanted a number of seconds above 0, got '{text}'")])
    return seconds
