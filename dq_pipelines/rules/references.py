"""Whether values are found in another table."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import narwhals as nw
from pydantic import AfterValidator, Field

from dq_pipelines.rules.asides import Exists
from dq_pipelines.rules.base import ColumnRule, Example
from dq_pipelines.rules.columns import Columns, Value

_LAYERS = ("bronze", "silver", "quarantine", "gold")


def _table(name: str) -> str:
    layer, _, table = name.partition("/")
    if layer not in _LAYERS or not table:
        raise ValueError(f"wanted a table as <layer>/<table> (layer: {', '.join(_LAYERS)}), got '{name}'")
    return name


class ValuesExistIn(ColumnRule):
    """Every value is found in column `key` of `table` (a foreign key), as that table was last published."""

    type: Literal["expect_column_values_to_exist_in"]
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

    def aside(self) -> Exists:
        return Exists(self.column, self.table, self.key)

    def holds(self, value: Value) -> nw.Expr:
        raise NotImplementedError("found or not beside the scan")

    def fails(self, columns: Columns) -> nw.Expr:
        return ~columns.aside(self.aside()).fill_null(True) & ~columns[self.column].is_missing
