"""Beginnings of a table's YAML, to which a test adds what is wrong."""

from __future__ import annotations

CSV = "source: {type: csv, path: x.csv}\n"
NAMED = "source: {type: csv, path: x, column_names: [id, name]}\n"
HEAD = CSV + "silver:\n  columns: {id: int64, price: float64}\n"
RULES = HEAD + "  rules:\n"
FOREIGN = RULES.replace("{", "{{").replace("}", "}}") + (
    "    - {{type: expect_column_values_to_exist_in, column: id, table: {}, key: id}}\n"
)
