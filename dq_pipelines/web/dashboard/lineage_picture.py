"""Draws the graph of tables as SVG: layers from left to right, each table a link to its page.

The picture has no styles and no scripts of its own, as the policy of pages wants it: its colours are classes. The same is
said as a list beside it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from markupsafe import Markup

from dq_pipelines.history.store.status import WORDS, Status
from dq_pipelines.web.dashboard.links import Links
from dq_pipelines.web.dashboard.table_graph import TableGraph

#: Sizes of the picture, in pixels.
_BRONZE, _WIDTH, _HEIGHT, _GAP, _ROW, _TOP = 84, 176, 30, 64, 42, 30
#: Characters of a table's name that fit.
_LETTERS = 22


@dataclass(frozen=True)
class ListedTable:
    """One table of the picture, for the list beside it."""

    key: str
    status: Status
    inputs: Sequence[str]
    references: Sequence[str]
    consumers: Sequence[str]


@dataclass(frozen=True)
class LineagePicture:
    """The picture of some tables."""

    graph: TableGraph
    statuses: Mapping[str, Status]
    #: the table in whose surroundings the others are; "" for none
    middle: str = ""

    @property
    def tables(self) -> list[ListedTable]:
        """The tables in the order of the picture."""
        graph = self.graph
        return [
            ListedTable(key, self._status(key), graph.inputs[key], graph.references[key], graph.consumers[key])
            for column in graph.columns
            for key in sorted(column, key=lambda key: graph.rows[key])
        ]

    def _status(self, key: str) -> Status:
        return self.statuses.get(key, "never_run")

    @cached_property
    def _x(self) -> dict[str, int]:
        first = _BRONZE + _GAP
        return {
            key: first + place * (_WIDTH + _GAP) for place, column in enumerate(self.graph.columns) for key in column
        }

    def _y(self, key: str) -> float:
        return _TOP + self.graph.rows[key] * _ROW

    @property
    def width(self) -> int:
        return _BRONZE + _GAP + len(self.graph.columns) * (_WIDTH + _GAP) - _GAP // 2

    @property
    def height(self) -> float:
        return _TOP + (1 + max(self.graph.rows.values(), default=0)) * _ROW

    def svg(self, links: Links) -> Markup:
        """The picture as an element."""
        parts = [self._headings(), *self._edges(), *(self._node(key, links) for key in self._x)]
        return Markup(
            '<svg class="lineage" xmlns="http://www.w3.org/2000/svg" role="group" aria-label="Lineage of {} tables" '
            'width="{}" height="{:.0f}" viewBox="0 0 {} {:.0f}">{}</svg>'
        ).format(len(self._x), self.width, self.height, self.width, self.height, Markup("").join(parts))

    def _headings(self) -> Markup:
        names = ["silver", *["gold"] * (len(self.graph.columns) - 1)]
        texts = [Markup('<text class="layer" x="1" y="14">bronze</text>')]
        for place, name in enumerate(names):
            x = _BRONZE + _GAP + place * (_WIDTH + _GAP)
            texts.append(Markup('<text class="layer" x="{}" y="14">{}</text>').format(x, name))
        return Markup("").join(texts)

    def _edges(self) -> list[Markup]:
        graph, edges = self.graph, []
        for key in self._x:
            if not graph.tables[key].is_gold:
                edges.append(_curve(_BRONZE + 1, self._y(key), self._x[key], self._y(key), "edge"))
            edges += [self._edge(one, key, "edge") for one in graph.inputs[key]]
            edges += [self._reference(one, key) for one in graph.references[key]]
        return edges

    def _edge(self, one: str, key: str, kind: str) -> Markup:
        return _curve(self._x[one] + _WIDTH, self._y(one), self._x[key], self._y(key), kind)

    def _reference(self, one: str, key: str) -> Markup:
        """A rule's look into another table: to the right, or in an arc beside the same column."""
        if self._x[one] < self._x[key]:
            return self._edge(one, key, "edge reference")
        right, far = self._x[one] + _WIDTH, self._x[one] + _WIDTH + _GAP * 0.6
        return Markup('<path class="edge reference" d="M{:.1f} {:.1f}C{:.1f} {:.1f} {:.1f} {:.1f} {:.1f} {:.1f}"/>').format(
            right, self._y(one) + _HEIGHT / 2, far, self._y(one) + _HEIGHT / 2, far, self._y(key) + _HEIGHT / 2,
            self._x[key] + _WIDTH, self._y(key) + _HEIGHT / 2,
        )  # fmt: skip

    def _node(self, key: str, links: Links) -> Markup:
        table, status, y = self.graph.tables[key], self._status(key), self._y(key)
        name = table.name if len(table.name) <= _LETTERS else f"{table.name[: _LETTERS - 1]}…"
        middle = Markup(" middle") if key == self.middle else ""
        node = Markup(
            '<a href="{}" class="node {}{}" aria-label="{}, {}"><title>{}, {}</title><rect x="{}" y="{:.1f}" width="{}" '
            'height="{}" rx="6"/><circle cx="{}" cy="{:.1f}" r="4"/><text x="{}" y="{:.1f}">{}</text></a>'
        ).format(
            links.table(key), status, middle, key, WORDS[status], key, WORDS[status], self._x[key], y, _WIDTH, _HEIGHT,
            self._x[key] + 12, y + _HEIGHT / 2, self._x[key] + 23, y + _HEIGHT / 2 + 4.5, name,
        )  # fmt: skip
        return node if table.is_gold else self._bronze(key, str(table.landed.source.type), y) + node  # type: ignore[attr-defined]

    def _bronze(self, key: str, kind: str, y: float) -> Markup:
        return Markup(
            '<g class="landing"><title>bronze/{}, lands as {}</title><rect x="1" y="{:.1f}" width="{}" height="{}" '
            'rx="6"/><text x="10" y="{:.1f}">{}</text></g>'
        ).format(key.partition("/")[2], kind, y, _BRONZE, _HEIGHT, y + _HEIGHT / 2 + 4.5, kind[:10])


def _curve(x: float, y: float, to_x: float, to_y: float, kind: str) -> Markup:
    start, end, middle = y + _HEIGHT / 2, to_y + _HEIGHT / 2, (x + to_x) / 2
    return Markup('<path class="{}" d="M{:.1f} {:.1f}C{:.1f} {:.1f} {:.1f} {:.1f} {:.1f} {:.1f}"/>').format(
        kind, x, start, middle, start, middle, end, to_x, end
    )
