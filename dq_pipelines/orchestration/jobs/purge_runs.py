"""Purging: the job `purge_runs` and its schedule, unless `project.yaml` says `run_history: false`. What goes belongs in `pipeline`."""

# No `from __future__ import annotations` here: Dagster reads the context's annotation as it stands.
from collections.abc import Collection
from datetime import UTC, datetime

import dagster as dg

from dq_pipelines.orchestration.jobs.ops import clock, told_in_a_sentence
from dq_pipelines.orchestration.runs.run_history import purge, runs_of
from dq_pipelines.pipeline.runtime.stores import Stores
from dq_pipelines.project import Project

JOB = "purge_runs"


def purge_jobs(project: Project, stores: Stores, beside: Collection[str] = ()) -> list[dg.JobDefinition]:
    """`purge_runs`, unless `run_history` is false; its run says what went. `beside` are the project's other jobs on no table."""
    wanted = project.settings.run_history
    if wanted is False:
        return []

    # Not the name of its job: Dagster loads no code location in which an op and a job share one.
    @dg.op(name=f"{JOB}_rows", config_schema={"dry_run": dg.Field(bool, default_value=False)}, out=dg.Out(dg.Nothing))
    def purge_op(context: dg.OpExecutionContext) -> None:
        dry_run = bool(context.op_config["dry_run"])
        with told_in_a_sentence():
            ours = runs_of(stores.history, {JOB, *beside}, wanted)
            purged = purge(
                context.instance, wanted, datetime.now(UTC), ours=ours, dry_run=dry_run, log=context.log.info
            )
        rows = [dg.TableRecord({"job": job, "runs": runs}) for job, runs in purged.runs.items()]
        schema = dg.TableSchema([dg.TableColumn("job", "string"), dg.TableColumn("runs", "int")])
        context.add_output_metadata(
            {
                "dry_run": dry_run,
                "runs": purged.total,
                "bytes_freed": purged.freed,
                "removed": dg.MetadataValue.table(rows, schema=schema),
                "kept": dict(purged.kept),
            }
        )

    @dg.job(
        name=JOB, description=f"Removes runs that ended over {wanted.keep} ago, or beyond {wanted.per_job:,} of a job"
    )
    def purge_runs() -> None:
        purge_op()

    return [purge_runs]


def purge_schedules(project: Project) -> list[dg.ScheduleDefinition]:
    """The clock of `purge_runs`."""
    wanted = project.settings.run_history
    return [] if wanted is False else [clock(JOB, wanted.schedule)]
