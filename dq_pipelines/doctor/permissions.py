"""Checks that only its owner can read the state, and that this user can write what runs write."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from dq_pipelines.config.private import FILE, FOLDER, why_not_private
from dq_pipelines.doctor.findings import Finding
from dq_pipelines.doctor.installation import Installation


def examine(installation: Installation) -> Iterator[Finding]:
    yield from _state(installation.state)
    for what, folder in (("lake", installation.folder), ("Dagster's records", installation.dagster_home)):
        if folder is not None and folder.is_dir() and not os.access(folder, os.W_OK | os.X_OK, effective_ids=True):
            said = f"the folder of the {what} cannot be written by this user (uid {os.geteuid()}): no run can publish"
            yield Finding("error", str(folder), said, "let the user who runs this write it, or ask as that user")


def _state(folder: Path | None) -> Iterator[Finding]:
    if folder is None or not folder.exists():
        return
    for path in (folder, *sorted(folder.rglob("*"))):
        if path.is_symlink() or not (why := why_not_private(path)):
            continue
        said, _, remedy = why.removeprefix(f"{path}: ").partition(": ")
        ours = path.stat().st_uid == os.geteuid()
        said = f"{said}: it holds who may log in, and others read it"
        yield Finding("error", str(path), said, f"run {remedy}", partial(_closed, path) if ours else None)


def _closed(path: Path) -> str:
    path.chmod(FOLDER if path.is_dir() else FILE)
    return f"closed it to others (mode {FOLDER if path.is_dir() else FILE:o})"
