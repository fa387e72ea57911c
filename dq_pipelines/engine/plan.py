"""The plan of a scan: every rule of a table as expressions over its columns, in the dialect of one backend.

A rule that cannot be planned (its column is missing, its type does not fit) keeps its error. The others are planned.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import narwhals as nw
from narwhals.dtypes import DType

from dq_pipelines.engine.faults import FAULTS, sentence
from dq_pipelines.errors import RuleError
from dq_pipelines.rules.core.auxiliary_queries import AuxiliaryQuery, Repeats
from dq_pipelines.rules.core.base import Rule
from dq_pipelines.rules.core.column_statistics import ColumnStatistics
from dq_pipelines.rules.core.columns import Columns
from dq_pipelines.rules.core.dialect import POLARS, Dialect, Unsupported
from dq_pipelines.rules.core.on_rows import RowRule
from dq_pipelines.rules.core.on_tables import AggregateRule, GroupRule, QueryRule, TableRule


@dataclass(frozen=True)
class PlannedRule:
    """One rule with its expressions, or with the reason why there are none."""

    index: int
    rule: Rule
    #: row rules: boolean per row, never null, `row_condition` applied
    fails: nw.Expr | None = None
    #: scalars to compute in the scan, by what they are: elements, missing, observed
    scalars: Mapping[str, nw.Expr] = field(default_factory=dict)
    #: counts that the table's metadata give, by what they are; they are not among the scalars
    from_statistics: Mapping[str, int] = field(default_factory=dict)
    #: the observed value where the schema alone answers
    described: Any = None
    #: the columns that the rule sees
    columns: Columns = field(default_factory=lambda: Columns({}))
    error: str | None = None
    #: why this backend cannot judge by the rule, although the data would allow it; there is no expression then
    lacking: str | None = None

    @property
    def flag(self) -> str:
        """The name of the boolean column that marks the rows failing this rule."""
        return f"_fails_{self.index}"


@dataclass(frozen=True)
class ScanPlan:
    """All rules of a table over one schema."""

    schema: Mapping[str, DType]
    rules: Sequence[Rule]

    #: rules known not to fit the data, by their index, with the reason
    unfit: Mapping[int, str] = field(default_factory=dict)
    #: rules that this backend lacks, by their index, with the reason
    lacking: Mapping[int, str] = field(default_factory=dict)
    dialect: Dialect = POLARS
    #: statistics of columns from metadata, by column
    statistics: Mapping[str, ColumnStatistics] = field(default_factory=dict)
    #: the flags of columns with cells that could not be read as their type, by column
    misread: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def auxiliary_queries(self) -> dict[AuxiliaryQuery, str]:
        """The auxiliary queries of the rules, each with the hidden column that holds its answer."""
        left_out = {*self.unfit, *self.lacking}
        fitting = [rule for index, rule in enumerate(self.rules) if index not in left_out]
        wanted = [query for rule in fitting if isinstance(rule, RowRule) and (query := rule.auxiliary_query())]
        return {query: f"_answer_{number}" for number, query in enumerate(dict.fromkeys(wanted))}

    @cached_property
    def planned(self) -> tuple[PlannedRule, ...]:
        columns = Columns(self.schema, self.auxiliary_queries, self.dialect, self.statistics)
        return tuple(self._planned(index, rule, columns) for index, rule in enumerate(self.rules))

    def _planned(self, index: int, rule: Rule, columns: Columns) -> PlannedRule:
        if index in self.unfit or index in self.lacking:
            return PlannedRule(index, rule, error=self.unfit.get(index), lacking=self.lacking.get(index))
        return _planned(index, rule, columns, self.misread)

    def without(self, unfit: Mapping[int, str]) -> ScanPlan:
        """The plan in which the rules of these indexes are errors, with the given reasons."""
        return replace(self, unfit={**self.unfit, **unfit})

    def lacks(self, lacking: Mapping[int, str]) -> ScanPlan:
        """The plan in which the rules of these indexes are left to another backend, with the given reasons."""
        return replace(self, lacking={**self.lacking, **lacking})

    def only(self, indexes: Iterable[int]) -> ScanPlan:
        """The plan with the rules of these indexes alone, for a trial: no backend judges by the others."""
        return self.lacks(dict.fromkeys(set(range(len(self.rules))) - set(indexes), ""))

    def row_rules(self, actions: Iterable[str] = ("block", "quarantine", "drop", "warn")) -> list[PlannedRule]:
        """The rules that judge rows and can be judged, of the given actions."""
        wanted = set(actions)
        return [item for item in self.planned if item.fails is not None and item.rule.action in wanted]

    def grouped_rules(self) -> list[PlannedRule]:
        """The rules that want small frames of their own (groups of the rows, SQL queries), and can be judged."""
        wanted = [item for item in self.planned if item.error is None and item.lacking is None]
        return [item for item in wanted if isinstance(item.rule, GroupRule | QueryRule)]

    def scalars(self) -> dict[str, nw.Expr]:
        """The expression of every number that the rules need, by `<index>.<what>`; and of `rows`."""
        named = {f"{item.index}.{what}": expr for item in self.planned for what, expr in item.scalars.items()}
        return {"rows": nw.len(), **named}


def _planned(index: int, rule: Rule, columns: Columns, misread: Mapping[str, str]) -> PlannedRule:
    try:
        condition = rule.condition(columns)
        if isinstance(rule, RowRule):
            return _planned_rows(index, rule, columns, _where_read(rule, condition, misread))
        if isinstance(rule, AggregateRule):
            value = columns[rule.column]
            expr = value.expr if condition is None else nw.when(condition).then(value.expr)
            observed = rule.observe(replace(value, expr=expr))
            if isinstance(observed, nw.Expr):
                return PlannedRule(index, rule, scalars={"observed": observed})
            elements = {} if condition is None else {"elements": columns.dialect.count(condition)}
            return PlannedRule(index, rule, scalars={**observed, **elements})
        if isinstance(rule, GroupRule | QueryRule):
            for name in rule.columns_judged:
                columns[name]
            return PlannedRule(index, rule, columns=columns)
        if isinstance(rule, TableRule):
            scalar = rule.observe(columns)
            if scalar is None:
                return PlannedRule(index, rule, described=rule.describe(columns))
            return PlannedRule(index, rule, scalars={"observed": scalar})
    except RuleError as error:
        return PlannedRule(index, rule, error=str(error))
    except Unsupported as lacking:
        return PlannedRule(index, rule, lacking=str(lacking))
    except FAULTS as error:
        return PlannedRule(index, rule, error=sentence(rule, error))
    raise TypeError(f"{type(rule).__name__} is no rule on rows, on a column or on a table")


def _where_read(rule: RowRule, condition: nw.Expr | None, misread: Mapping[str, str]) -> nw.Expr | None:
    """The rows that the rule is about: those of its `row_condition` whose cells could all be read.

    A cell that could not be read as its type is refused for that. Other rules pass over its row: the null there is
    neither wrong nor missing. Repeated keys are counted by the keys alone.
    """
    flags = [nw.col(misread[name]) for name in rule.columns_judged if name in misread]
    if not flags or rule.internal or isinstance(rule.auxiliary_query(), Repeats):
        return condition
    read = ~flags[0] if len(flags) == 1 else ~nw.any_horizontal(*flags, ignore_nulls=True)
    return read if condition is None else condition & read


def _planned_rows(index: int, rule: RowRule, columns: Columns, condition: nw.Expr | None) -> PlannedRule:
    fails, scalars, counts = rule.fails(columns), {}, {}
    if rule.surely_holds(columns):
        fails = nw.lit(False)
    if rule.ignores_missing and condition is None and (known := rule.known_missing(columns)) is not None:
        counts["missing"] = known
    elif rule.ignores_missing:
        missing = rule.missing(columns)
        scalars["missing"] = columns.dialect.count(missing if condition is None else missing & condition)
    if condition is not None:
        fails = fails & condition
        scalars["elements"] = columns.dialect.count(condition)
    return PlannedRule(index, rule, fails=fails, scalars=scalars, from_statistics=counts)
