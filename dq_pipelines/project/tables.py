"""What a YAML file of a project may say: the models, composed from the families of sources, steps and rules.

What follows from several files belongs in `whole` and `references`.
"""

from __future__ import annotations

import re
from datetime import date
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from dq_pipelines.config.model import Many, Strict
from dq_pipelines.rules import AnyRule
from dq_pipelines.sources import AnySource
from dq_pipelines.transforms.steps import AnyStep
from dq_pipelines.transforms.types import TypeName

Owner = Annotated[str, Field(pattern=r"^(team:[\w-]+|[^@\s]+@[^@\s]+)$")]
Cron = Annotated[str, Field(pattern=r"^(@\w+|\S+( \S+){4})$")]


class Column(Strict):
    """A silver column: its type, and where it comes from."""

    type: TypeName
    #: the landed column, where it has another name
    source: Annotated[str | None, Field(alias="from")] = None
    #: strftime pattern for dates and times that are no ISO 8601
    format: str | None = None
    description: str | None = None


def _column(value: Any) -> Any:
    return {"type": value} if isinstance(value, str) else value


class Silver(Strict):
    """How landed rows become published ones."""

    keys: Many[str] = ()
    write: Literal["append", "merge", "overwrite"] | None = None
    columns: dict[str, Annotated[Column, BeforeValidator(_column)]] = {}
    transform: Many[AnyStep] = ()
    rules: Many[AnyRule] = ()

    @model_validator(mode="after")
    def _merges_by_keys(self) -> Silver:
        if self.write == "merge" and not self.keys:
            raise ValueError("write: merge wants keys, got none")
        return self

    @property
    def mode(self) -> Literal["append", "merge", "overwrite"]:
        """`write`, or what follows from the keys: merge with them, append without."""
        return self.write or ("merge" if self.keys else "append")


class DynamicPartitions(Strict):
    """One partition per file; its key is the file's name without the ending."""

    type: Literal["dynamic"]
    by: Literal["file"] = "file"


class DailyPartitions(Strict):
    """One partition per day; a file belongs to the day that its path holds, written as `in_path`."""

    type: Literal["daily"]
    start: date
    in_path: str = "%Y-%m-%d"


Partitions = Annotated[DynamicPartitions | DailyPartitions, Field(discriminator="type")]


class _AnyTable(Strict):
    description: str | None = None
    owners: Many[Owner] = ()
    tags: dict[str, str] = {}
    schedule: Cron | None = None


class LandedTable(_AnyTable):
    """A table that comes from outside: bronze, silver and quarantine."""

    source: AnySource
    silver: Silver = Silver()
    on_arrival: bool = False
    partitions: Partitions | None = None


class Gold(Strict):
    """A query or a function over silver and gold tables, judged like any other."""

    sql: str | None = None
    python: Annotated[str | None, Field(pattern=r"^[\w.]+:\w+$")] = None
    inputs: Many[str] = ()
    rules: Many[AnyRule] = ()

    @model_validator(mode="after")
    def _one_recipe(self) -> Gold:
        if (self.sql is None) == (self.python is None):
            raise ValueError(
                "wanted one of sql and python, got both" if self.sql else "wanted one of sql and python, got neither"
            )
        return self


class GoldTable(_AnyTable):
    """A table that is computed from others."""

    gold: Gold
    automation: Literal["eager", "manual"] = "manual"


class ProjectSettings(Strict):
    """`project.yaml`: what holds for every table."""

    name: Annotated[str, Field(pattern=re.compile(r"^[A-Za-z0-9_-]+$").pattern)] = "dq"
    description: str | None = None
