"""What YAML may say of how long Dagster's records of runs are kept. What is done about them belongs in `pipeline`."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import Field

from dq_pipelines.config.duration import Duration, duration
from dq_pipelines.config.model import Strict
from dq_pipelines.project.upkeep import Cron


class RunHistory(Strict):
    """Which of Dagster's runs are kept, with their events and logs; the others are removed by the job `purge_runs`.

    It is on by default, for what nobody removes grows until the disk is full. Dagster's records may be those of other projects
    too: their runs stay unless `of` says otherwise. A run that is not finished stays, and so does the newest of each job, and each one that brought the latest
    materialization of an asset or a partition, or the latest result of a check.
    """

    #: runs that ended longer ago go: `12h`, `90d`, `8w` or `2y`; a year is 365 days
    keep: Duration = "90d"
    #: of each job, so many of the newest runs stay; the others go, however young
    per_job: Annotated[int, Field(ge=1)] = 1000
    #: whose runs go: this `project`'s, as its history knows them, or `all` that Dagster has
    of: Literal["project", "all"] = "project"
    #: when they go: a cron schedule in UTC
    schedule: Cron = "0 5 * * *"

    @property
    def length(self) -> timedelta:
        return duration(self.keep)
