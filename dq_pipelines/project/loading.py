"""Loads a folder of YAML files as a Project, or raises every problem in them with file and line."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from dq_pipelines.config.garbage import collector_paused
from dq_pipelines.errors import ConfigError, Problem, nearest
from dq_pipelines.project.draft import Change, Draft
from dq_pipelines.project.model import Project, Table
from dq_pipelines.project.names import may_be_taken
from dq_pipelines.project.references import findings, upstream
from dq_pipelines.project.tables import LandedTable, ProjectSettings
from dq_pipelines.sources.database import DatabaseSource

_ENDINGS = (".yaml", ".yml")


def load_project(
    path: str | Path = "assets_config",
    *,
    environment: Mapping[str, str] | None = None,
    change: Change | None = None,
) -> Project:
    """The project in the folder `path`: a table per `<domain>/<table>.yaml`, and `project.yaml`.

    `environment` gives the values of `${NAME}`, by default those of the process; `change` replaces one file on the disk.
    Raises ConfigError with every problem of every file, in the order of the files.
    """
    project, files = _read(Path(path), environment, change)
    if problems := [problem for file in files for problem in file.in_order()]:
        raise ConfigError(problems)
    return project


def load_sound_tables(
    path: str | Path = "assets_config",
    *,
    environment: Mapping[str, str] | None = None,
    change: Change | None = None,
    only: Collection[str] | None = None,
) -> Project:
    """Load the project without the tables whose files are invalid, and without those that read one of them.

    `left_out` has these tables with the reason. `only` loads the tables of these names and those that they read, directly or
    through others. Raises ConfigError for problems of the whole project: no folder, no file, or an
    invalid `project.yaml`.
    """
    project, files = _read(Path(path), environment, change, only)
    if only is not None and any(may_be_taken(file.name) for file in files):
        project, files = _read(Path(path), environment, change)  # whether a name is taken depends on other tables
    settings = [problem for file in files if file.is_settings for problem in file.in_order()]
    if settings:
        raise ConfigError(settings)
    left_out = [file.left_out() for file in files if file.problems]
    faulty = {file.name for file in files if file.problems and not file.is_second}
    tables = {name: table for name, table in project.tables.items() if name not in faulty}
    return replace(project, tables=tables).leaving_out(left_out)


@collector_paused()
def _read(
    root: Path,
    environment: Mapping[str, str] | None,
    change: Change | None,
    only: Collection[str] | None = None,
) -> tuple[Project, list[Draft]]:
    """The tables whose own files are valid, and all files with their problems; raises ConfigError if there is no file.

    `only` as in `load_sound_tables`: other files are not read.
    """
    if not root.is_dir():
        raise ConfigError(
            [Problem(str(root), 0, f"wanted a folder of <domain>/<table>.yaml, found {_found_instead(root)}")]
        )
    files = [Draft(root, relative, environment) for relative in yaml_files(root)]
    if change is not None:
        files = [file for file in files if file.relative != change.relative]
        if change.content is not None:
            files.append(Draft(root, change.relative, environment, change=change))
            files.sort(key=lambda file: _order(file.relative))
    elif not files:
        raise ConfigError([Problem(str(root), 0, "wanted at least one <domain>/<table>.yaml, found none")])
    _refuse_same_names(files)
    if only is None:
        for file in files:
            file.read()
    else:
        files = _read_needed(files, only)
    settings = next((file.model for file in files if isinstance(file.model, ProjectSettings)), ProjectSettings())
    drafts = {file.table.name: file for file in files if file.table is not None}
    tables = {name: _with_settings(draft.table, settings) for name, draft in drafts.items() if draft.table}
    project = Project(settings, tables, str(root))
    for finding in findings(project, [file.key for file in files if file.key]):
        drafts[finding.table.name].find(finding.place, finding.message, finding.line_in_block)
    return project, files


def _read_needed(files: Sequence[Draft], names: Collection[str]) -> list[Draft]:
    """Read the settings, the tables of these names and what they read; the files that were read, in their order."""
    needed = [file for file in files if file.is_settings]
    for file in needed:
        file.read()
    by_name: dict[str, list[Draft]] = {}
    for file in files:
        if not file.is_settings:
            by_name.setdefault(file.name, []).append(file)
    waiting = list(names)
    while waiting:
        for file in by_name.pop(waiting.pop(), ()):
            file.read()
            needed.append(file)
            waiting += [key.partition("/")[2] for key in upstream(file.table)] if file.table is not None else []
    return sorted(needed, key=lambda file: _order(file.relative))


def _with_settings(table: Table, settings: ProjectSettings) -> Table:
    """The table with what the project says for all tables: retries of sources, and connections."""
    if not isinstance(table.model, LandedTable):
        return replace(table, retries=settings.retries)
    table = replace(table, retries=table.model.retries or settings.retries)
    source = table.landed.source
    if not isinstance(source, DatabaseSource):
        return table
    known = source.with_connections(settings.connections)
    return replace(table, model=table.landed.model_copy(update={"source": known}))


def _found_instead(path: Path) -> str:
    if path.exists():
        return "a file"
    parent = path.parent
    folders = [entry.name for entry in parent.iterdir() if entry.is_dir()] if parent.is_dir() else []
    return f"none{nearest(path.name, folders)}"


def yaml_files(root: Path) -> list[Path]:
    """Relative paths: `project.yaml` first, then the domains and their files by name."""
    paths = []
    for folder, folders, names in os.walk(root):
        folders[:] = [name for name in folders if not name.startswith(".")]
        place = Path(folder).relative_to(root)
        paths += [place / name for name in names if name.endswith(_ENDINGS) and not name.startswith(".")]
    return sorted(paths, key=_order)


def signs(root: Path) -> list[tuple[str, int, int, int, int]]:
    """Path, times (ns), inode and size (bytes) of each file of the project: a difference means that a file has changed.

    It covers tables, suites and records of authors. It includes the change time, since a tool that copies files may set the
    modification time of an earlier version of the same size.
    """
    signatures = []
    for folder, folders, names in os.walk(root):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for path in (f"{folder}/{name}" for name in names if name.endswith((*_ENDINGS, ".json"))):
            try:
                status = os.stat(path)  # noqa: PTH116 - each page asks this of every file: three times as quick as a path
            except OSError:
                continue  # deleted since it was listed
            signatures.append((path, status.st_mtime_ns, status.st_ctime_ns, status.st_ino, status.st_size))
    return sorted(signatures)


def _order(path: Path) -> tuple[bool, tuple[str, ...]]:
    return len(path.parts) > 1, path.parts


def _refuse_same_names(files: Sequence[Draft]) -> None:
    first: dict[str, Draft] = {}
    for file in files:
        earlier = first.setdefault(file.name, file)
        if earlier is not file:
            file.problems.append(
                Problem(file.file, 0, f"duplicate table '{file.name}': {earlier.file} describes it already")
            )
            file.is_second = True
