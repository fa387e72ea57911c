"""Withholds the gateway's secrets from the environment of the processes that it starts.

Code servers, the daemon and runs inherit the gateway's environment without the variables withheld here. The gateway's own
code reads `environment()`, which still has them.
"""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Mapping

#: The gateway's keys, records and export targets; no run needs them.
GATEWAY = ("DQ_TOKEN_KEY", "DQ_AUDIT_KEY", "DQ_AUDIT_EXPORT", "DQ_DATABASE_URL")
#: The variable with further names to withhold, separated by commas.
MORE = "DQ_WITHHELD"

#: The value for runs of a withheld variable that YAML refers to.
PLACEHOLDER = "withheld-from-runs"

_kept: dict[str, str] = {}


def environment() -> Mapping[str, str]:
    """The environment of this process, with the withheld variables."""
    return {**os.environ, **_kept} if _kept else os.environ


def withhold(replaced: Collection[str] = ()) -> None:
    """Remove the gateway's variables from the environment; replace those in `replaced`, which YAML refers to, by a placeholder."""
    more = [name.strip() for name in os.environ.get(MORE, "").split(",")]
    for name in (*GATEWAY, *more):
        if name in os.environ:
            _kept[name] = os.environ.pop(name)
    for name in replaced:
        if (value := os.environ.get(name)) and value != PLACEHOLDER:
            _kept[name] = value
            os.environ[name] = PLACEHOLDER


def hand_over() -> int | None:
    """A file descriptor from which a program that replaces this process (exec) reads the withheld variables; None for none.

    They are not passed as environment: the system shows a program's initial environment to every process of this user.
    """
    if not _kept:
        return None
    reading, writing = os.pipe()
    os.set_inheritable(reading, True)
    with os.fdopen(writing, "w") as pipe:
        pipe.write(json.dumps(_kept))
    return reading


def take_over(descriptor: int) -> None:
    """Read the variables that the previous program of this process has withheld."""
    with os.fdopen(descriptor) as file:
        _kept.update(json.loads(file.read()))
