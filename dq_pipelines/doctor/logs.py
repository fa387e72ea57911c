"""Whether each table's Delta log can be read; what its data files are like belongs in `data_files`."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from dq_pipelines.doctor.findings import Finding
from dq_pipelines.doctor.installation import Installation
from dq_pipelines.errors import PublishError
from dq_pipelines.lake.log import Log
from dq_pipelines.lake.tables import LakeTable


def examine(installation: Installation) -> Iterator[Finding]:
    known = {table.key for table in installation.lake_tables()}
    for table in installation.lake_tables():
        yield from _of(installation, table)
    yield from _unknown(installation, known)


def _of(installation: Installation, table: LakeTable) -> Iterator[Finding]:
    log = Log.as_it_lies(table.key, table.uri)
    if log is None:
        return
    if torn := log.torn_newest():
        place, _, said = torn.partition(": ")
        again = partial(_newest_moved, installation, Path(place), table)
        yield Finding("error", place, said, "dq doctor --repair moves it away", again if installation.folder else None)
    elif said := log.torn_checkpoint():
        place, _, said = said.partition(": ")
        again = partial(_checkpoint_moved, installation, Path(place))
        whole = bool(log.commits) and log.commits[0][0] == 0  # the commits say all that the checkpoint said
        yield Finding(
            "error", place, said, "put it back from a copy where commits before it are gone", again if whole else None
        )
    else:
        try:
            table.delta()
        except PublishError as error:
            place, _, said = str(error).partition(": ")
            yield Finding("error", place, said, f"put {table.key}/_delta_log back from a copy made by dq backup")


def _newest_moved(installation: Installation, path: Path, table: LakeTable) -> str:
    target = installation.move_away(path)
    layer, _, name = table.key.partition("/")
    mode = " with mode: rerun" if layer in ("bronze", "quarantine") else ""
    return f"moved the torn commit to {target}: run {name}{mode}, which makes what it held anew"


def _checkpoint_moved(installation: Installation, path: Path) -> str:
    target = installation.move_away(path)
    hint = path.with_name("_last_checkpoint")
    if hint.exists():
        installation.move_away(hint)
    return f"moved the torn checkpoint to {target}: the commits say the same"


def _unknown(installation: Installation, known: set[str]) -> Iterator[Finding]:
    """Tables of the lake that no YAML file describes any more."""
    if installation.folder is None or installation.project is None:
        return
    for layer in ("bronze", "silver", "quarantine", "gold"):
        for folder in sorted((installation.folder / layer).glob("*/_delta_log")):
            key = f"{layer}/{folder.parent.name}"
            if key not in known and folder.parent.name not in installation.left_out:
                said = f"{key} is described by no YAML file: a renamed or removed table, whose rows nobody looks after"
                remedy = "give it its YAML back, or move the folder away"
                yield Finding("info", str(folder.parent), said, remedy)
