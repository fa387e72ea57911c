"""Defines the job `purge_runs` and its schedule, unless `project.yaml` has `run_history: false`.

`runs/run_history.py` selects and removes the runs.
"""

# No `from __future__ import annotations` here: Dagster reads the context's annotation as it stands.
from collections.abc import Collection
from datetime import UTC, datetime

import dagster as dg

from dq_pipelines.orchestration.jobs.ops import clock, op_failures
from dq_pipelines.orchestration.runs.run_history import purge, runs_of
from dq_pipelines.pipeline.runtime.stores import Stores
from dq_pipelines.project import Project

JOB = "purge_runs"


def purge_jobs(project: Project, stores: Stores, other_jobs: Collection[str] = ()) -> list[dg.JobDefinition]:
    """Returns `purge_runs`, unless `run_history` is false. `other_jobs`: the project's other jobs on no table."""
    wanted = project.settings.run_history
    if wanted is False:
        return []

    # Not the job's name: Dagster refuses a code location in which an op and a job share a name.
    @dg.op(name=f"{JOB}_rows", config_schema={"dry_run": dg.Field(bool, default_value=False)}, out=dg.Out(dg.Nothing))
    def purge_op(context: dg.OpExecutionContext) -> None:
        dry_run = bool(context.op_config["dry_run"])
        with op_failures():
            ours = runs_of(stores.history, {JOB, *other_jobs}, wanted)
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
    """Returns the schedule of `purge_runs`."""
    wanted = project.settings.run_history
    return [] if wanted is False else [clock(JOB, wanted.schedule)]
