"""`dq purge`: removes old runs from Dagster's records, as the job `purge_runs` does, or counts them."""

from __future__ import annotations

import os
import sys
from functools import partial
from typing import Annotated, Any

import typer

from dq_pipelines.config.counting import counted
from dq_pipelines.errors import ConfigError, Problem

app = typer.Typer()


@app.command()
def purge(
    keep: Annotated[
        str | None, typer.Option("--keep", metavar="AGE", help="Remove runs that ended longer ago: 12h, 90d, 8w or 2y.")
    ] = None,
    per_job: Annotated[
        int | None, typer.Option("--per-job", min=1, help="Keep this many of each job's newest runs.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print what would be removed, and remove nothing.")
    ] = False,
) -> None:
    """Remove old runs from Dagster's records ($DAGSTER_HOME): by `run_history` of project.yaml, or by these options.

    Unfinished runs stay, and so do the newest runs of each job and the latest of each asset, partition and check.
    """
    import dagster as dg

    from dq_pipelines.orchestration.runs.run_history import purge as purge_runs
    from dq_pipelines.orchestration.runs.run_history import runs_of
    from dq_pipelines.pipeline.runtime.stores import Stores
    from dq_pipelines.rules.core.clock import now

    if not os.environ.get("DAGSTER_HOME"):
        raise ConfigError(
            [Problem("", 0, "dq purge: wanted the folder of Dagster's records in DAGSTER_HOME, got nothing")]
        )
    limits = _limits(keep, per_job)
    with dg.DagsterInstance.get() as instance:
        ours = runs_of(Stores.from_environment().history, ("purge_runs", "upkeep", "retention"), limits)
        log = partial(print, file=sys.stderr)
        purged = purge_runs(instance, limits, now(), ours=ours, dry_run=dry_run, log=log)
    verb = "would remove" if dry_run else "removed"
    freed = f", {purged.freed / 1e6:,.1f} MB of files" if purged.freed else ""
    print(f"{verb} {counted(purged.total, 'run')}{freed}")
    for job, runs in purged.runs.items():
        print(f"  {job}: {runs:,}")
    for reason, runs in purged.kept.items():
        print(f"  kept, {reason}: {runs:,}")


def _limits(keep: str | None, per_job: int | None) -> Any:
    from pydantic import ValidationError

    from dq_pipelines.cli.project_tables import sound_project
    from dq_pipelines.config.model import sentence
    from dq_pipelines.project import RunHistory

    options = {name: value for name, value in (("keep", keep), ("per_job", per_job)) if value is not None}
    written = sound_project().settings.run_history
    if written is False and not options:
        problem = "dq purge: wanted --keep or --per-job, since project.yaml has run_history: false"
        raise ConfigError([Problem("", 0, problem)])
    try:
        return RunHistory.model_validate({**(written.model_dump() if written else {}), **options})
    except ValidationError as error:
        lines = error.errors(include_url=False)
        raise ConfigError(
            [Problem("", 0, f"dq purge --{line['loc'][0]}: {sentence(line)}") for line in lines]
        ) from None
