"""Defines the base class of every rule. A rule is one small class: its fields are the YAML, its docstring is the
reference entry, one method is its meaning. The policy (nulls, `mostly`, `row_condition`, severity, what a
failure does) is defined once, in the base classes.

Rules are pure: they read no data, and depend on no engine and not on Dagster. They return Narwhals expressions,
which an engine combines in one scan. The terms, argument names and null semantics are those of
Great Expectations 1.x.

    Rule
    ├── RowRule            decides for each row whether it fails        (on_rows.py)
    │   ├── ColumnRule         … by one value             holds(value)
    │   ├── PairRule           … by two values            holds(a, b)
    │   └── MulticolumnRule    … by several values        holds(values)
    ├── AggregateRule      judges the table by aggregates of one column      (this and the others: on_tables.py)
    ├── TableRule          judges the table by its row count or its schema
    ├── GroupRule          judges the table by a small frame of its grouped rows
    └── QueryRule          judges the table by the results of SQL queries
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
    """An example of a rule; the contract suite runs it on every engine."""

    #: column name to values, all of the same length
    rows: Mapping[str, Sequence[Any]]
    #: the rule's own arguments
    kwargs: Mapping[str, Any]
    #: the expected result: any of success, unexpected_count, missing_count, observed_value, found
    expect: Mapping[str, Any]


class Rule(Strict, abc.ABC):
    """One expectation with its arguments, its severity and what happens on failure."""

    type: str
    severity: Severity = "critical"
    on_failure: OnFailure | None = None
    row_condition: str | None = None
    #: GX's grammar of `row_condition`; our parser reads all of them, so it is kept only for the export
    condition_parser: Literal["pandas", "spark", "great_expectations", "great_expectations__experimental__"] | None = (
        None
    )
    description: str | None = None
    meta: dict[str, Any] | None = None
    id: str | None = None
    notes: str | list[str] | None = None

    #: see `Example`
    examples: ClassVar[tuple[Example, ...]] = ()
    #: the dimension of quality; `meta: {dimension: …}` overrides it
    dimension: ClassVar[Dimension] = "validity"
    #: what the rule demands, with its arguments in braces; `{bounds}` are those of a rule with bounds (see titles.py)
    title_template: ClassVar[str] = ""
    #: whether the rule is added by layers and not allowed in YAML
    internal: ClassVar[bool] = False
    #: keys for the handling of a rule, not for its meaning; the others are GX's kwargs
    policy: ClassVar[frozenset[str]] = frozenset(
        {"type", "severity", "on_failure", "description", "meta", "id", "notes"}
    )

    @model_validator(mode="before")
    @classmethod
    def _flatten_kwargs(cls, value: Any) -> Any:
        """Accept GX's form too, with the arguments under `kwargs`."""
        return flat(value)

    @field_validator("row_condition", mode="before")
    @classmethod
    def _condition_parses(cls, value: Any) -> Any:
        text = condition_text(value)
        if isinstance(text, str):
            Condition.parse(text)
        return text

    @property
    def about(self) -> Dimension:
        """The dimension of quality: the one in its `meta` if it is known, else that of its class."""
        declared = _DIMENSIONS.get(str((self.meta or {}).get("dimension", "")).lower())
        return declared or self.dimension

    @property
    def gx_type(self) -> str:
        """The rule's type in Great Expectations."""
        return self.type

    @property
    @abc.abstractmethod
    def action(self) -> OnFailure:
        """What a failure does: `on_failure`, or the default for the severity."""

    @property
    def columns_judged(self) -> tuple[str, ...]:
        """The columns whose values the rule reads."""
        return ()

    @property
    def reason_columns(self) -> tuple[str, ...]:
        """The columns whose values are reported as the reason of a refusal."""
        return self.columns_judged

    @property
    def column_label(self) -> str | None:
        """The judged columns as one text, for reports and check names."""
        return ", ".join(self.columns_judged) or None

    @property
    def kwargs(self) -> dict[str, Any]:
        """The arguments that were set, by GX's names."""
        return {key: value for key, value in self.model_dump(exclude_unset=True).items() if key not in self.policy}

    def in_full(self) -> Self:
        """The rule that also computes what only the result format COMPLETE shows."""
        return self

    def condition(self, columns: Columns) -> nw.Expr | None:
        """The condition for the judged rows, or None for all rows."""
        return None if self.row_condition is None else Condition.parse(self.row_condition).expr(columns)


#: The dimensions of quality, and the other names in data contracts (from ODCS 3).
_DIMENSIONS: Mapping[str, Dimension] = {
    **{name: name for name in get_args(Dimension)},
    "accuracy": "validity",
    "conformity": "validity",
    "coverage": "completeness",
}

#: Keys that GX writes and that are ignored here: the batch, the form of the result, and
#: whether an exception stops the others (here it never does). GX itself takes the first three at run time.
_IGNORED_KEYS = frozenset({"batch_id", "rendered_content", "result_format", "catch_exceptions", "library_metadata"})


def flat(value: Any) -> Any:
    """A rule as a flat mapping, from either form; other values pass unchanged, for the model to refuse."""
    if not isinstance(value, Mapping):
        return value
    kwargs = value.get("kwargs") if isinstance(value.get("kwargs"), Mapping) else None
    rule = {key: item for key, item in value.items() if kwargs is None or key != "kwargs"} | dict(kwargs or {})
    # Before GX 1.0 the key was `expectation_type`.
    if "type" not in rule and "expectation_type" in rule:
        rule["type"] = rule.pop("expectation_type")
    # Our exported suites keep it in `meta`, the only place that GX has for it.
    ours = rule["meta"].get("dq_pipelines") if isinstance(rule.get("meta"), Mapping) else None
    if "on_failure" not in rule and isinstance(ours, Mapping) and "on_failure" in ours:
        rule["on_failure"] = ours["on_failure"]
    unset = {"windows", "condition_parser", "description", "meta", "id", "notes", "row_condition", "on_failure"}
    return {key: item for key, item in rule.items() if key not in _IGNORED_KEYS and not (key in unset and item is None)}


def is_nan(value: Any) -> bool:
    """Whether a value is the float NaN."""
    return isinstance(value, float) and math.isnan(value)
