"""Orders of erasures that a job carries out: private files, since Dagster keeps a run's configuration and shows it.

The condition names a person. Who starts the job writes it into a file that only this user of the machine can read; the job
removes the file when it begins.
"""

from __future__ import annotations

import json
import re
import secrets
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from dq_pipelines.config.private import private_folder, write_private
from dq_pipelines.errors import ConfigError, Problem, PublishError

#: The folder within that of the state, and the days after which an order that nobody has taken is removed.
FOLDER, _DAYS = "erasures", 7
_ID = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True)
class ErasureOrder:
    """What to erase, and who has ordered it."""

    #: name of a table with a source
    table: str
    #: SQL over silver's columns
    where: str
    #: names of tables that YAML no longer names
    also: tuple[str, ...]
    #: name of a user
    by: str


def place_order(order: ErasureOrder, state: Path) -> str:
    """Keep the order for a job, and return its id. Raises PublishError."""
    folder, id_ = state / FOLDER, secrets.token_hex(16)
    try:
        private_folder(folder)
        _remove_old(folder)
        write_private(folder / f"{id_}.json", json.dumps(asdict(order)))
    except OSError as error:
        raise PublishError(f"{FOLDER}: wanted to keep the order of an erasure, got: {error.strerror}") from None
    return id_


def take_order(id_: str, state: Path) -> ErasureOrder:
    """The order, which is removed. Raises ConfigError if there is none: it was taken before, or is too old."""
    path = state / FOLDER / f"{id_}.json"
    try:
        told = json.loads(path.read_text(encoding="utf-8")) if _ID.fullmatch(id_) else None
    except OSError:
        told = None
    if told is None:
        message = f"order: wanted the id of an order that waits, got '{id_[:40]}': start the erasure again on the page Admin, Data"
        raise ConfigError([Problem("", 0, message)])
    withdraw_order(id_, state)
    return ErasureOrder(**told | {"also": tuple(told["also"])})


def withdraw_order(id_: str, state: Path) -> None:
    """Remove an order that no job takes."""
    (state / FOLDER / f"{id_}.json").unlink(missing_ok=True)


def _remove_old(folder: Path) -> None:
    for path in folder.glob("*.json"):
        with suppress(OSError):
            if path.stat().st_mtime < time.time() - _DAYS * 86_400:
                path.unlink()
