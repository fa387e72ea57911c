"""How long rows, versions of tables and Dagster's runs are kept, and when a table has to be fresh: their keys in YAML."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import Field, model_validator

from dq_pipelines.config.cron import smallest_interval
from dq_pipelines.config.duration import Duration, Interval, duration, interval
from dq_pipelines.config.model import Strict
from dq_pipelines.project.scalar_types import Cron, TimeZone


class Retention(Strict):
    """How long rows are kept: older ones are deleted from bronze, silver and quarantine."""

    #: `12h`, `90d`, `8w` or `2y`; a year is 365 days
    keep: Duration
    #: the published date or datetime that gives a row its age; without a zone it is UTC
    by: str
    #: whether what goes is first copied to the backup lake (`DQ_BACKUP`), and verified there
    backup: bool = False

    @property
    def length(self) -> timedelta:
        return duration(self.keep)


class Upkeep(Strict):
    """When small files are put together, and for how long earlier versions of tables can be read."""

    #: a cron schedule in UTC
    schedule: Cron = "0 4 * * 0"
    #: `12h`, `7d`, `8w` or `2y`: files that left a table longer ago are removed; `dq restore --as-of` reaches back as far
    keep_versions: Duration = "7d"

    @property
    def length(self) -> timedelta:
        return duration(self.keep_versions)


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


class Freshness(Strict):
    """When the table has to be materialized; Dagster's UI shows whether it was.

    Without `cron`: at least once in each `within`. With `cron`: by each tick, and at most `within` before it. A table
    of daily partitions takes `cron` alone: by each tick, the partition of the day before is materialized. A run that finds
    nothing new counts as a materialization; how old the rows are is judged by the rule `expect_table_to_be_fresh`.
    """

    #: such as `30m`, `26h` or `7d`
    within: Interval | None = None
    #: after which time without a materialization Dagster warns, less than `within`; not beside `cron`
    warn_within: Interval | None = None
    #: the deadlines, as a cron schedule
    cron: Cron | None = None
    #: the time zone of `cron`
    timezone: TimeZone = "UTC"

    @model_validator(mode="after")
    def _fits(self) -> Freshness:
        if self.within is None and self.cron is None:
            raise ValueError("wanted within, cron or both, got neither")
        if self.cron is None and "timezone" in self.model_fields_set:
            raise ValueError("timezone is that of cron, which is not given")
        if self.warn_within is not None and (self.within is None or self.cron is not None):
            raise ValueError("warn_within goes with within alone")
        if self.warn_within is not None and self.length(self.warn_within) >= self.length(self.within):
            raise ValueError(f"wanted warn_within to be less than within ({self.within}), got {self.warn_within}")
        if self.cron is not None and self.within is not None:
            least = smallest_interval(self.cron)
            if self.length(self.within) > least:
                raise ValueError(
                    f"wanted within to be at most the time between two ticks of '{self.cron}' ({least}), got {self.within}"
                )
        return self

    @staticmethod
    def length(text: str | None) -> timedelta:
        """A length of time that YAML says; none for None."""
        return timedelta(0) if text is None else interval(text)
