"""Reads variables from a `.env` beside the folder of the project. Variables of the environment win."""

from __future__ import annotations

import os
from pathlib import Path

from dq_pipelines.config.settings import Settings
from dq_pipelines.errors import ConfigError, Problem

#: The variable that names another file; empty for none. Processes started by one that has read the file find it empty.
NAME = "DQ_ENV_FILE"


def load_env_file() -> None:
    """Set the variables of the file that the environment does not have. Values are taken as they stand: no `${NAME}` is replaced.

    Raises ConfigError for a file that `DQ_ENV_FILE` names and that cannot be read.
    """
    named = os.environ.get(NAME)
    if named == "":
        return
    path = Path(named) if named else Path(os.environ.get("DQ_CONFIG") or Settings.config).absolute().parent / ".env"
    if named or path.is_file():
        for name, value in _read(path).items():
            os.environ.setdefault(name, value)
    # Else a process from which the gateway withholds its secrets would read them from the file.
    os.environ[NAME] = ""


def _read(path: Path) -> dict[str, str]:
    from dotenv import dotenv_values

    try:
        with path.open(encoding="utf-8") as file:
            return {
                name: value
                for name, value in dotenv_values(stream=file, interpolate=False).items()
                if value is not None
            }
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise ConfigError([Problem("", 0, f"{path}: wanted a file of lines NAME=value, got: {why}")]) from None
