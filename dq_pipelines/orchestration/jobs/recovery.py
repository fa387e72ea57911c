"""Defines the jobs `restore_table`, `erase_rows` and `back_up`, which admins start on the page Admin.

`pipeline.maintenance` and `backups` do the work; as jobs they have the history, logs and cancel button of a run.
"""

# No `from __future__ import annotations` here: Dagster reads the context's annotation as it stands.
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any

import dagster as dg

from dq_pipelines.backups.copying import back_up
from dq_pipelines.backups.folder import backup_folder
from dq_pipelines.backups.places import places_of
from dq_pipelines.config.counting import counted
from dq_pipelines.config.private import private_folder
from dq_pipelines.config.settings import Settings
from dq_pipelines.errors import ConfigError, Problem, nearest
from dq_pipelines.lake.time_travel import Moment
from dq_pipelines.orchestration.jobs.ops import op_failures, work_on
from dq_pipelines.orchestration.runs.run_queue import SEVERAL, TABLES_TAG
from dq_pipelines.pipeline.maintenance.erasure import erase
from dq_pipelines.pipeline.maintenance.erasure_orders import take_order
from dq_pipelines.pipeline.maintenance.erasure_plan import ErasureRequest
from dq_pipelines.pipeline.maintenance.restore import plan_recovery, plan_restore, recover, restore
from dq_pipelines.pipeline.maintenance.wording import certificate_lines, recovery_lines, restore_lines
from dq_pipelines.pipeline.runtime.stores import Stores
from dq_pipelines.project import Project, Table, load_project

RESTORE, ERASE, BACK_UP = "restore_table", "erase_rows", "back_up"


def recovery_jobs(project: Project, stores: Stores) -> list[dg.JobDefinition]:
    """Returns the three jobs, those on tables if there is any. Their run config names a table, an order or a backup."""
    table = {"table": dg.Field(str, description="a table's name, as sales")}
    restoring = {
        **table,
        "layer": dg.Field(str, is_required=False, description="that layer alone, as silver"),
        "as_of": dg.Field(str, is_required=False, description="an ISO time (UTC without a zone) or a version"),
        "from_backup": dg.Field(bool, default_value=False, description="the rows that `retention` deleted"),
    }
    erasing = {"order": dg.Field(str, description="the id of an order that the page Admin has placed")}
    backing_up = {
        "name": dg.Field(str, description="of the new backup"),
        "lake_logs": dg.Field(bool, default_value=False, description="also the logs of the lake's tables"),
    }
    jobs = [
        _job(
            BACK_UP, "Copies history, state, Dagster's records and the project into a new folder", _back_up, backing_up
        )
    ]
    if len(project):
        jobs += [
            _job(
                RESTORE,
                "Restores a table to a time or version, or expired rows",
                partial(_restore, project, stores),
                restoring,
            ),
            _job(ERASE, "Erases rows from every layer, version and backup", partial(_erase, stores), erasing),
        ]
    return jobs


def _restore(project: Project, stores: Stores, context: dg.OpExecutionContext) -> Mapping[str, Any]:
    config = context.op_config
    table = _named(project, config["table"], context.job_name)
    with op_failures(stores.lake, table):
        work = work_on(context, table, stores)
        if config["from_backup"]:
            lines = list(recovery_lines(table, plan_recovery(work, stores.backups)))
            done = recover(work, stores.backups)
        else:
            moment, layer = Moment(config.get("as_of", "")), config.get("layer")
            lines = [line for each in plan_restore(work, moment, layer) for line in restore_lines(each)]
            done = restore(work, moment, layer)
    for line in lines:
        context.log.info(line)
    return {"restored": [f"{one.key}: version {one.version}, {counted(one.rows, 'row')}" for one in done]}


def _erase(stores: Stores, context: dg.OpExecutionContext) -> Mapping[str, Any]:
    settings = Settings.from_environment()
    with op_failures(stores.lake):
        order = take_order(context.op_config["order"], settings.state_folder)
    with op_failures(stores.lake), _without(order.where):
        project = load_project(settings.config)  # as a whole: a table that is left out may hold the rows
        table = _named(project, order.table, context.job_name)
        work = work_on(context, table, stores)
        request = ErasureRequest(work, project, order.where, stores.backups, order.also)
        certificate = erase(request, stores.history, order.by)
    for line in certificate_lines(certificate, request.predicate.masked):
        context.log.info(line)
    if certificate.not_judged:
        context.log.warning("not searched, since YAML no longer names them: %s", ", ".join(certificate.not_judged))
    return {
        "certificate": certificate.id,
        "table": certificate.table,
        "rows": certificate.rows,
        "to_materialize": list(certificate.gold_to_materialize),
        "inputs_that_held_them": list(certificate.inputs),
        "not_searched": list(certificate.not_judged),
    }


@contextmanager
def _without(condition: str) -> Iterator[None]:
    """Keep the condition, which names a person, out of errors: Dagster keeps them."""
    try:
        yield
    except ConfigError as error:
        problems = [replace(one, message=one.message.replace(condition, "the condition")) for one in error.problems]
        raise ConfigError(problems) from None


def _back_up(context: dg.OpExecutionContext) -> Mapping[str, Any]:
    settings, config = Settings.from_environment(), context.op_config
    with op_failures():
        target = backup_folder(settings) / config["name"]
        private_folder(target.parent)
        copied = back_up(places_of(settings, lake_logs=config["lake_logs"]), target)
    for each in copied:
        if each.elsewhere:
            context.log.warning("%s: not copied: %s", each.name, each.elsewhere)
        else:
            context.log.info("%s: %s, %.1f MB", each.name, counted(each.files, "file"), each.bytes / 1e6)
    return {"files": sum(each.files for each in copied), "bytes": sum(each.bytes for each in copied)}


def _job(
    name: str,
    description: str,
    do: Callable[[dg.OpExecutionContext], Mapping[str, Any]],
    config: dict[str, dg.Field],
) -> dg.JobDefinition:
    @dg.op(name=f"{name}_op", config_schema=config, out=dg.Out(dg.Nothing), description=description)
    def op(context: dg.OpExecutionContext) -> None:
        with op_failures():
            context.add_output_metadata(dict(do(context)))

    @dg.job(name=name, description=description, tags={TABLES_TAG: SEVERAL})
    def job() -> None:
        op()

    return job


def _named(project: Project, name: str, job: str) -> Table:
    table = project.tables.get(name)
    if table is None:
        raise ConfigError([Problem("", 0, f"{job}: unknown table '{name}'{nearest(name, project.tables)}")])
    return table
