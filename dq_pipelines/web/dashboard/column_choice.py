"""Chooses the column whose metrics a table's page shows at first."""

from __future__ import annotations

from collections.abc import Sequence

from dq_pipelines.project import Table
from dq_pipelines.project.checked_rules import checked_rules

#: Rules that judge a measure: the size of its values or an aggregate of them.
_MEASURING = ("between", "outliers", "z_scores", "mean", "median", "sum", "stdev", "quantile", "divergence")
#: Names of columns that identify something, as a last resort where nothing else tells a measure.
_IDS = ("id", "key", "code", "number")


def first_column(table: Table | None, columns: Sequence[str]) -> str | None:
    """A column that is watched, then one whose values a rule measures, then any that is no key; None without columns."""
    if table is None:
        return next(iter([*(name for name in columns if not _names_a_key(name)), *columns]), None)
    watched = [rule.column for rule in table.anomalies if rule.column]
    rules = checked_rules(table)
    judged = [rule.column_label for rule in rules if any(word in str(rule.type) for word in _MEASURING)]
    keys = _keys(table)
    others = [name for name in columns if name not in keys and not _names_a_key(name)]
    measures = [name for name in (*watched, *judged) if name not in keys]
    return next((name for name in (*measures, *others, *columns) if name in columns), None)


def _keys(table: Table) -> set[str]:
    """Columns that identify rows or refer to other tables."""
    identifying = ("to_be_unique", "to_exist_in")
    by_rules = {name for rule in table.rules if str(rule.type).endswith(identifying) for name in rule.columns_judged}
    return by_rules | (set() if table.is_gold else set(table.landed.silver.keys))


def _names_a_key(name: str) -> bool:
    return name.lower().rpartition("_")[2] in _IDS
