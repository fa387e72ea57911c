"""A scan inside an engine: the numbers in one query, rows only for the rules that failed.

The plan is the same as for Polars, in the engine's dialect. Rows come out as lazy Polars frames.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Self

import narwhals as nw
import polars as pl

from dq_pipelines.engine.backends.base import Counted, Marks, PassRequest, Scan
from dq_pipelines.engine.backends.sql.duplicate_keys import repeat_count, with_repeats
from dq_pipelines.engine.backends.sql.query_engine import Frame, QueryEngine, first_line
from dq_pipelines.engine.interrupt import interruptibly
from dq_pipelines.engine.plan import PlannedRule
from dq_pipelines.engine.results.conclusion import GROUPS, conclude
from dq_pipelines.engine.results.reasons import REASONS, with_reasons
from dq_pipelines.engine.results.result_format import ROW
from dq_pipelines.engine.results.samples import Rows, Samples, first_failing_rows
from dq_pipelines.errors import RuleError
from dq_pipelines.rules.core.auxiliary_queries import AuxiliaryQuery, LimitsFromColumn, Repeats
from dq_pipelines.rules.core.column_value import Value
from dq_pipelines.rules.core.columns import Columns
from dq_pipelines.rules.core.condition import Condition
from dq_pipelines.rules.core.on_rows import RowRule
from dq_pipelines.rules.core.on_tables import GroupRule


@dataclass(frozen=True)
class SqlScan(Scan):
    """Rows that an engine holds, the plan of their rules, and what columns measure as far as that is known."""

    backend: QueryEngine
    frame: Frame
    #: by the query, the numbers that a column measures; empty before they were asked for
    measured: Mapping[LimitsFromColumn, Mapping[str, Any]] = field(default_factory=dict)
    #: the types of columns where the rows came from; the engine may have had to take others
    types: Mapping[str, pl.DataType] = field(default_factory=dict)

    @cached_property
    def known_columns(self) -> Columns:
        """The columns that rules see, as expressions."""
        return Columns(self.plan.schema, self.plan.auxiliary_queries, self.plan.dialect)

    @property
    def rows(self) -> pl.LazyFrame:
        return self._read(self.frame)

    @property
    def kept(self) -> pl.LazyFrame:
        flags = self._flags("quarantine", "drop")
        return self._marked_rows(~_any_of(flags)) if flags else self.rows

    @property
    def refused(self) -> pl.LazyFrame:
        flags = self._flags("quarantine")
        rows = self._marked_rows(_any_of(flags), flags) if flags else self._read(self.frame.head(0))
        refusing = self.plan.row_rules(("quarantine",))
        return with_reasons(rows, refusing).select(*self.frame.collect_schema(), REASONS)

    @property
    def dropped(self) -> pl.LazyFrame:
        return self._marked_rows(self._is_dropped) if self._flags("drop") else self._read(self.frame.head(0))

    def _flags(self, *actions: str) -> list[str]:
        return [item.flag for item in self.plan.row_rules(actions)]

    @property
    def _is_dropped(self) -> nw.Expr:
        dropped, refused = self._flags("drop"), self._flags("quarantine")
        return _any_of(dropped) & ~_any_of(refused) if refused else _any_of(dropped)

    def _marked_rows(self, wanted: nw.Expr, flags: Sequence[str] = ()) -> pl.LazyFrame:
        return self._read(self.marked_frame().filter(wanted).select(*self.frame.collect_schema(), *flags))

    def _read(self, frame: Frame) -> pl.LazyFrame:
        """Rows of the engine as a Polars frame, in the types that they came in."""
        rows = self.backend.rows(frame)
        schema = rows.collect_schema()
        return rows.cast(
            {name: self.types[name] for name in schema if schema[name] != self.types.get(name, schema[name])}
        )

    def count(self, request: PassRequest) -> Counted:
        scan = self.with_measures()
        (numbers,) = scan.backend.query(scan.numbers())
        groups = {f"{index}.{GROUPS}": [scan.backend.query(small)] for index, small in scan.small_frames().items()}
        results = conclude(scan.plan, {**numbers, **groups})
        request.observer.rules_judged(list(results.values()))
        return Counted(scan, results, numbers["rows"])

    def count_marks(self) -> Marks:
        refused, dropped = self._flags("quarantine"), self._flags("drop")
        count = self.plan.dialect.count
        wanted = {
            **({"refused": count(_any_of(refused))} if refused else {}),
            **({"dropped": count(self._is_dropped)} if dropped else {}),
        }
        numbers = self.backend.query(self.marked_frame().select(**wanted))[0] if wanted else {}
        return Marks(int(numbers.get("refused") or 0), int(numbers.get("dropped") or 0))

    def failing_rows(self, counted: Counted, samples: Samples) -> dict[int, Rows]:
        failed = counted.failed_rules()
        if not failed or samples.most == 0:
            return {}
        wanted = samples.wanted({item.index: counted.results[item.index].unexpected_count or 0 for item in failed})
        flags = [item.flag for item in failed]
        columns = [*samples.columns(failed, self.columns), *({ROW} & set(self.frame.collect_schema()))]
        failing = self.marked_frame().filter(_any_of(flags)).select(*columns, *flags)
        with closing(self.backend.batches(failing)) as batches:
            return interruptibly(lambda: first_failing_rows(batches, failed, wanted), self.backend.stop)

    def without(self, faults: Mapping[int, BaseException]) -> Self:
        """The scan in which these rules are left to another backend.

        Where others go on with an infinity, PostgreSQL raises an overflow or a division by zero. A trial without rows does
        not show that.
        """
        return replace(self, plan=self.plan.lacks({index: first_line(error) for index, error in faults.items()}))

    def marked_frame(self, *, repeats: bool = True) -> Frame:
        """The rows with a boolean column per row rule; without `repeats`, false for those that look for repeated keys."""
        frame = self.frame
        for query, name in self.plan.auxiliary_queries.items():
            frame = self._with_answer(frame, query, name, repeats=repeats)
        flags = {item.flag: item.fails for item in self.plan.row_rules() if item.fails is not None}
        return frame.with_columns(**flags) if flags else frame

    def _with_answer(self, frame: Frame, query: AuxiliaryQuery, name: str, *, repeats: bool) -> Frame:
        match query:
            case Repeats() if repeats:
                return with_repeats(frame, self.frame, query, self.known_columns, name)
            case Repeats():
                return frame.with_columns(nw.lit(False).alias(name))
            case LimitsFromColumn():
                value = self.known_columns[query.column]
                measures = self.measured.get(query) or dict.fromkeys(query.measures(value))
                return frame.with_columns(query.holds(value, measures).alias(name))
        raise TypeError(f"{type(query).__name__} is a gap of this engine and was planned all the same")

    def numbers(self) -> Frame:
        """One row: every count and observed value, and the rows in all."""
        keys = {f"{item.index}.unexpected": query for item in self.plan.row_rules() if (query := _repeats_of(item))}
        counts = {
            name: self.plan.dialect.count(nw.col(item.flag))
            for item in self.plan.row_rules()
            if (name := f"{item.index}.unexpected") not in keys
        }
        exprs = {**self.plan.scalars(), **counts}
        # Until all is joined the numbers have simple names: to Spark, a dot is the way into a struct.
        simple = {name: f"_number_{place}" for place, name in enumerate([*exprs, *keys])}
        numbers = self.marked_frame(repeats=False).select(**{simple[name]: expr for name, expr in exprs.items()})
        for name, query in keys.items():
            numbers = numbers.join(repeat_count(self.frame, query, self.known_columns, simple[name]), how="cross")
        return numbers.rename({short: name for name, short in simple.items()})

    def small_frames(self) -> dict[int, Frame]:
        """By the index of a rule that groups the rows, the small frame that it wants."""
        rules = [(item.index, item.rule) for item in self.plan.grouped_rules()]
        return {index: self._grouped(rule) for index, rule in rules if isinstance(rule, GroupRule)}

    def _grouped(self, rule: GroupRule) -> Frame:
        condition = rule.condition(self.known_columns)
        rows = self.frame if condition is None else self.frame.filter(condition)
        return rule.group(rows.select(*self.plan.schema), self.known_columns, _no_table)

    def with_measures(self) -> Self:
        """The scan with what columns measure, in one query."""
        queries = [query for query in self.plan.auxiliary_queries if isinstance(query, LimitsFromColumn)]
        if not queries:
            return self
        measures = {query: query.measures(self._judged_value(query)) for query in queries}
        wanted = {
            f"{place}.{name}": expr for place, query in enumerate(queries) for name, expr in measures[query].items()
        }
        (numbers,) = self.backend.query(self.frame.select(**wanted))
        measured = {
            query: {name: numbers[f"{place}.{name}"] for name in measures[query]} for place, query in enumerate(queries)
        }
        return replace(self, measured=measured)

    def _judged_value(self, query: LimitsFromColumn) -> Value:
        value = self.known_columns[query.column]
        if query.row_condition is None:
            return value
        condition = Condition.parse(query.row_condition).expr(self.known_columns)
        return replace(value, expr=nw.when(condition).then(value.expr))


def _any_of(flags: Sequence[str]) -> nw.Expr:
    return nw.any_horizontal(*(nw.col(flag) for flag in flags), ignore_nulls=False)


def _repeats_of(item: PlannedRule) -> Repeats | None:
    query = item.rule.auxiliary_query() if isinstance(item.rule, RowRule) else None
    return query if isinstance(query, Repeats) else None


def _no_table(table: str) -> Frame:
    raise RuleError(f"'{table}' does not lie in this engine")
