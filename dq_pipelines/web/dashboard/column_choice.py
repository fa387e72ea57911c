"""Chooses the column whose metrics a table's page shows at first."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from dq_pipelines.project import Table
from dq_pipelines.project.checked_rules import checked_rules

#: Rules that judge a measure: the size of its values or an aggregate of them, and not their lengths or their number.
_MEASURING = (
    "values_to_be_between",
    "outliers",
    "z_scores",
    "mean",
    "median",
    "sum",
    "stdev",
    "quantile",
    "divergence",
)
#: Last words of names of columns that identify something.
_IDS = ("id", "key", "code", "number")
#: Types whose values have a mean that is no measure.
_MOMENTS = ("date", "time", "duration", "bool")


def first_column(table: Table | None, columns: Sequence[str], measured: Collection[str]) -> str | None:
    """A column that is watched, then one whose values a rule measures, then another measure; a key only as the last resort.

    `columns` are all columns with metrics, `measured` those that have a mean. None without columns.
    """
    plain = [name for name in columns if not _is_key(table, name)]
    watched = [rule.column for rule in table.anomalies if rule.column] if table is not None else []
    judged = _judged(table)
    numbers = [name for name in plain if not _type_of(table, name).startswith(_MOMENTS)]
    measures = [name for name in (*watched, *judged, *numbers, *plain) if name in plain and name in measured]
    return next((name for name in (*measures, *plain, *columns) if name in columns), None)


def _judged(table: Table | None) -> list[str | None]:
    rules = checked_rules(table) if table is not None else []
    return [rule.column_label for rule in rules if any(word in str(rule.type) for word in _MEASURING)]


def _is_key(table: Table | None, name: str) -> bool:
    """Whether a column identifies rows or refers to another table: by a rule, as a merge key, or by its name."""
    if name.lower().rpartition("_")[2] in _IDS:
        return True
    if table is None:
        return False
    rules = [rule for rule in table.rules if str(rule.type).endswith(("to_be_unique", "to_exist_in"))]
    return any(name in rule.columns_judged for rule in rules) or (
        not table.is_gold and name in table.landed.silver.keys
    )


def _type_of(table: Table | None, name: str) -> str:
    column = None if table is None or table.is_gold else table.landed.silver.columns.get(name)
    return "" if column is None else column.type
