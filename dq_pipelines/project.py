"""The root model: every table of `assets_config/`, composed from the families and checked as a whole.

A project is one immutable value. It knows no Dagster and reads no data.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Discriminator, Field, Tag, model_validator

from dq_pipelines.config.model import Many, Strict
from dq_pipelines.rules import AnyRule, Rule
from dq_pipelines.rules.asides import Exists
from dq_pipelines.rules.base import RowRule
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
            raise ValueError("wanted one of sql and python, got both" if self.sql else "wanted one of sql and python, got neither")
        return self


class GoldTable(_AnyTable):
    """A table that is computed from others."""

    gold: Gold
    automation: Literal["eager", "manual"] = "manual"


def _kind(value: Any) -> str:
    if isinstance(value, Mapping):
        return "gold" if "gold" in value else "landed"
    return "gold" if isinstance(value, GoldTable) else "landed"


AnyTable = Annotated[
    Annotated[LandedTable, Tag("landed")] | Annotated[GoldTable, Tag("gold")],
    Discriminator(_kind),
]


@dataclass(frozen=True)
class Table:
    """One YAML file: its name, its domain, and what it says."""

    name: str
    domain: str
    model: LandedTable | GoldTable
    #: path of the YAML file, and the line on which each rule begins
    file: str = ""
    rule_lines: tuple[int, ...] = ()

    @property
    def is_gold(self) -> bool:
        return isinstance(self.model, GoldTable)

    @property
    def key(self) -> str:
        """The published table: `silver/<name>` or `gold/<name>`."""
        return f"{'gold' if self.is_gold else 'silver'}/{self.name}"

    @property
    def rules(self) -> tuple[Rule, ...]:
        return self.model.gold.rules if isinstance(self.model, GoldTable) else self.model.silver.rules

    @cached_property
    def upstream(self) -> tuple[str, ...]:
        """The tables that this one reads: parents of its foreign keys, and a gold table's inputs."""
        parents = [aside.table for rule in self.rules if isinstance(rule, RowRule) and isinstance(aside := rule.aside(), Exists)]
        return tuple(key for key in dict.fromkeys([*self._inputs, *parents]) if key != self.key)

    @cached_property
    def _inputs(self) -> list[str]:
        if not isinstance(self.model, GoldTable):
            return []
        if self.model.gold.sql is None:
            return list(self.model.gold.inputs)
        return sql_inputs(self.model.gold.sql)


def sql_inputs(sql: str) -> list[str]:
    """The `<layer>/<table>` keys that a query reads, in order; raises ValueError when it does not parse."""
    import sqlglot
    from sqlglot import exp

    try:
        query = sqlglot.parse_one(sql, dialect="duckdb")
    except sqlglot.errors.ParseError as error:
        first = error.errors[0] if error.errors else {"line": 1, "description": str(error)}
        raise ValueError(f"SQL does not parse at its line {first['line']}: {first['description']}") from None
    if not isinstance(query, exp.Query):
        raise ValueError(f"wanted a SELECT, got {type(query).__name__.upper()}")
    found = [f"{table.db}/{table.name}" for table in query.find_all(exp.Table) if table.db]
    return list(dict.fromkeys(found))


class ProjectSettings(Strict):
    """`project.yaml`: what holds for every table."""

    name: Annotated[str, Field(pattern=re.compile(r"^[A-Za-z0-9_-]+$").pattern)] = "dq"
    description: str | None = None


@dataclass(frozen=True)
class Project:
    """Everything under `assets_config/`."""

    settings: ProjectSettings = ProjectSettings()
    #: by name, in the order of domains and files
    tables: Mapping[str, Table] = field(default_factory=dict)
    #: the folder it was loaded from
    path: str = ""

    def __iter__(self) -> Iterator[Table]:
        return iter(self.tables.values())

    def by_key(self, key: str) -> Table | None:
        """The table that publishes `silver/<name>` or `gold/<name>`."""
        return next((table for table in self if table.key == key), None)
