"""Defines the models of a project's YAML files, composed of sources, steps and rules."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, field_validator, model_validator

from dq_pipelines.config.model import Many, Strict, shown
from dq_pipelines.databases.connections import Connection
from dq_pipelines.monitoring.alerts.settings import Alerts, Route
from dq_pipelines.monitoring.anomalies.anomaly_rule import AnomalyRule
from dq_pipelines.project.day_pattern import DayPattern
from dq_pipelines.project.lifecycle import Freshness, Retention, RunHistory, Upkeep
from dq_pipelines.project.runtime_settings import Metrics, OpenLineage, Retries
from dq_pipelines.project.scalar_types import Cron, Owner, Tags, TimeZone
from dq_pipelines.rules import AnyRule
from dq_pipelines.security.oidc import OpenIdConnect
from dq_pipelines.sources import AnySource
from dq_pipelines.sources.names import cleaned, is_reserved, key
from dq_pipelines.transforms.option_checks import wrong_options
from dq_pipelines.transforms.options import CastOptions, Origin, Rounding, Unit
from dq_pipelines.transforms.steps import AnyStep
from dq_pipelines.transforms.types import TypeName


class Column(Strict):
    """A silver column: its type, and where it comes from."""

    #: one of the types below
    type: TypeName
    #: the landed column, if it has another name; of several the first that has a value, such as `[new, old]`
    source: Annotated[str | Many[str] | None, Field(alias="from")] = None
    #: strftime pattern for dates and times that are not ISO 8601
    format: str | None = None
    #: texts in this column that mean null, such as `[NA, "-"]`; a source's own `null_values` apply to
    #: all columns
    null_values: Many[str] = ()
    #: how to round a number that the type cannot hold exactly; without it the row is refused
    round: Rounding | None = None
    #: the unit of numbers that count from 1970-01-01 00:00 UTC, cast to dates or moments or from them
    unit: Unit | None = None
    #: how a workbook counts days, for numbers cast to dates: `excel` (1900-01-01 is 1) or `excel_1904`
    origin: Origin | None = None
    #: whether to remove blanks around a text; for `string`, other types ignore them anyway
    trim: bool = False
    description: str | None = None

    @model_validator(mode="after")
    def _options_fit_the_type(self) -> Column:
        wrong = wrong_options(self.type, self.options)
        if wrong is not None:
            raise ValueError(wrong)
        return self

    @property
    def options(self) -> CastOptions:
        """The options of the cast."""
        return CastOptions(self.format, self.round, self.unit, self.origin, self.trim)

    @property
    def sources(self) -> tuple[str, ...]:
        """The landed columns in `from`; none without it."""
        return (self.source,) if isinstance(self.source, str) else self.source or ()


def _function(text: str) -> str:
    module, _, name = text.partition(":")
    if not all(part.isidentifier() for part in [*module.split("."), name]):
        raise ValueError(f"wanted module:function, got {shown(text)}")
    return text


FunctionName = Annotated[str, AfterValidator(_function)]


def _column(value: Any) -> Any:
    return {"type": value} if isinstance(value, str) else value


class Merge(Strict):
    """Which of two rows with the same keys is published."""

    #: a column: the row with the greatest value wins, in whatever order rows arrive. Null is less than any value; of equal
    #: values the row that came last wins
    order_by: str


class Silver(Strict):
    """How landed rows become published ones."""

    #: columns that identify a row: rows with the same keys replace each other
    keys: Many[str] = ()
    #: `merge` by the keys (default with keys), `append` (default without), or `overwrite` the table with each batch
    write: Literal["append", "merge", "overwrite"] | None = None
    #: which row of the same keys wins; by default the one that came last
    merge: Merge | None = None
    #: name to type; an undeclared column passes as it landed
    columns: dict[str, Annotated[Column, BeforeValidator(_column)]] = {}
    #: steps, in this order, before the rules
    transform: Many[AnyStep] = ()
    #: rules for the rows and the table
    rules: Many[AnyRule] = ()
    #: metrics of each batch to watch for anomalies; see below
    anomalies: Many[AnomalyRule] = ()

    @field_validator("columns")
    @classmethod
    def _names_are_free_and_distinct(cls, columns: dict[str, Column]) -> dict[str, Column]:
        seen: dict[str, str] = {}
        for name in columns:
            if is_reserved(name):
                other = cleaned(name).strip("_ ") or "other"
                raise ValueError(
                    f"wanted a name that the lake does not keep for itself, got '{name}': write {other}: {{…, from: {name}}}"
                )
            if key(name) in seen:
                raise ValueError(f"wanted names that differ by more than case, got '{seen[key(name)]}' and '{name}'")
            seen[key(name)] = name
        return columns

    @field_validator("columns")
    @classmethod
    def _landed_columns_are_distinct(cls, columns: dict[str, Column]) -> dict[str, Column]:
        seen: dict[str, str] = {}
        for name, column in columns.items():
            wanted = next(iter(column.sources), name)
            other = seen.setdefault(key(wanted), name)
            if other != name:
                raise ValueError(
                    f"wanted another landed column for each, got '{other}' and '{name}' which both are from '{wanted}' "
                    f"(a second column of the same values: transform: [{{derive: {{{name}: {other}}}}}])"
                )
        return columns

    @model_validator(mode="after")
    def _merges_by_keys(self) -> Silver:
        if self.write == "merge" and not self.keys:
            raise ValueError("write: merge wants keys, got none")
        if self.merge is not None and self.mode != "merge":
            raise ValueError(f"merge: order_by wants write: merge with keys, got {self.mode}")
        return self

    @property
    def mode(self) -> Literal["append", "merge", "overwrite"]:
        """`write`, or what follows from the keys: merge with them, append without."""
        return self.write or ("merge" if self.keys else "append")

    @property
    def order_by(self) -> str | None:
        """The column that decides which row of the same keys wins; None: the one that came last."""
        return None if self.merge is None else self.merge.order_by


def _day_pattern(text: str) -> str:
    DayPattern.of(text)
    return text


def _first_day(day: date) -> date:
    # Dagster computes days before the first and after the last one, and a key has a year of four digits.
    if not 1000 <= day.year <= 9998:
        raise ValueError(f"wanted a day from 1000-01-01 to 9998-12-31, got {day.isoformat()}")
    return day


class DynamicPartitions(Strict):
    """One partition per file; its key is the file's name without the ending."""

    type: Literal["dynamic"]
    by: Literal["file"] = "file"


class DailyPartitions(Strict):
    """One partition per day; a file's day is the one in its path, written as `in_path`."""

    type: Literal["daily"]
    #: the first day
    start: Annotated[date, AfterValidator(_first_day)]
    #: strftime pattern of the day in the file's path; `2024-1-2` is read like `2024-01-02`
    in_path: Annotated[str, AfterValidator(_day_pattern)] = "%Y-%m-%d"
    #: the time zone in which a day begins: a file of a day waits until then
    timezone: TimeZone = "UTC"

    @property
    def pattern(self) -> DayPattern:
        return DayPattern.of(self.in_path)


Partitions = Annotated[DynamicPartitions | DailyPartitions, Field(discriminator="type")]


class _AnyTable(Strict):
    #: one sentence about the table; the UI shows it
    description: str | None = None
    #: `team:name` or e-mail addresses
    owners: Many[Owner] = ()
    #: key-value pairs for the UI and for selecting assets
    tags: Tags = {}
    #: cron: minute, hour, day, month, weekday
    schedule: Cron | None = None
    #: the time zone of `schedule`. A time that daylight saving skips runs right after the change, one that occurs twice runs the second
    #: time
    timezone: TimeZone = "UTC"
    #: the deadline for materializations, as Dagster shows it; see below
    freshness: Freshness | None = None
    #: what to measure of each batch; see below
    metrics: Metrics = Metrics()
    #: which events go to which channels of `project.yaml`, in place of its `alerts.when`; `[]` for none
    alerts: Many[Route] | None = None

    @model_validator(mode="after")
    def _timezone_needs_schedule(self) -> _AnyTable:
        if self.schedule is None and "timezone" in self.model_fields_set:
            raise ValueError("timezone is that of schedule, which is not given")
        return self


class LandedTable(_AnyTable):
    """A table that lands: bronze, silver and quarantine."""

    #: where rows come from, by `type`; see Sources
    source: AnySource
    silver: Silver = Silver()
    #: whether a sensor starts a run when a file lands
    on_arrival: bool = False
    #: how many new files a run takes at most, the oldest first; the others wait for the next runs (`null`: no limit).
    #: With `write: overwrite` a run takes every file of the snapshot
    max_files: Annotated[int, Field(ge=1)] | None = 1000
    #: how many bytes of new files a run takes at most, but at least one file; no limit by default
    max_bytes: Annotated[int, Field(ge=1)] | None = None
    #: how the table is partitioned; see below
    partitions: Partitions | None = None
    #: how long rows are kept; see below
    retention: Retention | None = None
    #: how often to try a source that fails temporarily, in place of the setting in `project.yaml`; see below
    retries: Retries | None = None
    #: which changes of columns silver accepts; each level includes the one before: `strict` none, `add_columns`
    #: new and missing columns, `widen` types that hold every value of both, `evolve` any type, as text if necessary
    evolution: Annotated[Literal["strict", "add_columns", "widen", "evolve"], Field(alias="schema")] = "strict"

    @model_validator(mode="after")
    def _takes_snapshots_whole(self) -> LandedTable:
        bounded = [name for name in ("max_files", "max_bytes") if name in self.model_fields_set and getattr(self, name)]
        if bounded and self.silver.mode == "overwrite":
            raise ValueError(f"{bounded[0]} wants write: merge or append, got overwrite: a snapshot is taken whole")
        return self


class Gold(Strict):
    """A query or a function over silver and gold tables; rules apply to the result."""

    #: a SELECT in DuckDB's SQL over `silver.<table>` and `gold.<table>`, in UTC; [gold.md](gold.md) has the types it may return
    sql: str | None = None
    #: a function, `module:function`, that takes the inputs as lazy frames and returns a frame or rows, as in [gold.md](gold.md)
    python: FunctionName | None = None
    #: the tables that the function takes, each as the argument of its name: `silver/<table>` or `gold/<table>`
    inputs: Many[str] = ()
    #: rules for the rows and the table
    rules: Many[AnyRule] = ()
    #: metrics of each computation to watch for anomalies; see below
    anomalies: Many[AnomalyRule] = ()

    @model_validator(mode="after")
    def _one_recipe(self) -> Gold:
        if (self.sql is None) == (self.python is None):
            found = "neither" if self.sql is None else "both"
            raise ValueError(f"wanted one of sql and python, got {found}")
        if self.sql is not None and self.inputs:
            raise ValueError("inputs are for python: those of a query are found in its SQL")
        return self


class GoldTable(_AnyTable):
    """A table that is computed from others."""

    gold: Gold
    #: `eager`: a run for each publication of an input; `manual`: only by hand or by a schedule
    automation: Literal["eager", "manual"] = "manual"

    @model_validator(mode="before")
    @classmethod
    def _has_no_retention(cls, value: Any) -> Any:
        if isinstance(value, dict) and "retention" in value:
            raise ValueError("retention is for tables that land: gold is computed anew from what its inputs keep")
        return value


class ProjectSettings(Strict):
    """`project.yaml`: settings for every table."""

    #: the project's name in reports
    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]+$")] = "dq"
    #: one sentence about the project
    description: str | None = None
    #: when to delete the old rows of tables with `retention`: a cron schedule in UTC
    retention_schedule: Cron = "0 3 * * *"
    #: when to compact small files and remove old ones; see below
    upkeep: Upkeep = Upkeep()
    #: how often to try a source that fails temporarily; see below
    retries: Retries = Retries()
    #: how long to keep Dagster's records of runs; `false` keeps them for ever; see below
    run_history: RunHistory | Literal[False] = RunHistory()
    #: databases that sources name, by name: `{shop: {url: "${SHOP_URL}"}}`, also through an SSH server (`tunnel`)
    connections: Mapping[str, Connection] = Field(default_factory=dict)
    #: whom to alert about failures; see below
    alerts: Alerts | None = None
    #: where to send OpenLineage events; see below
    openlineage: OpenLineage | None = None
    #: login to `dq serve` through an identity provider; see below
    oidc: OpenIdConnect | None = None
    #: the URL of Dagster's UI, for links in messages: `https://dagster.example.org`
    dagster_url: Annotated[str, Field(pattern=r"^https?://[^\s]+$")] | None = None
