"""Checks the lists of inputs that are set aside: whether they can be read, and which inputs they name."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from dq_pipelines.config.counting import counted
from dq_pipelines.doctor.findings import Finding
from dq_pipelines.doctor.installation import Installation
from dq_pipelines.lake.skipped_inputs import FOLDER, parse_skipped_inputs


def examine(installation: Installation) -> Iterator[Finding]:
    if installation.folder is None:
        return
    known = {table.name for table in installation.tables}
    for path in sorted((installation.folder / FOLDER).glob("*")):
        marks = parse_skipped_inputs(path.read_bytes()) if path.suffix == ".json" else None
        if marks is None:
            said = "the list of inputs aside cannot be read, as a power loss leaves it: the next run looks at its inputs again"
            yield Finding("warning", str(path), said, "move it away", partial(_moved, installation, path))
        elif installation.project is not None and path.stem not in known | installation.left_out:
            said = f"no table {path.stem} is in the project"
            yield Finding("info", str(path), said, "move it away", partial(_moved, installation, path))
        else:
            said = (
                f"{counted(len(marks), 'input')} of {path.stem} {'stands' if len(marks) == 1 else 'stand'} aside ({marks[0].uri}: {marks[0].reason})"
                if marks
                else ""
            )
            if said:
                yield Finding("warning", str(path), said, "mend these inputs: each is read again when it changes")


def _moved(installation: Installation, path: Path) -> str:
    return f"moved it to {installation.move_away(path)}"
