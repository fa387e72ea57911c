"""Defines the project as one immutable value: its tables by name, what each publishes and what each reads.

`loading` checks it before it exists. This module uses no Dagster and reads no data.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from dq_pipelines.errors import Problem
from dq_pipelines.monitoring.anomalies.anomaly_rule import AnomalyRule
from dq_pipelines.project.runtime_settings import Retries
from dq_pipelines.project.sql import reads
from dq_pipelines.project.tables import DailyPartitions, Gold, GoldTable, LandedTable, ProjectSettings
from dq_pipelines.rules import Rule
from dq_pipelines.rules.core.auxiliary_queries import Exists
from dq_pipelines.rules.core.on_rows import RowRule
from dq_pipelines.rules.core.on_tables import GroupRule, QueryRule


@dataclass(frozen=True)
class Table:
    """One YAML file: the table's name, its domain and its model."""

    name: str
    domain: str
    model: LandedTable | GoldTable
    #: path of the YAML file as the user knows it
    file: str = ""
    #: the line on which each rule begins, in the order of `rules`
    rule_lines: tuple[int, ...] = ()
    #: the line of `partitions`; 0 without it
    partitions_line: int = 0
    #: how often a failing source is retried: the table's own setting, or the project's
    retries: Retries = field(default_factory=Retries)

    @property
    def is_gold(self) -> bool:
        return isinstance(self.model, GoldTable)

    @property
    def landed(self) -> LandedTable:
        """The model of a table that lands; raises TypeError for a gold table."""
        if not isinstance(self.model, LandedTable):
            raise TypeError(f"{self.key} is computed, it does not land")
        return self.model

    @property
    def gold(self) -> Gold:
        """How a gold table is computed; raises TypeError for a table that lands."""
        if not isinstance(self.model, GoldTable):
            raise TypeError(f"{self.key} lands, it is not computed")
        return self.model.gold

    @cached_property
    def key(self) -> str:
        """The published table: `silver/<name>` or `gold/<name>`."""
        return f"{'gold' if self.is_gold else 'silver'}/{self.name}"

    @cached_property
    def assets(self) -> tuple[str, ...]:
        """The keys of its Dagster assets."""
        layers = ("gold",) if self.is_gold else ("bronze", "silver", "quarantine")
        return tuple(f"{layer}/{self.name}" for layer in layers)

    @cached_property
    def keys(self) -> tuple[str, ...]:
        """The keys of its tables in the lake; the quarantine of a gold table is not an asset."""
        return (*self.assets, f"quarantine/{self.name}") if self.is_gold else self.assets

    @property
    def rules(self) -> tuple[Rule, ...]:
        return self.model.gold.rules if isinstance(self.model, GoldTable) else self.model.silver.rules

    @property
    def anomalies(self) -> tuple[AnomalyRule, ...]:
        """The metrics that are watched for anomalies."""
        return self.model.gold.anomalies if isinstance(self.model, GoldTable) else self.model.silver.anomalies

    @property
    def is_daily(self) -> bool:
        """Whether it has one partition per day."""
        return isinstance(self.model, LandedTable) and isinstance(self.model.partitions, DailyPartitions)

    @cached_property
    def parents(self) -> Mapping[int, Exists]:
        """The foreign keys, by the index of their rule."""
        asides = {index: rule.auxiliary_query() for index, rule in enumerate(self.rules) if isinstance(rule, RowRule)}
        return {index: aside for index, aside in asides.items() if isinstance(aside, Exists)}

    @cached_property
    def looked_at(self) -> Mapping[int, tuple[str, ...]]:
        """The other tables that rules on the whole table read, by the index of the rule."""
        rules = enumerate(self.rules)
        return {index: rule.reads for index, rule in rules if isinstance(rule, GroupRule | QueryRule) and rule.reads}

    @cached_property
    def inputs(self) -> tuple[str, ...]:
        """What a gold table is computed from: the tables of its SQL, or the `inputs` of its function."""
        if not isinstance(self.model, GoldTable):
            return ()
        if self.model.gold.sql is None:
            return self.model.gold.inputs
        return tuple(read.key for read in reads(self.model.gold.sql))

    @cached_property
    def upstream(self) -> tuple[str, ...]:
        """The keys of the tables that this one reads: a gold table's inputs, and those that rules read."""
        parents = [parent.table for parent in self.parents.values()]
        keys = [*self.inputs, *parents, *(key for keys in self.looked_at.values() for key in keys)]
        return tuple(key for key in dict.fromkeys(keys) if key != self.key)

    def left_out(self, *problems: Problem, waits_for: str = "") -> LeftOut:
        """This table as one that no run includes: because of its problems, or of a table that it waits for."""
        return LeftOut(self.name, self.domain, self.key, self.file, self.model.owners, problems, waits_for)


@dataclass(frozen=True)
class LeftOut:
    """A table that no run includes until somebody corrects a file: its own is invalid, or that of a table that it reads."""

    name: str
    #: "" for a file outside of any domain
    domain: str
    #: `silver/<name>` or `gold/<name>`, as far as the file can be read; "" if another file has this name
    key: str
    #: path of the YAML file as the user knows it
    file: str
    owners: tuple[str, ...] = ()
    #: what is wrong with it
    problems: tuple[Problem, ...] = ()
    #: the key of the left-out table that it reads
    waits_for: str = ""

    @property
    def why(self) -> str:
        """The reason, in one sentence."""
        if not self.problems:
            return f"{self.file}: blocked, since it reads {self.waits_for}, whose file is not sound"
        more = f" (and {len(self.problems) - 1} more, see dq check)" if len(self.problems) > 1 else ""
        return f"{self.problems[0]}{more}"


def owners_of(content: Mapping[str, Any]) -> tuple[str, ...]:
    """The owners that a table's YAML names, whether it is valid or not."""
    owners = content.get("owners")
    return tuple(owner for owner in owners if isinstance(owner, str)) if isinstance(owners, list) else ()


@dataclass(frozen=True)
class Project:
    """Everything under `assets_config/`."""

    settings: ProjectSettings = field(default_factory=ProjectSettings)
    #: by name, in the order of domains and files
    tables: Mapping[str, Table] = field(default_factory=dict)
    #: the folder it was loaded from
    path: str = ""
    #: tables that no run includes; empty after `load_project`
    left_out: tuple[LeftOut, ...] = ()

    def __iter__(self) -> Iterator[Table]:
        return iter(self.tables.values())

    def __len__(self) -> int:
        return len(self.tables)

    @property
    def with_retention(self) -> list[Table]:
        """The tables with `retention`."""
        return [table for table in self if not table.is_gold and table.landed.retention is not None]

    def by_key(self, key: str) -> Table | None:
        """The table that publishes `silver/<name>` or `gold/<name>`."""
        table = self.tables.get(key.partition("/")[2])
        return table if table is not None and table.key == key else None

    def left_out_by_key(self, key: str) -> LeftOut | None:
        """The left-out table that would be in the lake as `<layer>/<name>`."""
        layer, _, name = key.partition("/")
        for table in self.left_out:
            layers = ("gold", "quarantine") if table.key.startswith("gold/") else ("bronze", "silver", "quarantine")
            if table.key and table.name == name and layer in layers:
                return table
        return None

    def leaving_out(self, more: Iterable[LeftOut]) -> Project:
        """The project without these tables, and without those that read a left-out table."""
        left_out = [*self.left_out, *more]
        keys = {one.key for one in left_out if one.key}
        tables = {name: table for name, table in self.tables.items() if table.key not in keys}
        while waiting := [(table, key) for table in tables.values() if (key := _missing(table, left_out))]:
            for table, key in waiting:
                left_out.append(table.left_out(waits_for=key))
                del tables[table.name]
        return replace(self, tables=tables, left_out=tuple(left_out))

    @property
    def domains(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(table.domain for table in self))

    @property
    def scopes(self) -> tuple[str, ...]:
        """The scopes that a role can have, sorted: `domain:<name>`, and `team:<name>` of the tables' owners."""
        teams = {owner for table in self for owner in table.model.owners if owner.startswith("team:")}
        return tuple(sorted({f"domain:{name}" for name in self.domains} | teams))


def _missing(table: Table, left_out: Sequence[LeftOut]) -> str:
    """The key of a left-out table that this one reads; "" for none."""
    names = {one.name for one in left_out if one.key}
    return next((key for key in table.upstream if key.partition("/")[2] in names), "")
