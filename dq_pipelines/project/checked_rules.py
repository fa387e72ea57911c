"""Lists the rules of a table that have an asset check: first those of its merge keys, then those of its YAML."""

from __future__ import annotations

from dq_pipelines.project.model import Table
from dq_pipelines.project.tables import Silver
from dq_pipelines.rules.core.base import Rule
from dq_pipelines.rules.core.check_names import check_names
from dq_pipelines.rules.library.completeness import ValuesNotNull


def checked_rules(table: Table) -> list[Rule]:
    """The rules of a table that have an asset check, in order."""
    if table.is_gold:
        return list(table.rules)
    return [*key_rules(table.landed.silver), *table.rules]


def rules_by_check(table: Table) -> dict[str, Rule]:
    """The same rules by the name of their check."""
    rules = checked_rules(table)
    return dict(zip(check_names(rules), rules, strict=True))


def key_rules(silver: Silver) -> list[Rule]:
    """A not-null rule for each merge key, unless the YAML has one: a row without its key cannot be merged."""
    if silver.mode != "merge":
        return []
    declared = {
        rule.column
        for rule in silver.rules
        if isinstance(rule, ValuesNotNull) and rule.refuses and not rule.row_condition
    }
    return [
        ValuesNotNull(type="expect_column_values_to_not_be_null", column=key)
        for key in silver.keys
        if key not in declared
    ]
