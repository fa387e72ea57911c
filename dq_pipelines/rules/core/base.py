"""What every rule is. One rule is one small class: its fields are the YAML, its docstring is the
reference entry, one method is its meaning. Policy (nulls, `mostly`, `row_condition`, severity, what a
failure does) is said here, once, and nowhere else.

Rules are pure: they read no data, know no engine and no Dagster. They give Narwhals expressions,
which an engine fuses into its one scan. The terms, argument names and null semantics are those of
Great Expectations 1.x.

    Rule
    ├── RowRule            says of each row whether it fails        (on_rows.py)
    │   ├── ColumnRule         … by one value             holds(value)
    │   ├── PairRule           … by two values            holds(a, b)
    │   └── MulticolumnRule    … by several values        holds(values)
    ├── AggregateRule      says of the table, by numbers out of one column      (this and the others: on_tables.py)
    ├── TableRule          says of the table, by its rows or its schema
    ├── GroupRule          says of the table, by a small frame that its rows are grouped into
    └── QueryRule          says of the table, by the rows that SQL queries give
"""

from __future__ import annotations

import abc
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal, Self, get_args

import narwhals as nw
from pydantic import Field, field_validator, model_validator

from dq_pipelines.config.model import Strict
from dq_pipelines.rules.core.columns import Columns
from dq_pipelines.rules.core.condition import Condition, condition_text

Severity = Literal["critical", "warning", "info"]
OnFailure = Literal["block", "quarantine", "drop", "warn"]
Dimension = Literal["completeness", "uniqueness", "validity", "consistency", "timeliness"]
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
    #: which side of quality it is about; `meta: {dimension: …}` says otherwise
    dimension: ClassVar[Dimension] = "validity"
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
    def about(self) -> Dimension:
        """The side of quality that the rule is about: the one in its `meta`, if it is one of ours, else its class's."""
        said = _DIMENSIONS.get(str((self.meta or {}).get("dimension", "")).lower())
        return said or self.dimension

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


#: The sides of quality, and other names that data contracts have for them (as ODCS 3 lists them).
_DIMENSIONS: Mapping[str, Dimension] = {
    **{name: name for name in get_args(Dimension)},
    "accuracy": "validity",
    "conformity": "validity",
    "coverage": "completeness",
}

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
