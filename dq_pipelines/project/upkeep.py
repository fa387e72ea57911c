"""What YAML may say of rows that grow old and of files that pile up. What is done about them belongs in `pipeline`."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from pydantic import AfterValidator

from dq_pipelines.config import cron
from dq_pipelines.config.duration import Duration, duration
from dq_pipelines.config.model import Strict


def _cron(text: str) -> str:
    if problem := cron.problem(text):
        raise ValueError(problem)
    return text


Cron = Annotated[str, AfterValidator(_cron)]


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
