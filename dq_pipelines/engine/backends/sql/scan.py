"""Judging rows inside the engine that holds them: the numbers in one query, rows only for the rules that failed.

The plan is the same as for Polars. By a rule that the engine lacks, Polars judges, reading no more than the columns that
it needs; its result says so. Rows come out as lazy Polars frames, whichever engine they lie in.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import narwhals as nw
import polars as pl
from narwhals.dtypes import DType

from dq_pipelines.engine.backends.base import Engine, first_line
from dq_pipelines.engine.plan import PlannedRule, ScanPlan
from dq_pipelines.errors import RuleError
from dq_pipelines.rules.core.auxiliary_queries import AuxiliaryQuery, Measured, Repeats
from dq_pipelines.rules.core.columns import Columns
from dq_pipelines.rules.core.condition import Condition
from dq_pipelines.rules.core.dialect import Lacking
from dq_pipelines.rules.core.on_rows import RowRule
from dq_pipelines.rules.core.on_tables import GroupRule

Frame = nw.LazyFrame[Any]

_LEN = "_len"

#: What stands for a missing part of a key, which no join would find; that it is missing stands beside it.
_FILLERS: dict[str, Any] = {
    "number": 0,
    "boolean": False,
    "text": "",
    "date": "1970-01-01",
    "datetime": "1970-01-01",
    "time": "00:00",
    "unknown": 0,
}


@dataclass(frozen=True)
class Inside:
    """Rows that an engine holds, the plan of their rules, and what columns measure as far as that is known."""

    engine: Engine
    frame: Frame
    plan: ScanPlan
    measured: Mapping[Measured, Mapping[str, Any]] = field(default_factory=dict)
    #: what the columns were where the rows came from, as far as the engine may have had to take another type
    types: Mapping[str, pl.DataType] = field(default_factory=dict)

    @cached_property
    def columns(self) -> Columns:
        """The columns that rules see."""
        return Columns(self.plan.schema, self.plan.auxiliary_queries, self.plan.dialect)

    def marked(self, *, repeats: bool = True) -> Frame:
        """The rows with a boolean column per row rule; without `repeats`, false for those that look for repeated keys."""
        frame = self.frame
        for query, name in self.plan.auxiliary_queries.items():
            frame = self._with_answer(frame, query, name, repeats=repeats)
        flags = {item.flag: item.fails for item in self.plan.row_rules() if item.fails is not None}
        return frame.with_columns(**flags) if flags else frame

    def numbers(self) -> Frame:
        """One row: every count and observed value, and the rows in all."""
        keys = {f"{item.index}.unexpected": query for item in self.plan.row_rules() if (query := _repeats_of(item))}
        counted = {
            name: self.plan.dialect.count(nw.col(item.flag))
            for item in self.plan.row_rules()
            if (name := f"{item.index}.unexpected") not in keys
        }
        exprs = {**self.plan.scalars(), **counted}
        # Until all is joined the numbers have plain names: to Spark, a dot is the way into a struct.
        plain = {name: f"_number_{place}" for place, name in enumerate([*exprs, *keys])}
        numbers = self.marked(repeats=False).select(**{plain[name]: expr for name, expr in exprs.items()})
        for name, query in keys.items():
            numbers = numbers.join(self._repeated(query, plain[name]), how="cross")
        return numbers.rename({short: name for name, short in plain.items()})

    def small_frames(self) -> dict[int, Frame]:
        """Per rule that groups the rows, by its index: the small frame that it wants."""
        return {item.index: self._grouped(item.rule) for item in self.plan.beside() if isinstance(item.rule, GroupRule)}

    def knowing_measures(self) -> Inside:
        """The same, with what columns measure, in one query."""
        queries = [query for query in self.plan.auxiliary_queries if isinstance(query, Measured)]
        if not queries:
            return self
        wanted = {
            f"{place}.{name}": expr
            for place, query in enumerate(queries)
            for name, expr in query.measures(self._judged_value(query)).items()
        }
        (found,) = self.engine.asked(self.frame.select(**wanted))
        names = [query.measures(self._judged_value(query)) for query in queries]
        measured = {
            query: {name: found[f"{place}.{name}"] for name in names[place]} for place, query in enumerate(queries)
        }
        return replace(self, measured=measured)

    def _judged_value(self, query: Measured) -> Any:
        value = self.columns[query.column]
        if query.row_condition is None:
            return value
        condition = Condition.parse(query.row_condition).expr(self.columns)
        return replace(value, expr=nw.when(condition).then(value.expr))

    def _with_answer(self, frame: Frame, query: AuxiliaryQuery, name: str, *, repeats: bool) -> Frame:
        match query:
            case Repeats() if repeats:
                return self._with_repeats(frame, query, name)
            case Repeats():
                return frame.with_columns(nw.lit(False).alias(name))
            case Measured():
                found = self.measured.get(query) or dict.fromkeys(query.measures(self.columns[query.column]))
                return frame.with_columns(query.holds(self.columns[query.column], found).alias(name))
        raise TypeError(f"{type(query).__name__} is a gap of this engine and was planned all the same")

    def _judged_keys(self, query: Repeats) -> nw.Expr | None:
        """Boolean per row: the row's key is one that the rule is about; None when every key is."""
        flags = [self.columns[name].is_missing for name in query.columns]
        join = nw.any_horizontal if query.ignore == "any_value_is_missing" else nw.all_horizontal
        judged = None if query.ignore == "never" else ~join(*flags, ignore_nulls=True)
        if query.row_condition is None:
            return judged
        condition = Condition.parse(query.row_condition).expr(self.columns)
        return condition if judged is None else judged & condition

    def _with_repeats(self, frame: Frame, query: Repeats, name: str) -> Frame:
        """By a join with the repeated keys, which are few: a window over all rows takes twice as long in DuckDB."""
        keys = self._keys(query, name)
        judged = self._judged_keys(query)
        found = self._groups(query, keys).select(*keys, nw.lit(True).alias(name))
        marked = frame.with_columns(**keys).join(found, on=list(keys), how="left").drop(*keys)
        there = nw.col(name).fill_null(False)
        return marked.with_columns((there if judged is None else there & judged).alias(name))

    def _keys(self, query: Repeats, name: str) -> dict[str, nw.Expr]:
        """The key as columns that a join finds again: for each column what it holds, and whether it holds anything."""
        keys = {}
        for place, column in enumerate(query.columns):
            value = self.columns[column]
            if value.family not in _FILLERS:
                raise NotImplementedError(
                    f"column '{column}' is {value.dtype}: no engine but Polars finds such keys again"
                )
            # Among literals a boolean is the number that it is compared as.
            filler = False if value.family == "boolean" else value.literal(_FILLERS[value.family])
            keys[f"{name}_{place}"] = value.expr.fill_null(filler)
            keys[f"{name}_{place}_missing"] = value.is_missing
        return keys

    def _groups(self, query: Repeats, keys: Mapping[str, nw.Expr]) -> Frame:
        """The keys that occur more than once, and how often."""
        judged = self._judged_keys(query)
        rows = self.frame if judged is None else self.frame.filter(judged)
        return rows.select(**keys).group_by(*keys).agg(nw.len().alias(_LEN)).filter(nw.col(_LEN) > 1)

    def _repeated(self, query: Repeats, name: str) -> Frame:
        """One row: how many rows have a key that occurs more than once."""
        keys = {f"_key_{place}": self.columns[column].expr for place, column in enumerate(query.columns)}
        return self._groups(query, keys).select(nw.col(_LEN).sum().alias(name))

    def _grouped(self, rule: GroupRule) -> Frame:
        condition = rule.condition(self.columns)
        rows = self.frame if condition is None else self.frame.filter(condition)
        return rule.group(rows.select(*self.plan.schema), self.columns, _no_table)

    def marked_rows(self) -> pl.LazyFrame:
        """The marked rows, as a Polars frame."""
        return self.rows(self.marked())

    def rows(self, frame: Frame) -> pl.LazyFrame:
        """Rows of this engine as a Polars frame, in the types that they came in."""
        rows = self.engine.rows(frame)
        there = rows.collect_schema()
        return rows.cast({name: self.types[name] for name in there if there[name] != self.types.get(name, there[name])})


def fitted(inside: Inside) -> Inside:
    """The same, with the rules marked as lacking that the engine has no way to run over these columns."""
    plan = inside.plan
    candidates = [item.index for item in plan.planned if item.error is None and item.lacking is None]
    if _refusal(inside) is None:
        return inside
    refusals = {index: _refusal(replace(inside, plan=plan.only([index]))) for index in candidates}
    return replace(inside, plan=plan.lacks({index: why for index, why in refusals.items() if why is not None}))


def _refusal(inside: Inside) -> str | None:
    """What the engine says against the plan, tried on no rows; None when it runs it."""
    empty = replace(inside, frame=inside.frame.head(0))
    refusals: tuple[type[Exception], ...] = (*inside.engine.errors, RuleError, Lacking, NotImplementedError)
    try:
        known = empty.knowing_measures()
        for frame in (known.numbers(), known.marked(), *known.small_frames().values()):
            inside.engine.understands(frame)
    except refusals as error:
        return first_line(error)
    return None


def _repeats_of(item: PlannedRule) -> Repeats | None:
    query = item.rule.auxiliary_query() if isinstance(item.rule, RowRule) else None
    return query if isinstance(query, Repeats) else None


def _no_table(table: str) -> Frame:
    raise RuleError(f"'{table}' does not lie in this engine")


def planned(
    engine: Engine,
    frame: Frame,
    rules: Sequence[Any],
    hidden: frozenset[str],
    types: Mapping[str, pl.DataType] | None = None,
) -> Inside:
    """The plan of the rules for the frame's columns, but for `hidden` ones, that this engine can run.

    `types` are those of the Polars frame that was brought there: rules mean what they mean there.
    """
    types = types or {}
    schema: dict[str, DType] = {**engine.schema(frame), **nw.from_native(pl.LazyFrame(schema=types)).collect_schema()}
    seen = {name: dtype for name, dtype in schema.items() if name not in hidden}
    gaps = {index: gap for index, rule in enumerate(rules) if (gap := engine.gap(rule)) is not None}
    plan = ScanPlan(seen, rules, lacking=gaps, dialect=engine.dialect)
    # What a rule that cannot be planned asks beside the scan must not be looked for either.
    plan = plan.without({item.index: item.error for item in plan.planned if item.error is not None})
    return fitted(Inside(engine, frame, plan, types=types))
