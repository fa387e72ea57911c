"""What a YAML file of a project may say: the models, composed from the families of sources, steps and rules.

What follows from several files belongs in `model` and `references`.
"""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, field_validator, model_validator

from dq_pipelines.config.model import Many, Strict, shown
from dq_pipelines.monitoring.alerts.settings import Alerts, Route
from dq_pipelines.monitoring.anomalies.declared import AnomalyRule
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
    #: the landed column, where it has another name; of several the first that has a value, such as `[new, old]`
    source: Annotated[str | Many[str] | None, Field(alias="from")] = None
    #: strftime pattern for dates and times that are no ISO 8601
    format: str | None = None
    #: texts of this column that mean that there is no value, such as `[NA, "-"]`; a source's own `null_values` hold for
    #: all columns
    null_values: Many[str] = ()
    #: how a number is rounded that the type cannot hold exactly; without it the row is refused
    round: Rounding | None = None
    #: what numbers count since 1970-01-01 00:00 UTC, where they are dates or moments; or the other way round
    unit: Unit | None = None
    #: that numbers are a workbook's days: `excel` (1900-01-01 is 1) or `excel_1904`
    origin: Origin | None = None
    #: whether blanks around a text go; for `string`, other types pass over them anyway
    trim: bool = False
    description: str | None = None

    @model_validator(mode="after")
    def _asks_what_fits(self) -> Column:
        wrong = wrong_options(self.type, self.options)
        if wrong is not None:
            raise ValueError(wrong)
        return self

    @property
    def options(self) -> CastOptions:
        """What is asked of the cast."""
        return CastOptions(self.format, self.round, self.unit, self.origin, self.trim)

    @property
    def sources(self) -> tuple[str, ...]:
        """The landed columns that it may come from, as `from` has them; none where it has its own name."""
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

    #: a column: the row with the greater value counts, whenever it came; no value is less than any, and of equal
    #: values the row that came last counts
    order_by: str


class Silver(Strict):
    """How landed rows become published ones."""

    #: columns that tell one row from another: rows with the same keys replace each other
    keys: Many[str] = ()
    #: `merge` by the keys (default with keys), `append` (default without), or `overwrite` the table with each batch
    write: Literal["append", "merge", "overwrite"] | None = None
    #: which row of the same keys counts, where it is not the one that came last
    merge: Merge | None = None
    #: name to type; a column that is not declared passes as it landed
    columns: dict[str, Annotated[Column, BeforeValidator(_column)]] = {}
    #: steps, in this order, before the rules
    transform: Many[AnyStep] = ()
    #: what every row, or the table, must be like
    rules: Many[AnyRule] = ()
    #: metrics of each batch that are held against their own past; see below
    anomalies: Many[AnomalyRule] = ()

    @field_validator("columns")
    @classmethod
    def _are_names_of_its_own(cls, columns: dict[str, Column]) -> dict[str, Column]:
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
    def _are_of_landed_columns_of_their_own(cls, columns: dict[str, Column]) -> dict[str, Column]:
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
        """The column that says which row of the same keys counts; None for the one that came last."""
        return None if self.merge is None else self.merge.order_by


def _day_pattern(text: str) -> str:
    DayPattern.of(text)
    return text


def _first_day(day: date) -> date:
    # Dagster counts days beyond the first and the last year of the calendar; a key has a year of four digits.
    if not 1000 <= day.year <= 9998:
        raise ValueError(f"wanted a day from 1000-01-01 to 9998-12-31, got {day.isoformat()}")
    return day


class DynamicPartitions(Strict):
    """One partition per file; its key is the file's name without the ending."""

    type: Literal["dynamic"]
    by: Literal["file"] = "file"


class DailyPartitions(Strict):
    """One partition per day; a file belongs to the day that its path holds, written as `in_path`."""

    type: Literal["daily"]
    #: the first day
    start: Annotated[date, AfterValidator(_first_day)]
    #: strftime pattern of the day as the file's path has it; `2024-1-2` is read as `2024-01-02` is
    in_path: Annotated[str, AfterValidator(_day_pattern)] = "%Y-%m-%d"
    #: where a day begins: a file of a day waits until then
    timezone: TimeZone = "UTC"

    @property
    def pattern(self) -> DayPattern:
        return DayPattern.of(self.in_path)


Partitions = Annotated[DynamicPartitions | DailyPartitions, Field(discriminator="type")]


class _AnyTable(Strict):
    #: one sentence for people; the UI shows it
    description: str | None = None
    #: `team:name` or e-mail addresses
    owners: Many[Owner] = ()
    #: shown in the UI, and to select assets by
    tags: Tags = {}
    #: cron: minute, hour, day, month, weekday
    schedule: Cron | None = None
    #: the time zone of `schedule`. A time that a change of clocks leaves out runs right after it, one that comes twice runs the second
    #: time
    timezone: TimeZone = "UTC"
    #: when the table has to be materialized, as Dagster shows it; see below
    freshness: Freshness | None = None
    #: what is measured of each batch; see below
    metrics: Metrics = Metrics()
    #: which events go to which channels of `project.yaml`, in place of its `alerts.when`; `[]` for none
    alerts: Many[Route] | None = None

    @model_validator(mode="after")
    def _has_a_clock(self) -> _AnyTable:
        if self.schedule is None and "timezone" in self.model_fields_set:
            raise ValueError("timezone is that of schedule, which is not given")
        return self


class LandedTable(_AnyTable):
    """A table that comes from outside: bronze, silver and quarantine."""

    #: where rows come from, by `type`; see Sources
    source: AnySource
    silver: Silver = Silver()
    #: whether a sensor starts a run when a file lands
    on_arrival: bool = False
    #: how many new files a run takes at most, the oldest first; the others wait for the next runs (`null`: no limit).
    #: A table that is overwritten is a snapshot, of which a run takes every file
    max_files: Annotated[int, Field(ge=1)] | None = 1000
    #: how many bytes of new files a run takes at most, but at least one file; no limit without it
    max_bytes: Annotated[int, Field(ge=1)] | None = None
    #: whether the table is kept in parts, and how; see below
    partitions: Partitions | None = None
    #: how long rows are kept; see below
    retention: Retention | None = None
    #: how often the source is tried when it fails for a moment, where it is not as `project.yaml` says; see below
    retries: Retries | None = None
    #: which changes of its columns silver takes on, each with what the one before does: `strict` none, `add_columns`
    #: new and missing ones, `widen` types that hold every value of both, `evolve` any type, as text if need be
    evolution: Annotated[Literal["strict", "add_columns", "widen", "evolve"], Field(alias="schema")] = "strict"

    @model_validator(mode="after")
    def _takes_snapshots_whole(self) -> LandedTable:
        bounded = [name for name in ("max_files", "max_bytes") if name in self.model_fields_set and getattr(self, name)]
        if bounded and self.silver.mode == "overwrite":
            raise ValueError(f"{bounded[0]} wants write: merge or append, got overwrite: a snapshot is taken whole")
        return self


class Gold(Strict):
    """A query or a function over silver and gold tables, judged like any other."""

    #: a SELECT in DuckDB's SQL over `silver.<table>` and `gold.<table>`, in UTC; what it may give is in [gold.md](gold.md)
    sql: str | None = None
    #: a function, `module:function`, that takes the inputs as lazy frames and gives a frame or rows, as in [gold.md](gold.md)
    python: FunctionName | None = None
    #: the tables that the function takes, each as the argument of its name: `silver/<table>` or `gold/<table>`
    inputs: Many[str] = ()
    #: what every row, or the table, must be like
    rules: Many[AnyRule] = ()
    #: metrics of each computation that are held against their own past; see below
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
    #: `eager`: computed for each publication of an input; `manual`: when somebody or a schedule asks
    automation: Literal["eager", "manual"] = "manual"

    @model_validator(mode="before")
    @classmethod
    def _keeps_what_its_inputs_keep(cls, value: Any) -> Any:
        if isinstance(value, dict) and "retention" in value:
            raise ValueError("retention is for tables that land: gold is computed anew from what its inputs keep")
        return value


class ProjectSettings(Strict):
    """`project.yaml`: what holds for every table."""

    #: what the project is called in reports
    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]+$")] = "dq"
    #: one sentence for people
    description: str | None = None
    #: when old rows are deleted where a table says `retention`: a cron schedule in UTC
    retention_schedule: Cron = "0 3 * * *"
    #: when small files are put together and old ones removed; see below
    upkeep: Upkeep = Upkeep()
    #: how often a source is tried when it fails for a moment; see below
    retries: Retries = Retries()
    #: how long Dagster's records of runs are kept; `false` keeps them for ever; see below
    run_history: RunHistory | Literal[False] = RunHistory()
    #: who is told of what went wrong; see below
    alerts: Alerts | None = None
    #: where events of OpenLineage go; see below
    openlineage: OpenLineage | None = None
    #: login to `dq serve` by an identity provider; see below
    oidc: OpenIdConnect | None = None
    #: where Dagster's UI is, for links in messages: `https://dagster.example.org`
    dagster_url: Annotated[str, Field(pattern=r"^https?://[^\s]+$")] | None = None
