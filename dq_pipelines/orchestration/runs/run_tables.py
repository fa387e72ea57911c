"""Finds the tables of the run that this process is for: a run loads these and what they read, and no other table.

A process that serves a code location, and any process that may need more, loads every table. Three kinds of process are for
one run: `dagster asset materialize` or `dg launch --assets`, `dagster api execute_run` and `execute_step`, and the children that a code server or the
multiprocess executor starts. To name a table too many costs time, to name one too few fails the run; in doubt, all are named.
"""

from __future__ import annotations

import base64
import multiprocessing
import warnings
import zlib
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

import click
import dagster as dg
from dagster._core.definitions.asset_selection import (
    DagsterInvalidAssetSelectionError,
    GroupsAssetSelection,
    KeysAssetSelection,
    KeyWildCardAssetSelection,
    OrAssetSelection,
    UpstreamAssetSelection,
    _wildcard_to_regex,
)
from dagster._core.definitions.assets.job.asset_job import IMPLICIT_ASSET_JOB_NAME
from dagster._core.definitions.target import ANONYMOUS_ASSET_JOB_PREFIX
from dagster._core.instance import InstanceRef
from dagster._grpc.types import ExecuteExternalJobArgs, ExecuteRunArgs, ExecuteStepArgs
from dagster._serdes import deserialize_value

from dq_pipelines.project import Project, load_sound_tables
from dq_pipelines.project.files import TableFile, table_files

#: Layers of tables that land, and of those that are computed.
_LAYERS = ("bronze", "silver", "quarantine", "gold")
#: Beginnings and ends of the names of jobs on one table.
_OF_ONE_TABLE = (
    ("checks__", ""),
    ("table__", ""),
    ("freshness__", ""),
    (f"{ANONYMOUS_ASSET_JOB_PREFIX}_", "_arrivals"),
    (f"{ANONYMOUS_ASSET_JOB_PREFIX}_", "_schedule"),
)


def load_tables_of_run(path: str) -> Project:
    """The sound tables of the project at `path` that this process needs: those of its run with what they read, or all.

    Raises ConfigError for problems of the whole project.
    """
    return load_sound_tables(path, only=tables_of_process(path))


def tables_of_process(path: str) -> Collection[str] | None:
    """The names of the tables that the run of this process selects; None if the process may need any table."""
    selected = _of_command(click.get_current_context(silent=True)) or _of_child(multiprocessing.current_process())
    if selected is None or not Path(path).is_dir():
        return None
    files = table_files(path)
    if isinstance(selected, dg.AssetSelection):
        return tables_of_selection(selected, files)
    return tables_of_run(selected, files)


def tables_of_run(run: dg.DagsterRun, files: Mapping[str, TableFile]) -> Collection[str] | None:
    """The tables of a launched run, by its selection or else by its job."""
    if run.asset_selection or run.asset_check_selection:
        checked = {key.asset_key for key in run.asset_check_selection or ()}
        return _tables({*(run.asset_selection or ()), *checked}, files)
    if run.job_name == IMPLICIT_ASSET_JOB_NAME:
        return None
    kind, _, domain = run.job_name.partition("__")
    if kind == "domain":
        return {file.name for file in files.values() if file.domain == domain} or None
    for begin, end in _OF_ONE_TABLE:
        name = run.job_name.removeprefix(begin).removesuffix(end)
        if run.job_name == f"{begin}{name}{end}" and name in files:
            return {name}
    return None


def tables_of_selection(selection: dg.AssetSelection, files: Mapping[str, TableFile]) -> Collection[str] | None:
    """The tables that a selection can resolve to, without what they read."""
    match selection:
        case KeysAssetSelection():
            return _tables(selection.selected_keys, files)
        case KeyWildCardAssetSelection():
            pattern = _wildcard_to_regex(selection.selected_key_wildcard)
            matching = {name for name in files if any(pattern.match(f"{layer}/{name}") for layer in _LAYERS)}
            return matching or None
        case GroupsAssetSelection():
            domains = set(selection.selected_groups)
            if domains <= {file.domain for file in files.values()}:
                return {file.name for file in files.values() if file.domain in domains}
        case UpstreamAssetSelection():
            return tables_of_selection(selection.child, files)
        case OrAssetSelection():
            parts = [tables_of_selection(part, files) for part in selection.operands]
            known = [part for part in parts if part is not None]
            if len(known) == len(parts):
                return set().union(*known)
    return None


def _tables(keys: Iterable[dg.AssetKey], files: Mapping[str, TableFile]) -> Collection[str] | None:
    """The names in these asset keys; None if one of them is no asset of a table here."""
    names = set()
    for key in keys:
        if len(key.path) != 2 or key.path[0] not in _LAYERS or key.path[1] not in files:
            return None
        names.add(key.path[1])
    return names


def _of_command(context: click.Context | None) -> dg.AssetSelection | dg.DagsterRun | None:
    """What the command line of this process selects; None for a command that is for no run."""
    if context is None or context.parent is None:
        return None
    given: Mapping[str, Any] = context.params
    match context.parent.info_name, context.info_name:
        case "asset", "materialize":
            return _selection(given["select"])
        case "dg", "launch":
            return _selection(given["assets"])
        case "api", "execute_run" | "execute_step":
            return _run_of_arguments(given)
    return None


def _selection(text: str | None) -> dg.AssetSelection | None:
    if text is None:
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Dagster warns when it parses the same text
            return dg.AssetSelection.from_coercible(text.split(","))
    except DagsterInvalidAssetSelectionError:
        return None  # Dagster refuses the command


def _run_of_arguments(given: Mapping[str, Any]) -> dg.DagsterRun | None:
    text = given["input_json"] or zlib.decompress(base64.b64decode(given["compressed_input_json"])).decode()
    arguments = deserialize_value(text, (ExecuteRunArgs, ExecuteStepArgs))
    return _run(arguments.run_id, arguments.instance_ref)


def _of_child(process: Any) -> dg.DagsterRun | None:
    """The run for which a code server or an executor has started this process; None for another process."""
    # Python and Dagster give no public way to the arguments of a child process. Without them, every table is loaded.
    match getattr(getattr(process, "_target", None), "__name__", ""), getattr(process, "_args", ()):
        case "start_run_in_subprocess", (str() as text, *_):  # of a code server
            execution = deserialize_value(text, ExecuteExternalJobArgs)
            return _run(execution.run_id, execution.instance_ref)
        case "_execute_command_in_child_process", (_, command):  # of the multiprocess executor
            run = getattr(command, "dagster_run", None)
            return run if isinstance(run, dg.DagsterRun) else None
    return None


def _run(run_id: str, reference: InstanceRef | None) -> dg.DagsterRun | None:
    with dg.DagsterInstance.from_ref(reference) if reference is not None else dg.DagsterInstance.get() as instance:
        return instance.get_run_by_id(run_id)
