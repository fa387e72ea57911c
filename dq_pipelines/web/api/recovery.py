"""Restores tables, erases rows, and backs up the installation: each is tried first, then done by a job. For admins of all tables."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from fastapi import APIRouter, Depends, Request

from dq_pipelines.backups.copying import MANIFEST
from dq_pipelines.backups.folder import backup_folder, backups_in, new_backup_name
from dq_pipelines.backups.places import places_of
from dq_pipelines.config.counting import counted
from dq_pipelines.config.settings import Settings
from dq_pipelines.errors import ConfigError, Problem, nearest
from dq_pipelines.lake.time_travel import Moment
from dq_pipelines.pipeline.maintenance.erasure_orders import ErasureOrder, place_order, withdraw_order
from dq_pipelines.pipeline.maintenance.erasure_plan import ErasureRequest
from dq_pipelines.pipeline.maintenance.restore import plan_recovery, plan_restore
from dq_pipelines.pipeline.maintenance.wording import erasure_lines, recovery_lines, restore_lines
from dq_pipelines.pipeline.runtime.table_run import TableRun
from dq_pipelines.project import Project, Table, load_project
from dq_pipelines.security.roles import Permission
from dq_pipelines.web.api.dependencies import Asker, Behind, Dagster, everywhere, note, refusals_noted
from dq_pipelines.web.api.maintenance import Started
from dq_pipelines.web.api.recovery_models import (
    BackUp,
    BackupLine,
    Backups,
    DryRun,
    Erase,
    ErasureConfirmed,
    Restore,
)
from dq_pipelines.web.auth.access import Caller
from dq_pipelines.web.backend import Backend
from dq_pipelines.web.dagster_client import DagsterError, DagsterHost
from dq_pipelines.web.dagster_client.launching import Launch
from dq_pipelines.web.problem_details import ApiError, problems

router = APIRouter(prefix="/maintenance", tags=["maintenance"], dependencies=[Depends(everywhere(Permission.ADMIN))])

#: A dry run of an erasure reads whole tables in a thread of this server: one at a time.
_reading = threading.Lock()
_LAYERS = ("bronze", "silver", "gold", "quarantine")


@router.post(
    "/restore/dry-run",
    summary="What a restore of a table would change",
    operation_id="restore_dry_run",
    responses=problems(422, 503),
)
def restore_dry_run(wanted: Restore, request: Request, behind: Behind) -> DryRun:
    with refusals_noted(request, "maintenance.restore", wanted.table, dry_run=True):
        lines, changes = _restore_plan(wanted, behind)
    note(request, "maintenance.restore", wanted.table, dry_run=True, **_told(wanted))
    return DryRun(changes=changes, sentence="\n".join(lines))


@router.post(
    "/restore",
    summary="Start a job that restores a table",
    description="Batches that silver consumed after that time are pending again, and the next run judges them.",
    operation_id="restore",
    status_code=202,
    responses=problems(409, 422, 502, 503),
)
def restore(wanted: Restore, request: Request, behind: Behind, caller: Asker, dagster: Dagster) -> Started:
    with refusals_noted(request, "maintenance.restore", wanted.table):
        lines, changes = _restore_plan(wanted, behind)
        if not changes:
            raise ApiError(409, f"there is nothing to restore: {lines[0]}")
        layer, _, name = wanted.table.rpartition("/")
        config = {"table": name, "from_backup": wanted.from_backup}
        config |= {key: value for key, value in (("layer", layer), ("as_of", wanted.as_of or "")) if value}
        run_id = _launched("restore_table", config, caller, dagster)
    note(request, "maintenance.restore", wanted.table, run=run_id, **_told(wanted))
    return Started(run_id=run_id)


@router.post(
    "/erasure/dry-run",
    summary="How many rows an erasure would remove, by table",
    description="It reads the tables: minutes for large ones.",
    operation_id="erasure_dry_run",
    responses=problems(422, 503),
)
def erasure_dry_run(wanted: Erase, request: Request, behind: Behind) -> DryRun:
    with refusals_noted(request, "maintenance.erase", wanted.table, quotes=False, dry_run=True), _one_reads():
        erasure = _erasure(wanted, behind)
        lines = list(erasure_lines(erasure, dry_run=True))
    note(request, "maintenance.erase", wanted.table, where=erasure.predicate.masked, dry_run=True)
    return DryRun(changes=any(not line.endswith(": 0 rows would go") for line in lines), sentence="\n".join(lines))


@router.post(
    "/erasure",
    summary="Start a job that erases rows from every layer, version and backup",
    description=(
        "They cannot be restored. The job's record and the audit log have the condition without its values; "
        "the certificate lies in the lake's folder `.erasures`."
    ),
    operation_id="erase",
    status_code=202,
    responses=problems(409, 422, 502, 503),
)
def erase(wanted: ErasureConfirmed, request: Request, behind: Behind, caller: Asker, dagster: Dagster) -> Started:
    with refusals_noted(request, "maintenance.erase", wanted.table, quotes=False):
        if wanted.confirm != wanted.table:
            raise ApiError(422, f"body.confirm: wanted the table's name again, '{wanted.table}'")
        erasure = _erasure(wanted, behind)
        masked = erasure.predicate.masked
        order = ErasureOrder(erasure.work.table.name, wanted.where, tuple(wanted.also), caller.user.name)
        state = behind.site.state.folder
        id_ = place_order(order, state)
        try:
            run_id = _launched("erase_rows", {"order": id_}, caller, dagster)
        except BaseException:
            withdraw_order(id_, state)
            raise
    note(request, "maintenance.erase", wanted.table, where=masked, run=run_id)
    return Started(run_id=run_id)


@router.get("/backups", summary="The backups of the installation", operation_id="backups", responses=problems(422, 503))
def backups() -> Backups:
    folder = backup_folder(Settings.from_environment())
    items = [
        BackupLine(name=one.name, made_at=one.made_at, files=one.files, bytes=one.bytes) for one in backups_in(folder)
    ]
    return Backups(folder=str(folder), items=items)


@router.post(
    "/backups/dry-run",
    summary="What a backup would copy",
    operation_id="backup_dry_run",
    responses=problems(422, 503),
)
def backup_dry_run(wanted: BackUp, request: Request) -> DryRun:
    with refusals_noted(request, "maintenance.backup", wanted.name, dry_run=True):
        settings = Settings.from_environment()
        name = new_backup_name(backup_folder(settings), wanted.name)
        lines = [f"{backup_folder(settings)}/{name} with {MANIFEST}:"]
        for place in places_of(settings, lake_logs=wanted.lake_logs):
            files = [(place.folder / path) for path in place.files()] if place.folder is not None else []
            size = sum(path.stat().st_size for path in files if path.exists()) / 1e6
            copied = f"{counted(len(files), 'file')}, {size:,.1f} MB"
            lines.append(f"{place.name}: {place.elsewhere or copied}")
    return DryRun(changes=True, sentence="\n".join(lines))


@router.post(
    "/backups",
    summary="Start a job that backs up history, state, Dagster's records and the project",
    description="The backup has no rows of the lake. `dq backup --restore` puts it back where nothing exists yet.",
    operation_id="back_up",
    status_code=202,
    responses=problems(409, 422, 502, 503),
)
def back_up(wanted: BackUp, request: Request, caller: Asker, dagster: Dagster) -> Started:
    with refusals_noted(request, "maintenance.backup", wanted.name):
        settings = Settings.from_environment()
        name = new_backup_name(backup_folder(settings), wanted.name)
        places_of(settings, lake_logs=wanted.lake_logs)  # refused here rather than by the job
        run_id = _launched("back_up", {"name": name, "lake_logs": wanted.lake_logs}, caller, dagster)
    note(request, "maintenance.backup", name, run=run_id)
    return Started(run_id=run_id)


# --- within ------------------------------------------------------------------------------------------


@contextmanager
def _one_reads() -> Iterator[None]:
    if not _reading.acquire(blocking=False):
        raise ApiError(503, "another dry run reads the tables: try again")
    try:
        yield
    finally:
        _reading.release()


def _told(wanted: Restore) -> Mapping[str, str]:
    return {"to": "rows of the backup" if wanted.from_backup else str(wanted.as_of)}


def _restore_plan(wanted: Restore, behind: Backend) -> tuple[list[str], bool]:
    """What the restore changes, in lines, and whether it changes anything."""
    table, layer = _named(behind.site.known().project, wanted.table)
    work = TableRun(table, behind.site.stores.lake)
    if wanted.from_backup:
        if layer is not None or table.is_gold:
            raise ApiError(422, f"body.table: wanted a table with a source, without its layer, got {wanted.table}")
        planned = plan_recovery(work, behind.site.stores.backups)
        return list(recovery_lines(table, planned)), bool(planned)
    plans = plan_restore(work, Moment(str(wanted.as_of)), layer)
    return [line for each in plans for line in restore_lines(each)], any(each.changes for each in plans)


def _erasure(wanted: Erase, behind: Backend) -> ErasureRequest:
    """The request, whose condition is valid."""
    site = behind.site
    project = load_project(site.config)  # as a whole: a table that is left out may hold the rows
    table, _ = _named(project, wanted.table)
    if table.is_gold:
        raise ApiError(
            422,
            f"body.table: wanted a table with a source, got {table.key}: erase from the tables that it is computed from",
        )
    request = ErasureRequest(
        TableRun(table, site.stores.lake), project, wanted.where, site.stores.backups, tuple(wanted.also)
    )
    _ = request.predicate
    unnamed = {key.partition("/")[2] for _, _, key in request.unnamed}
    for name in wanted.also:
        if name not in unnamed:
            raise ApiError(422, f"body.also: wanted a table of the lake that YAML names no more, got '{name}'")
    return request


def _named(project: Project, name: str) -> tuple[Table, str | None]:
    """The table, and its layer if the name has one. Raises ConfigError for an unknown name."""
    layer, _, bare = name.rpartition("/")
    table = project.tables.get(bare)
    if table is None or (layer and (layer not in _LAYERS or name not in table.assets)):
        raise ConfigError([Problem("", 0, f"body.table: unknown table '{name}'{nearest(bare, project.tables)}")])
    return table, layer or None


def _launched(job: str, config: Mapping[str, Any], caller: Caller, dagster: DagsterHost) -> str:
    try:
        return Launch(job=job, config={"ops": {f"{job}_op": {"config": dict(config)}}}).submit(caller, dagster)
    except DagsterError as error:
        raise ApiError(409, f"{job} cannot run: {error}") from None
