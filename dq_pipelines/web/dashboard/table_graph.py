"""The graph of tables that read one another: what a page shows of it, and where each table is in the picture."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from dq_pipelines.project import Table

#: Tables in one picture: more are no picture any more.
MOST = 60
#: Steps from a table to the tables of its neighbourhood.
_STEPS = 2


@dataclass(frozen=True)
class TableGraph:
    """Some tables of a project, and which of them read which."""

    #: by key
    tables: Mapping[str, Table]

    @classmethod
    def of(cls, tables: Iterable[Table]) -> TableGraph:
        return cls({table.key: table for table in tables})

    @cached_property
    def inputs(self) -> dict[str, tuple[str, ...]]:
        """By table, the tables that it is computed from."""
        return {key: tuple(one for one in table.inputs if one in self.tables) for key, table in self.tables.items()}

    @cached_property
    def references(self) -> dict[str, tuple[str, ...]]:
        """By table, the other tables that its rules look into."""
        return {
            key: tuple(one for one in table.upstream if one in self.tables and one not in self.inputs[key])
            for key, table in self.tables.items()
        }

    @cached_property
    def consumers(self) -> dict[str, list[str]]:
        """By table, the tables that are computed from it or whose rules look into it."""
        found: dict[str, list[str]] = {key: [] for key in self.tables}
        for key in self.tables:
            for one in (*self.inputs[key], *self.references[key]):
                found[one].append(key)
        return found

    def only(self, keys: Collection[str]) -> TableGraph:
        """The part of the graph with these tables."""
        return TableGraph({key: table for key, table in self.tables.items() if key in keys})

    def around(self, key: str) -> TableGraph:
        """A table with the tables before and after it, the nearest first, at most `MOST`."""
        if key not in self.tables:
            return TableGraph({})
        found = {key: None}
        before = after = [key]
        for _ in range(_STEPS):
            before = [one for each in before for one in (*self.inputs[each], *self.references[each])]
            after = [one for each in after for one in self.consumers[each]]
            found |= dict.fromkeys([*before, *after])
        return self.only(list(found)[:MOST])

    @cached_property
    def columns(self) -> list[list[str]]:
        """The tables from left to right: silver, then gold by the longest way from silver; each from top to bottom."""
        depth: dict[str, int] = {}

        def depth_of(key: str, seen: frozenset[str] = frozenset()) -> int:
            if key not in depth:
                before = [depth_of(one, seen | {key}) for one in self.inputs[key] if one not in seen]
                depth[key] = 1 + max(before, default=0) if self.tables[key].is_gold else 0
            return depth[key]

        found: list[list[str]] = [[] for _ in range(1 + max(map(depth_of, self.tables), default=0))]
        for key in sorted(self.tables, key=lambda key: (self.tables[key].domain, key)):
            found[depth[key]].append(key)
        return [column for place, column in enumerate(found) if column or place == 0]

    @cached_property
    def rows(self) -> dict[str, float]:
        """The row of each table in its column, from 0: near the mean of the tables that it is computed from."""
        place: dict[str, float] = {key: float(row) for row, key in enumerate(self.columns[0])}
        for column in self.columns[1:]:
            wanted = {key: _mean([place[one] for one in self.inputs[key] if one in place]) for key in column}
            last = -1.0
            for key in sorted(column, key=lambda key: (wanted[key], key)):
                place[key] = last = max(last + 1, wanted[key])
        return place


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0
