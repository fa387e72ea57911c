"""Defines the jobs `quarantine_replay`, `quarantine_export` and `quarantine_import`.

`pipeline.replay` and `pipeline.exchange` do the work; as jobs they have the history, logs and cancel button of a run.
"""

# No `from __future__ import annotations` here: Dagster reads the context's annotation as it stands.
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import Any

import dagster as dg

from dq_pipelines.errors import ConfigError, Problem, nearest
from dq_pipelines.orchestration.checks.rule_checks import asset_key
from dq_pipelines.orchestration.jobs.ops import op_failures, work_on
from dq_pipelines.orchestration.steps.step import USER_TAG
from dq_pipelines.pipeline.exchange.corrections_exchange import ReturnedFile, export, import_corrections
from dq_pipelines.pipeline.quarantine.quarantine_status import RefusedRowFilter
from dq_pipelines.pipeline.replay.replay import replay
from dq_pipelines.pipeline.replay.replayed import Replayed
from dq_pipelines.pipeline.runtime.stores import Stores
from dq_pipelines.pipeline.runtime.table_run import TableRun
from dq_pipelines.project import Project

#: Config fields that select refused rows; without them, all.
_SELECTION = {name: dg.Field(str, is_required=False) for name in ("rule", "column", "batch")}
_IDS = {"ids": dg.Field([str], is_required=False, description="only the rows with these _id")}
_DRY_RUN = {"dry_run": dg.Field(bool, default_value=False, description="judge and report, but write nothing")}


def quarantine_jobs(project: Project, stores: Stores) -> list[dg.JobDefinition]:
    """Returns the three jobs, if any table lands. Their run config names a table or a file."""
    if not _landed(project):
        return []
    # No Enum: Dagster identifies an Enum by name alone, and would mix up those of two projects.
    table = {"table": dg.Field(str, description=f"one of {', '.join(_landed(project))}")}
    path = {"path": dg.Field(str, description="a file ending in .xlsx or .csv")}

    def replayed(context: dg.OpExecutionContext) -> None:
        config = context.op_config
        work = _work(context, project, stores, config["table"])
        done = replay(work, _selection(config), by=_user(context), dry_run=config["dry_run"])
        context.log.info("%s: %s", work.table.key, done.sentence(dry_run=config["dry_run"]))
        _report(context, stores, work, done)

    def exported(context: dg.OpExecutionContext) -> None:
        config = context.op_config
        count = export(_work(context, project, stores, config["table"]), Path(config["path"]), _selection(config))
        context.log.info("%s open rows of %s in %s", f"{count:,}", config["table"], config["path"])
        context.add_output_metadata({"rows": count, "path": dg.MetadataValue.path(config["path"])})

    def imported(context: dg.OpExecutionContext) -> None:
        path = Path(context.op_config["path"])
        book = ReturnedFile.read(path)
        work = _work(context, project, stores, book.table_of(project, context.op_config.get("table")))
        done = import_corrections(work, book, by=_user(context), dry_run=context.op_config["dry_run"])
        for problem in (*done.notes, *done.problems):
            context.log.warning("%s: %s", path, problem)
        context.log.info("%s: %s", work.table.key, done.sentence(dry_run=context.op_config["dry_run"]))
        _report(context, stores, work, done.replayed, {"dismissed": done.dismissed, "problems": list(done.problems)})

    failures = partial(op_failures, stores.lake, *(table for table in project if not table.is_gold))
    return [
        _job(
            "quarantine_replay",
            "Judges open rows of a table again by the current rules",
            replayed,
            table | _SELECTION | _IDS | _DRY_RUN,
            failures,
        ),
        _job(
            "quarantine_export",
            "Writes open rows of a table to a file for correction",
            exported,
            table | path | _SELECTION,
            failures,
        ),
        _job(
            "quarantine_import",
            "Publishes the corrected rows of such a file that pass",
            imported,
            path | {"table": dg.Field(str, is_required=False)} | _DRY_RUN,
            failures,
        ),
    ]


def _landed(project: Project) -> list[str]:
    return [table.name for table in project if not table.is_gold]


def _job(
    name: str,
    description: str,
    do: Callable[[dg.OpExecutionContext], None],
    config: dict[str, Any],
    failures: Callable[[], AbstractContextManager[None]],
) -> dg.JobDefinition:
    @dg.op(name=f"{name}_rows", config_schema=config, out=dg.Out(dg.Nothing), description=description)
    def op(context: dg.OpExecutionContext) -> None:
        with failures():
            do(context)

    @dg.job(name=name, description=description)
    def job() -> None:
        op()

    return job


def _work(context: dg.OpExecutionContext, project: Project, stores: Stores, name: str) -> TableRun:
    if name not in (landed := _landed(project)):
        raise ConfigError([Problem("", 0, f"{context.job_name}: no table '{name}' lands{nearest(name, landed)}")])
    return work_on(context, project.tables[name], stores)


def _selection(config: dict[str, Any]) -> RefusedRowFilter:
    return RefusedRowFilter(config.get("rule"), config.get("column"), config.get("batch"), config.get("ids"))


def _user(context: dg.OpExecutionContext) -> str:
    """Returns the user that the gateway has put into the run's tags, or else the run."""
    return str(context.run.tags.get(USER_TAG, f"run {context.run_id}"))


def _report(
    context: dg.OpExecutionContext, stores: Stores, work: TableRun, done: Replayed, more: dict[str, Any] | None = None
) -> None:
    """Records the result in history, as metadata of the step, and as a materialization where rows were published."""
    for record in done.records:
        stores.history.record(record)
    counts = {"published": len(done.published), "refused_still": done.failing.height, "left_out": len(done.left_out)}
    context.add_output_metadata({**counts, **(more or {})})
    if done.records and done.published:
        for layer in ("silver", "quarantine"):
            table = work.lake.table(f"{layer}/{work.table.name}")
            metadata: dict[str, Any] = {"dagster/row_count": table.rows(), "replay": done.batch, **counts}
            context.log_event(dg.AssetMaterialization(asset_key(table.key), metadata=metadata))
