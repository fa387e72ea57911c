"""What the gateway alone may know: taken out of the environment, so that no process that it starts finds it there.

Code servers, the daemon and runs have the environment of the process that started them, less what is withheld here. In this
process everything reads `environment()`, which still has it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Mapping

#: Keys of the gateway, where its records are, and whom it tells: no run needs one of them.
GATEWAY = ("DQ_TOKEN_KEY", "DQ_AUDIT_KEY", "DQ_AUDIT_EXPORT", "DQ_DATABASE_URL")
#: The variable with further names, separated by commas.
MORE = "DQ_WITHHELD"

#: What stands in the place of a variable that a run's YAML still refers to.
PLACEHOLDER = "withheld-from-runs"

_kept: dict[str, str] = {}


def environment() -> Mapping[str, str]:
    """The environment as this process was given it."""
    return {**os.environ, **_kept} if _kept else os.environ


def withhold(replaced: Collection[str] = ()) -> None:
    """Take what is the gateway's out of the environment; of `replaced` a placeholder stays, since YAML refers to them."""
    more = [name.strip() for name in os.environ.get(MORE, "").split(",")]
    for name in (*GATEWAY, *more):
        if name in os.environ:
            _kept[name] = os.environ.pop(name)
    for name in replaced:
        if (value := os.environ.get(name)) and value != PLACEHOLDER:
            _kept[name] = value
            os.environ[name] = PLACEHOLDER


def hand_over() -> int | None:
    """A descriptor from which the program that takes this process' place reads what is withheld; None for nothing.

    The system shows for ever, to whatever runs as this user, the environment that a program was started with.
    """
    if not _kept:
        return None
    reading, writing = os.pipe()
    os.set_inheritable(reading, True)
    with os.fdopen(writing, "w") as pipe:
        pipe.write(json.dumps(_kept))
    return reading


def take_over(descriptor: int) -> None:
    """Read what the program before in this process has withheld."""
    with os.fdopen(descriptor) as file:
        _kept.update(json.loads(file.read()))
