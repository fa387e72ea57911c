"""What YAML may say of when a table has to be materialized. Dagster's own policies and checks are made in `pipeline`."""

from __future__ import annotations

from datetime import timedelta

from pydantic import model_validator

from dq_pipelines.config.cron import smallest_interval
from dq_pipelines.config.duration import Interval, interval
from dq_pipelines.config.model import Strict
from dq_pipelines.project.time_zone import TimeZone
from dq_pipelines.project.upkeep import Cron


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
