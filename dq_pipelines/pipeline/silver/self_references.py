"""Rules that look values up in their own table: the parents are the rows that will be published, and no others.

Whether a row is published may hang on another row of its batch, which is refused itself. So a batch is judged with all rows
as parents first, and again with those that were kept, until both agree: the most rows that satisfy the rules together.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import narwhals as nw
import polars as pl

from dq_pipelines.config.columns import exact
from dq_pipelines.engine.interrupt import collect_all
from dq_pipelines.lake.tables import PARTITION
from dq_pipelines.pipeline.runtime.orphans import Orphans
from dq_pipelines.rules.core.auxiliary_queries import Exists
from dq_pipelines.rules.core.base import Rule
from dq_pipelines.rules.core.columns import Columns
from dq_pipelines.rules.core.condition import Condition
from dq_pipelines.rules.core.on_rows import RowRule

#: Rounds in which a row that is refused leaves its key to another of the batch that has it. In later rounds all that hang on
#: a refused row fall with it, and none that has lost its parent gets it back, so that the rounds come to an end.
_FREE_ROUNDS = 3
_PLACE, _WANTED, _PARENT = "\x00place", "\x00wanted", "\x00parent"

Judged = TypeVar("Judged")


@dataclass(frozen=True)
class SelfReferences:
    """The rules of one table that look values up in that table."""

    rules: tuple[RowRule, ...]

    @classmethod
    def of(cls, table: str, rules: Iterable[Rule]) -> SelfReferences:
        """Those of the `rules` of a `table` (`<layer>/<table>`)."""
        on_rows = [rule for rule in rules if isinstance(rule, RowRule)]
        return cls(
            tuple(rule for rule in on_rows if isinstance(own := rule.auxiliary_query(), Exists) and own.table == table)
        )

    def settled(
        self,
        judge: Callable[[pl.LazyFrame | None], Judged],
        rows: Callable[[Judged], pl.LazyFrame],
        first: Callable[[], pl.LazyFrame],
        published: Callable[[Judged], Sequence[pl.LazyFrame]],
    ) -> Judged:
        """What `judge` gives with the right parents.

        `judge` takes the parents, None where no rule asks for any, and stages what it keeps. `rows` are those that it has
        judged, `published` what it has kept, and what stays beside that. `first` are the parents of the first round: the
        rows to judge, and whatever may stay.
        """
        if not self.rules:
            return judge(None)
        parents, rounds = first(), 0
        while True:
            judged, rounds = judge(parents), rounds + 1
            frames = published(judged)
            now = pl.concat(frames, how="diagonal_relaxed")
            if rounds >= _FREE_ROUNDS:
                now = self._in_both(self._without_orphans(*frames), parents)
            if not self._tells_apart(rows(judged), parents, now):
                return judged
            parents = now

    def may_lose_parents(self, mode: str, keys: Collection[str]) -> bool:
        """Whether a batch that is published in this mode may take away what rows beside it refer to.

        A merge takes no key away, so rows that refer to the key have their parents still.
        """
        return mode == "overwrite" or (mode == "merge" and any({key} != set(keys) for _, key in self._pairs))

    def left_behind(self, kept: pl.LazyFrame, staying: Sequence[pl.LazyFrame]) -> Orphans:
        """The rows that stay beside the kept ones, and to which a rule leaves no parent that would refuse or block them."""
        rules = [rule for rule in self.rules if rule.action != "warn"]
        if not rules or not staying:
            return Orphans()
        rows = pl.concat(staying, how="diagonal_relaxed").with_row_index(_PLACE)
        orphans = [self._without_parent(rows, rule, [kept, *staying]) for rule in rules]
        part = PARTITION if PARTITION in rows.collect_schema() else pl.lit(None, pl.String).alias(PARTITION)
        places = pl.concat([some.select(_PLACE, part) for some in orphans]).unique(_PLACE)
        counts = places.group_by(PARTITION).len().sort(PARTITION).collect(engine="streaming")
        return Orphans(int(counts["len"].sum()), tuple(counts[PARTITION].drop_nulls()))

    @staticmethod
    def _without_parent(rows: pl.LazyFrame, rule: RowRule, whole: Sequence[pl.LazyFrame]) -> pl.LazyFrame:
        query, columns = rule.auxiliary_query(), rows.collect_schema()
        if not isinstance(query, Exists) or query.column not in columns:
            return rows.head(0)
        dtype = columns[query.column]
        parents = pl.concat([_values(some, query.key, _PARENT, dtype) for some in whole])
        judged = (
            _judged_alone(rows, rule).with_columns(pl.col(_WANTED).alias(_PARENT)).filter(pl.col(_PARENT).is_not_null())
        )
        return judged.join(parents, on=_PARENT, how="anti")

    @property
    def _pairs(self) -> list[tuple[str, str]]:
        """The columns that refer to others, each with the column that they refer to."""
        queries = [rule.auxiliary_query() for rule in self.rules]
        return list(dict.fromkeys((query.column, query.key) for query in queries if isinstance(query, Exists)))

    def _tells_apart(self, rows: pl.LazyFrame, before: pl.LazyFrame, now: pl.LazyFrame) -> bool:
        """Whether any row refers to a value that only one of the two has."""
        columns = rows.collect_schema()
        asked = []
        for column, key in self._pairs:
            if column in columns:
                values = rows.select(pl.col(exact(column)).alias(column)).drop_nulls().unique()
                kept = [_values(parents, key, column, columns[column]) for parents in (before, now)]
                only_before = values.join(kept[0], on=exact(column), how="semi").join(
                    kept[1], on=exact(column), how="anti"
                )
                only_now = values.join(kept[1], on=exact(column), how="semi").join(
                    kept[0], on=exact(column), how="anti"
                )
                asked += [only_before.head(1), only_now.head(1)]
        return any(rows_of_one.height for rows_of_one in collect_all(asked)) if asked else False

    def _in_both(self, now: pl.LazyFrame, before: pl.LazyFrame) -> pl.LazyFrame:
        for key in dict.fromkeys(key for _, key in self._pairs):
            columns = now.collect_schema()
            if key in columns:
                now = now.join(_values(before, key, key, columns[key]), on=exact(key), how="semi")
        return now

    def _without_orphans(self, kept: pl.LazyFrame, *staying: pl.LazyFrame) -> pl.LazyFrame:
        """The kept rows that have their parents, whose parents have theirs, and so on, and the rows that stay."""
        orphans = self._orphans(kept, staying)
        if len(orphans):
            kept = kept.with_row_index(_PLACE).filter(~pl.col(_PLACE).is_in(orphans.implode())).drop(_PLACE)
        return pl.concat([kept, *staying], how="diagonal_relaxed")

    def _orphans(self, kept: pl.LazyFrame, staying: Sequence[pl.LazyFrame]) -> pl.Series:
        """The places of the kept rows to which a refusing rule leaves no parent."""
        columns = kept.collect_schema()
        references = []
        for rule in self.rules:
            query = rule.auxiliary_query()
            if rule.refuses and isinstance(query, Exists) and {query.column, query.key} <= set(columns):
                references.append(_Reference.of(kept, rule, query, staying))
        return _removed(references)


@dataclass(frozen=True)
class _Reference:
    """One rule's references between rows, as numbers: equal numbers are equal values, -1 is none."""

    #: what each row refers to; none where nothing has to be found, or what stays has it
    wanted: pl.Series
    #: what each row can be referred to by
    offered: pl.Series

    @classmethod
    def of(cls, kept: pl.LazyFrame, rule: RowRule, query: Exists, staying: Sequence[pl.LazyFrame]) -> _Reference:
        dtype = kept.collect_schema()[query.column]
        kept = _judged_alone(kept, rule)
        offered = pl.col(exact(query.key)).cast(dtype, strict=False)
        frames = [_values(rows, query.key, "value", dtype) for rows in staying]
        pairs, *stays = collect_all([kept.select(pl.col(_WANTED).alias("wanted"), offered.alias("offered")), *frames])
        values = pl.concat([pairs["wanted"], pairs["offered"]]).rank("dense").cast(pl.Int64).fill_null(0) - 1
        in_staying_rows = pl.concat([pl.Series(dtype=dtype), *(frame["value"] for frame in stays)])
        lacking = values.head(pairs.height).set(pairs["wanted"].is_in(in_staying_rows.implode()).fill_null(False), -1)
        return cls(lacking, values.tail(pairs.height))


def _removed(references: Sequence[_Reference]) -> pl.Series:
    """The places of the rows that go, since what they refer to is not there, or goes as well."""
    import numpy as np

    if not references:
        return pl.Series(dtype=pl.UInt32)
    gone = np.zeros(len(references[0].wanted), dtype=bool)
    graphs = []
    for one in references:
        wanted, offered = one.wanted.to_numpy(), one.offered.to_numpy()
        values = int(max(wanted.max(initial=0), offered.max(initial=0))) + 1
        holders = np.bincount(offered[offered >= 0], minlength=values)
        by_value = np.argsort(wanted, kind="stable")
        starts = np.searchsorted(wanted[by_value], np.arange(values + 1))
        gone |= (wanted >= 0) & (holders[wanted] == 0)
        graphs.append((offered, holders, by_value, starts))
    going = np.flatnonzero(gone).tolist()
    while going:
        row = going.pop()
        for offered, holders, by_value, starts in graphs:
            value = offered[row]
            if value < 0:
                continue
            holders[value] -= 1
            if holders[value] == 0:
                children = by_value[starts[value] : starts[value + 1]]
                fresh = children[~gone[children]]
                gone[fresh] = True
                going += fresh.tolist()
    return pl.Series(np.flatnonzero(gone), dtype=pl.UInt32)


def _judged_alone(rows: pl.LazyFrame, rule: RowRule) -> pl.LazyFrame:
    """`rows` with the value that the rule looks up of each, as `_WANTED`; none where its condition leaves the row out."""
    query = rule.auxiliary_query()
    wanted = pl.col(exact(query.column)) if isinstance(query, Exists) else pl.lit(None)
    if rule.row_condition is not None:
        narwhals_rows = nw.from_native(rows)
        condition = Condition.parse(rule.row_condition).expr(Columns(dict(narwhals_rows.collect_schema())))
        rows = narwhals_rows.with_columns(condition.alias("\x00judged")).to_native()
        wanted = pl.when("\x00judged").then(wanted)
    return rows.with_columns(wanted.alias(_WANTED))


def _values(rows: pl.LazyFrame, key: str, name: str, dtype: pl.DataType) -> pl.LazyFrame:
    """The distinct values that `rows` have in a column, under another name; none where they have no such column."""
    if key not in rows.collect_schema():
        return pl.LazyFrame(schema={name: dtype})
    return rows.select(pl.col(exact(key)).cast(dtype, strict=False).alias(name)).drop_nulls().unique()
