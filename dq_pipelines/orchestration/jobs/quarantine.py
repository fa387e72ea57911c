"""Jobs on refused rows: replay, export and import, with the history, logs and cancel of a run. What they do is in `pipeline`."""

# No `from __future__ import annotations` here: Dagster reads the context's annotation as it stands.
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import Any

import dagster as dg

from dq_pipelines.errors import ConfigError, Problem, nearest
from dq_pipelines.orchestration.checks.rule_checks import asset_key
from dq_pipelines.orchestration.jobs.ops import told_in_a_sentence, work_on
from dq_pipelines.orchestration.steps.step import USER_TAG
from dq_pipelines.pipeline.exchange.corrections_exchange import Returned, bring_back, export
from dq_pipelines.pipeline.quarantine.quarantine_status import Chosen
from dq_pipelines.pipeline.replay.replay import Replayed, replay
from dq_pipelines.pipeline.runtime.stores import Stores
from dq_pipelines.pipeline.runtime.table_run import Work
from dq_pipelines.project import Project

#: Which rows are meant; what is not said chooses all.
_CHOSEN = {name: dg.Field(str, is_required=False) for name in ("rule", "column", "batch")}
_DRY_RUN = {"dry_run": dg.Field(bool, default_value=False, description="judge and say, but write nothing")}


def quarantine_jobs(project: Project, stores: Stores) -> list[dg.JobDefinition]:
    """`quarantine_replay`, `quarantine_export` and `quarantine_import`; each is told a table or a file in its configuration."""
    if not _landed(project):
        return []
    # No Enum: Dagster knows it by its name alone, and takes that of one project for another's.
    table = {"table": dg.Field(str, description=f"one of {', '.join(_landed(project))}")}
    path = {"path": dg.Field(str, description="a file ending in .xlsx or .csv")}

    def replayed(context: dg.OpExecutionContext) -> None:
        asked = context.op_config
        work = _work(context, project, stores, asked["table"])
        done = replay(work, _chosen(asked), by=_who(context), dry_run=asked["dry_run"])
        context.log.info("%s: %s", work.table.key, done.sentence(dry_run=asked["dry_run"]))
        _tell(context, stores, work, done)

    def exported(context: dg.OpExecutionContext) -> None:
        asked = context.op_config
        count = export(_work(context, project, stores, asked["table"]), Path(asked["path"]), _chosen(asked))
        context.log.info("%s open rows of %s in %s", f"{count:,}", asked["table"], asked["path"])
        context.add_output_metadata({"rows": count, "path": dg.MetadataValue.path(asked["path"])})

    def imported(context: dg.OpExecutionContext) -> None:
        path = Path(context.op_config["path"])
        book = Returned.read(path)
        work = _work(context, project, stores, book.table_of(project, context.op_config.get("table")))
        done = bring_back(work, book, by=_who(context), dry_run=context.op_config["dry_run"])
        for problem in (*done.notes, *done.problems):
            context.log.warning("%s: %s", path, problem)
        context.log.info("%s: %s", work.table.key, done.sentence(dry_run=context.op_config["dry_run"]))
        _tell(context, stores, work, done.replayed, {"dismissed": done.dismissed, "problems": list(done.problems)})

    told = partial(told_in_a_sentence, stores.lake, *(table for table in project if not table.is_gold))
    return [
        _job(
            "quarantine_replay",
            "Judges open rows of a table by today's rules",
            replayed,
            table | _CHOSEN | _DRY_RUN,
            told,
        ),
        _job(
            "quarantine_export",
            "Writes open rows of a table to a file to be mended",
            exported,
            table | path | _CHOSEN,
            told,
        ),
        _job(
            "quarantine_import",
            "Publishes what was mended in such a file, as far as it passes",
            imported,
            path | {"table": dg.Field(str, is_required=False)} | _DRY_RUN,
            told,
        ),
    ]


def _landed(project: Project) -> list[str]:
    return [table.name for table in project if not table.is_gold]


def _job(
    name: str,
    description: str,
    do: Callable[[dg.OpExecutionContext], None],
    config: dict[str, Any],
    told: Callable[[], AbstractContextManager[None]],
) -> dg.JobDefinition:
    @dg.op(name=f"{name}_rows", config_schema=config, out=dg.Out(dg.Nothing), description=description)
    def op(context: dg.OpExecutionContext) -> None:
        with told():
            do(context)

    @dg.job(name=name, description=description)
    def job() -> None:
        op()

    return job


def _work(context: dg.OpExecutionContext, project: Project, stores: Stores, name: str) -> Work:
    if name not in (known := _landed(project)):
        raise ConfigError([Problem("", 0, f"{context.job_name}: no table '{name}' lands{nearest(name, known)}")])
    return work_on(context, project.tables[name], stores)


def _chosen(asked: dict[str, Any]) -> Chosen:
    return Chosen(asked.get("rule"), asked.get("column"), asked.get("batch"))


def _who(context: dg.OpExecutionContext) -> str:
    """The user whom the gateway has named, or the run."""
    return str(context.run.tags.get(USER_TAG, f"run {context.run_id}"))


def _tell(
    context: dg.OpExecutionContext, stores: Stores, work: Work, done: Replayed, more: dict[str, Any] | None = None
) -> None:
    """What came of it, as metadata of the step, in history, and as a materialization where rows were published."""
    for record in done.records:
        stores.history.record(record)
    counts = {"published": len(done.published), "refused_still": done.failing.height, "left_out": len(done.left_out)}
    context.add_output_metadata({**counts, **(more or {})})
    if done.records and done.published:
        for layer in ("silver", "quarantine"):
            table = work.lake.table(f"{layer}/{work.table.name}")
            metadata: dict[str, Any] = {"dagster/row_count": table.rows(), "replay": done.batch, **counts}
            context.log_event(dg.AssetMaterialization(asset_key(table.key), metadata=metadata))
