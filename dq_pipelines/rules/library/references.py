"""Rules that compare a table with another one: foreign keys and row counts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal

import narwhals as nw
from pydantic import AfterValidator, Field

from dq_pipelines.rules.core.auxiliary_queries import Exists
from dq_pipelines.rules.core.base import Dimension, Example
from dq_pipelines.rules.core.column_value import Value
from dq_pipelines.rules.core.columns import Columns
from dq_pipelines.rules.core.on_rows import ColumnRule
from dq_pipelines.rules.core.on_tables import GroupRule, Tables
from dq_pipelines.rules.core.query import LAYERS


def _table(name: str) -> str:
    layer, _, table = name.partition("/")
    if layer not in LAYERS or not table:
        raise ValueError(f"wanted a table as <layer>/<table> (layer: {', '.join(LAYERS)}), got '{name}'")
    return name


class ValuesExistIn(ColumnRule):
    """Every value exists in column `key` of `table` (a foreign key), as that table was last published.

    `table` may be the rule's own table, such as employees with a boss. Then rows of the same batch count too, except refused
    ones: a row that refers to a refused row is refused as well. Published rows are not judged again when their
    parents are removed; the run then reports how many there are, and which rerun refuses them.
    """

    dimension: ClassVar[Dimension] = "consistency"

    type: Literal["expect_column_values_to_exist_in"]
    title_template: ClassVar[str] = "{column} exists in {table} as {key}"
    #: `<layer>/<table>`
    table: Annotated[str, AfterValidator(_table)]
    #: the other table's column
    key: Annotated[str, Field(min_length=1)]

    #: the contract suite's other table is `silver/other`, with column `id`: 1, 2, null
    examples: ClassVar[tuple[Example, ...]] = (
        Example({"x": [1, 2, 1]}, {"column": "x", "table": "silver/other", "key": "id"}, {"success": True}),
        Example(
            {"x": [1, 3, None]},
            {"column": "x", "table": "silver/other", "key": "id"},
            {"unexpected_count": 1, "missing_count": 1},
        ),
    )

    def auxiliary_query(self) -> Exists:
        return Exists(self.column, self.table, self.key)

    def holds(self, value: Value) -> nw.Expr:
        raise NotImplementedError("the engine looks up the values outside of the scan")

    def fails(self, columns: Columns) -> nw.Expr:
        return ~columns.answer(self.auxiliary_query()).fill_null(True) & ~columns[self.column].is_missing


class RowCountEqualsOther(GroupRule):
    """The table has as many rows as the last published version of `other_table_name`."""

    dimension: ClassVar[Dimension] = "consistency"

    type: Literal["expect_table_row_count_to_equal_other_table"]
    title_template: ClassVar[str] = "there are as many rows as in {other_table_name}"
    #: `<layer>/<table>`
    other_table_name: Annotated[str, AfterValidator(_table)]

    #: the contract suite's other table is `silver/other`, with column `id`: 1, 2, null
    examples: ClassVar[tuple[Example, ...]] = (
        Example(
            {"x": [5, 6, None]},
            {"other_table_name": "silver/other"},
            {"success": True, "observed_value": {"self": 3, "other": 3}},
        ),
        Example({"x": [5, 6]}, {"other_table_name": "silver/other"}, {"success": False}),
    )

    @property
    def reads(self) -> tuple[str, ...]:
        return (self.other_table_name,)

    def group(self, rows: nw.LazyFrame[Any], columns: Columns, tables: Tables) -> nw.LazyFrame[Any]:
        own = rows.select(nw.len().alias("self"))
        return own.join(tables(self.other_table_name).select(nw.len().alias("other")), how="cross")

    def conclude(self, found: Sequence[Mapping[str, Any]], columns: Columns) -> dict[str, int]:
        (counts,) = found
        return dict(counts)

    def accepts(self, observed: Any) -> bool:
        return bool(observed["self"] == observed["other"])
