"""Defines the YAML keys for the retention of rows, versions and runs, and for the freshness of tables."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import Field, model_validator

from dq_pipelines.config.cron import smallest_interval
from dq_pipelines.config.duration import Duration, Interval, duration, interval
from dq_pipelines.config.model import Strict
from dq_pipelines.project.scalar_types import Cron, TimeZone


class Retention(Strict):
    """How long to keep rows: older ones are deleted from bronze, silver and quarantine."""

    #: `12h`, `90d`, `8w` or `2y`; a year is 365 days
    keep: Duration
    #: the published date or datetime from which a row's age counts; without a zone it is UTC
    by: str
    #: whether to copy rows to the backup lake (`DQ_BACKUP`), and verify them there, before deleting them
    backup: bool = False

    @property
    def length(self) -> timedelta:
        return duration(self.keep)


class Upkeep(Strict):
    """When to compact small files, and how long to keep earlier versions of tables."""

    #: a cron schedule in UTC
    schedule: Cron = "0 4 * * 0"
    #: `12h`, `7d`, `8w` or `2y`: files that left a table earlier are removed; `dq restore --as-of` can go back as far
    keep_versions: Duration = "7d"

    @property
    def length(self) -> timedelta:
        return duration(self.keep_versions)


class RunHistory(Strict):
    """Which of Dagster's runs to keep, with their events and logs; the job `purge_runs` removes the others.

    It is on by default, since the records otherwise grow until the disk is full. Runs of other projects in the same Dagster
    stay, unless `of` is `all`. Unfinished runs and the newest run of each job always stay. So do the runs with the latest
    materialization of an asset or a partition, or with the latest result of a check.
    """

    #: how long to keep runs after their end: `12h`, `90d`, `8w` or `2y`; a year is 365 days
    keep: Duration = "90d"
    #: how many of the newest runs of each job to keep; others are removed at any age
    per_job: Annotated[int, Field(ge=1)] = 1000
    #: which runs to remove: only this `project`'s, by its history, or `all` in Dagster
    of: Literal["project", "all"] = "project"
    #: when to remove them: a cron schedule in UTC
    schedule: Cron = "0 5 * * *"

    @property
    def length(self) -> timedelta:
        return duration(self.keep)


class Freshness(Strict):
    """When the table must be materialized; Dagster's UI shows whether it was.

    Without `cron`: at least once in each `within`. With `cron`: by each tick, and at most `within` before it. A table
    of daily partitions takes only `cron`: by each tick, the partition of the day before is materialized. A run that finds
    nothing new counts as a materialization; the rule `expect_table_to_be_fresh` judges the age of the rows.
    """

    #: such as `30m`, `26h` or `7d`
    within: Interval | None = None
    #: the time without a materialization after which Dagster warns, less than `within`; not together with `cron`
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
            raise ValueError("warn_within goes only with within")
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
        """The duration of an interval in YAML; 0 for None."""
        return timedelta(0) if text is None else interval(text)
