"""Checks the claims (locks) of tables: notes about files that a killed run has staged, and whether they can be read."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from dq_pipelines.config.counting import counted
from dq_pipelines.doctor.findings import Finding
from dq_pipelines.doctor.installation import Installation
from dq_pipelines.lake.table_lock import FOLDER, claimed, is_claimed, is_noted


def examine(installation: Installation) -> Iterator[Finding]:
    if installation.folder is None:
        return
    for path in sorted((installation.folder / FOLDER).glob("*")):
        if path.is_dir():
            said = "wanted the file of a claim, got a folder: no run of the table can begin"
            yield Finding("error", str(path), said, "move it away", partial(_moved, installation, path))
        elif is_claimed(installation.stores.lake, path.name):
            yield Finding("info", str(path), f"a run works on {path.name} just now", "nothing is to be done")
        else:
            yield from _left(installation, path)


def _left(installation: Installation, path: Path) -> Iterator[Finding]:
    lines = path.read_bytes().splitlines()
    if not lines:
        return
    swept = partial(_swept, installation, path.name)
    torn = sum(not is_noted(line) for line in lines)
    if torn:
        said = f"{torn} of its {counted(len(lines), 'line')} cannot be read, as a power loss leaves them: what they noted stays staged"
        yield Finding("warning", str(path), said, f"run {path.name}, and dq doctor --repair for what was staged", swept)
    else:
        said = f"a run of {path.name} was killed and has left {counted(len(lines), 'stage')} noted"
        yield Finding("info", str(path), said, f"the next run of {path.name} removes what it staged", swept)


def _swept(installation: Installation, name: str) -> str:
    with claimed(installation.stores.lake, name):
        pass
    return "removed what was staged and no commit has named, and emptied the claim"


def _moved(installation: Installation, path: Path) -> str:
    return f"moved it to {installation.move_away(path)}"
