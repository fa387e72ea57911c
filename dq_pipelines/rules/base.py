"""What every rule is. One rule is one small class: its fields are the YAML, its docstring is the
reference entry, one method is its meaning. Policy (nulls, `mostly`, `row_condition`, severity, what a
failure does) is said here, once, and nowhere else.

Rules are pure: they read no data, know no engine and no Dagster. They give Narwhals expressions,
which an engine fuses into its one scan. The terms, argument names and null semantics are those of
Great Expectations 1.x.

    Rule
    ├── RowRule            says of each row whether it fails
    │   ├── ColumnRule         … by one value             holds(value)
    │   ├── PairRule           … by two values            holds(a, b)
    │   └── MulticolumnRule    … by several values        holds(values)
    ├── AggregateRule      says of the table, by numbers out of one column
    ├── TableRule          says of the table, by its rows or its schema
    ├── GroupRule          says of the table, by a small frame that its rows are grouped into
    └── QueryRule          says of the table, by the rows that SQL queries give
"""

from __future__ import annotations

import abc
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal, Self

import narwhals as nw
from pydantic import Field, field_validator, model_validator

from dq_pipelines.config.model import Many, Strict
from dq_pipelines.rules.asides import Aside
from dq_pipelines.rules.columns import Columns, Value
from dq_pipelines.rules.condition import Condition, condition_text
from dq_pipelines.rules.known import UNKNOWN
from dq_pipelines.rules.query import Query

Severity = Literal["critical", "warning", "info"]
OnFailure = Literal["block", "quarantine", "drop", "warn"]
Mostly = Annotated[float, Field(ge=0, le=1)]


@dataclass(frozen=True)
class Example:
    """A rule's meaning as data: the contract suite runs it on every engine."""

    #: column name to values, all of one length
    rows: Mapping[str, Sequence[Any]]
    #: the rule's own arguments
    kwargs: Mapping[str, Any]
    #: what the result must be: any of success, unexpected_count, missing_count, observed_value, found
    expect: Mapping[str, Any]


class Rule(Strict, abc.ABC):
    """One expectation with its arguments, its severity and what happens on failure."""

    type: str
    severity: Severity = "critical"
    on_failure: OnFailure | None = None
    row_condition: str | None = None
    #: which grammar GX wrote `row_condition` in; ours reads all of them, so it is only kept for the way back
    condition_parser: Literal["pandas", "spark", "great_expectations", "great_expectations__experimental__"] | None = (
        None
    )
    description: str | None = None
    meta: dict[str, Any] | None = None
    id: str | None = None
    notes: str | list[str] | None = None

    #: rows in, verdict out; see `Example`
    examples: ClassVar[tuple[Example, ...]] = ()
    #: whether the rule is added by the layers and cannot be written in YAML
    internal: ClassVar[bool] = False
    #: keys that say how a rule is handled, not what it means; the rest are GX's kwargs
    policy: ClassVar[frozenset[str]] = frozenset(
        {"type", "severity", "on_failure", "description", "meta", "id", "notes"}
    )

    @model_validator(mode="before")
    @classmethod
    def _flatten_kwargs(cls, value: Any) -> Any:
        """Take the rule as GX writes it, with its arguments under `kwargs`, too."""
        return flat(value)

    @field_validator("row_condition", mode="before")
    @classmethod
    def _condition_parses(cls, given: Any) -> Any:
        text = condition_text(given)
        if isinstance(text, str):
            Condition.parse(text)
        return text

    @property
    def gx_type(self) -> str:
        """What Great Expectations calls the rule."""
        return self.type

    @property
    @abc.abstractmethod
    def action(self) -> OnFailure:
        """What happens when the rule fails: `on_failure`, or what follows from the severity."""

    @property
    def columns_judged(self) -> tuple[str, ...]:
        """The columns whose values the rule looks at."""
        return ()

    @property
    def reason_columns(self) -> tuple[str, ...]:
        """The columns whose values say why a row was refused."""
        return self.columns_judged

    @property
    def column_label(self) -> str | None:
        """The judged columns in one word, for reports and check names."""
        return ", ".join(self.columns_judged) or None

    @property
    def kwargs(self) -> dict[str, Any]:
        """The arguments that were given, as GX names them."""
        return {key: value for key, value in self.model_dump(exclude_unset=True).items() if key not in self.policy}

    def in_full(self) -> Self:
        """The rule as it finds out, too, what only the result format COMPLETE shows."""
        return self

    def condition(self, columns: Columns) -> nw.Expr | None:
        """The rows that the rule is about, or None for all."""
        return None if self.row_condition is None else Condition.parse(self.row_condition).expr(columns)


class RowRule(Rule):
    """A rule that says of each row whether it fails."""

    mostly: Mostly | None = None

    #: whether rows whose value is missing are passed over (GX: all but the null rules)
    ignores_missing: ClassVar[bool] = True
    #: what decides about a row: itself (or that it is there twice), the column's other values, or the row before it
    looks_at: ClassVar[Literal["row", "table", "order"]] = "row"

    @property
    def action(self) -> OnFailure:
        return self.on_failure or ("quarantine" if self.severity == "critical" else "warn")

    @property
    def refuses(self) -> bool:
        """Whether a failing row is taken out of what is published."""
        return self.action in ("quarantine", "drop")

    def aside(self) -> Aside | None:
        """What the engine must find out beside the scan (a key of `Columns.asides`), if anything."""
        return None

    @abc.abstractmethod
    def missing(self, columns: Columns) -> nw.Expr:
        """Boolean per row: the rule has nothing to judge here."""

    @abc.abstractmethod
    def fails(self, columns: Columns) -> nw.Expr:
        """Boolean per row, never null: the row breaks the rule. `row_condition` is not yet applied."""

    def surely_holds(self, columns: Columns) -> bool:
        """Whether the table's metadata alone tell that no row fails."""
        return False

    def known_missing(self, columns: Columns) -> int | None:
        """How many rows the rule passes over, where the table's metadata tell; `row_condition` is not yet applied."""
        return None

    def tolerates(self, unexpected: int, judged: int) -> bool:
        """Whether `unexpected` of `judged` rows (missing ones excluded) is within `mostly`."""
        if self.mostly is None:
            return unexpected == 0
        # GX compares the share of good rows; an empty table has nothing wrong with it.
        return judged == 0 or (judged - unexpected) / judged >= self.mostly

    def blocks(self, unexpected: int, judged: int) -> bool:
        """Whether the whole batch is refused: said by `block`, or a `mostly` that was set and passed."""
        if self.action == "block":
            return not self.tolerates(unexpected, judged)
        return self.refuses and self.mostly is not None and not self.tolerates(unexpected, judged)


class ColumnRule(RowRule):
    """A rule on each value of one column."""

    column: Annotated[str, Field(min_length=1)]

    @property
    def columns_judged(self) -> tuple[str, ...]:
        return (self.column,)

    @abc.abstractmethod
    def holds(self, value: Value) -> nw.Expr:
        """Boolean per row: the value is as wanted. What it says of a missing value does not count."""

    def missing(self, columns: Columns) -> nw.Expr:
        return columns[self.column].is_missing

    def known_missing(self, columns: Columns) -> int | None:
        return columns.known.get(self.column, UNKNOWN).missing

    def fails(self, columns: Columns) -> nw.Expr:
        value = columns[self.column]
        if self.ignores_missing and value.family == "unknown":
            return nw.lit(False)  # a column of nulls only: there is nothing to judge, and no type to judge it by
        return (~self.holds(value)).fill_null(False)


class PairRule(RowRule):
    """A rule on the values of two columns in one row."""

    column_A: Annotated[str, Field(min_length=1)]
    column_B: Annotated[str, Field(min_length=1)]
    ignore_row_if: Literal["both_values_are_missing", "either_value_is_missing", "neither"] = "both_values_are_missing"

    @property
    def columns_judged(self) -> tuple[str, ...]:
        return (self.column_A, self.column_B)

    @abc.abstractmethod
    def holds(self, a: Value, b: Value) -> nw.Expr:
        """Boolean per row: the two values stand to each other as wanted."""

    def missing(self, columns: Columns) -> nw.Expr:
        a, b = columns[self.column_A].is_missing, columns[self.column_B].is_missing
        match self.ignore_row_if:
            case "both_values_are_missing":
                return a & b
            case "either_value_is_missing":
                return a | b
            case "neither":
                return _never(a)

    def fails(self, columns: Columns) -> nw.Expr:
        holds = self.holds(columns[self.column_A], columns[self.column_B]).fill_null(False)
        return ~holds & ~self.missing(columns)


class MulticolumnRule(RowRule):
    """A rule on the values of several columns in one row."""

    column_list: Annotated[Many[str], Field(min_length=2)]
    ignore_row_if: Literal["all_values_are_missing", "any_value_is_missing", "never"] = "all_values_are_missing"

    @property
    def columns_judged(self) -> tuple[str, ...]:
        return self.column_list

    @abc.abstractmethod
    def holds(self, columns: Columns) -> nw.Expr:
        """Boolean per row: the values stand to each other as wanted."""

    def missing(self, columns: Columns) -> nw.Expr:
        flags = [columns[name].is_missing for name in self.column_list]
        match self.ignore_row_if:
            case "all_values_are_missing":
                return nw.all_horizontal(*flags, ignore_nulls=True)
            case "any_value_is_missing":
                return nw.any_horizontal(*flags, ignore_nulls=True)
            case "never":
                return _never(flags[0])

    def fails(self, columns: Columns) -> nw.Expr:
        return ~self.holds(columns).fill_null(False) & ~self.missing(columns)


class WholeTableRule(Rule):
    """A rule that says something of the table; it never marks rows."""

    @property
    def action(self) -> OnFailure:
        return self.on_failure or ("block" if self.severity == "critical" else "warn")

    @model_validator(mode="after")
    def _marks_no_rows(self) -> WholeTableRule:
        if self.on_failure in ("quarantine", "drop"):
            raise ValueError(f"on_failure: {self.on_failure} wants a rule on rows; {self.type} judges the whole table")
        return self

    @abc.abstractmethod
    def accepts(self, observed: Any) -> bool:
        """Whether the observed value is as wanted."""

    def details(self, observed: Any) -> Mapping[str, Any]:
        """What differs from what was wanted, as GX's `result.details`; empty when nothing does."""
        return {}

    def fields(self, observed: Any, *, complete: bool) -> Mapping[str, Any]:
        """The result's fields as GX names them; `complete`: with whatever rows are part of it."""
        details = self.details(observed)
        return {"observed_value": observed, **({"details": details} if details else {})}


class AggregateRule(WholeTableRule):
    """A rule on one number (or date, or text), or a few, computed from one column in the scan."""

    column: Annotated[str, Field(min_length=1)]

    @property
    def columns_judged(self) -> tuple[str, ...]:
        return (self.column,)

    @abc.abstractmethod
    def observe(self, value: Value) -> nw.Expr | Mapping[str, nw.Expr]:
        """One scalar, or several by name. Missing values, and rows outside `row_condition`, are null in `value`."""

    def conclude(self, found: Mapping[str, Any], rows: int) -> Any:
        """The observed value, out of several scalars and the number of rows that the rule is about."""
        raise NotImplementedError(f"{self.type} observes one scalar")


class TableRule(WholeTableRule):
    """A rule on the number of rows, the columns' names or their types."""

    def observe(self, columns: Columns) -> nw.Expr | None:
        """One scalar computed in the scan, or None when `describe` answers from the schema."""
        return None

    def describe(self, columns: Columns) -> Any:
        """The observed value, from the schema alone."""
        raise NotImplementedError(f"{self.type} needs observe() or describe()")


#: Gives the published rows of `<layer>/<table>`.
Tables = Callable[[str], "nw.LazyFrame[Any]"]


class GroupRule(WholeTableRule):
    """A rule on a small frame that the rows are grouped into beside the scan: value counts, distinct values, …"""

    @property
    def reads(self) -> tuple[str, ...]:
        """Other tables that the rule looks at, as `<layer>/<table>`."""
        return ()

    @abc.abstractmethod
    def group(self, rows: nw.LazyFrame[Any], columns: Columns, tables: Tables) -> nw.LazyFrame[Any]:
        """The small frame. `rows` are those that the rule is about."""

    @abc.abstractmethod
    def conclude(self, found: Sequence[Mapping[str, Any]], columns: Columns) -> Any:
        """The observed value, out of the small frame's rows."""


class QueryRule(WholeTableRule):
    """A rule on what SQL queries give, in which `{batch}` stands for the judged rows."""

    @property
    def reads(self) -> tuple[str, ...]:
        """Other tables that the queries name, as `<layer>/<table>`."""
        return tuple(dict.fromkeys(table for query in self.queries for table in query.tables))

    @property
    @abc.abstractmethod
    def queries(self) -> tuple[Query, ...]:
        """The queries, in the order in which `conclude` wants their rows."""

    @abc.abstractmethod
    def conclude(self, *found: Sequence[Mapping[str, Any]]) -> Any:
        """The observed value, out of the rows of each query."""


def _never(flag: nw.Expr) -> nw.Expr:
    """False in every row: a literal has one value, and what an engine sums must have one per row."""
    return flag & nw.lit(False)


#: What GX writes beside a rule that decides nothing here: which batch it saw, how to show the result, and
#: whether an exception stops the others (here it never does). GX itself takes the first three at run time.
_ASIDE_FROM_THE_RULE = frozenset(
    {"batch_id", "rendered_content", "result_format", "catch_exceptions", "library_metadata"}
)


def flat(value: Any) -> Any:
    """A rule as a flat mapping, from either form; anything else is left for the model to refuse."""
    if not isinstance(value, Mapping):
        return value
    kwargs = value.get("kwargs") if isinstance(value.get("kwargs"), Mapping) else None
    given = {key: item for key, item in value.items() if kwargs is None or key != "kwargs"} | dict(kwargs or {})
    # Before GX 1.0 a suite said `expectation_type`.
    if "type" not in given and "expectation_type" in given:
        given["type"] = given.pop("expectation_type")
    # GX has no place for it but `meta`, where a suite that we exported keeps it.
    ours = given["meta"].get("dq_pipelines") if isinstance(given.get("meta"), Mapping) else None
    if "on_failure" not in given and isinstance(ours, Mapping) and "on_failure" in ours:
        given["on_failure"] = ours["on_failure"]
    unset = {"windows", "condition_parser", "description", "meta", "id", "notes", "row_condition", "on_failure"}
    return {
        key: item
        for key, item in given.items()
        if key not in _ASIDE_FROM_THE_RULE and not (key in unset and item is None)
    }


def is_nan(value: Any) -> bool:
    """Whether a value is the float that is no number."""
    return isinstance(value, float) and math.isnan(value)
