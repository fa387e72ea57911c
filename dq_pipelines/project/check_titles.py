"""Titles of a table's checks in words: those of its rules, and those of the checks that every table has."""

from __future__ import annotations

from collections.abc import Mapping

from dq_pipelines.project.checked_rules import checked_rules, rules_by_check
from dq_pipelines.project.model import Table
from dq_pipelines.rules.core.check_names import in_short
from dq_pipelines.rules.core.titles import title

#: Checks that tables have by default.
BUILT_IN: Mapping[str, str] = {
    "inputs_readable": "every input could be read, at least in part; no input is skipped",
    "inputs_unassigned": "every input is a file and belongs to a partition, so that a run reads it",
    "encoding_guessed": "the encoding of each landed file is UTF-8, declared, or detected with confidence",
    "rows_accounted_for": "every input row is published, in quarantine, or dropped by a rule or a step",
    "schema_drift": "the columns of a batch are those of the table, or change as its schema setting allows",
    "unreadable": "every line of the input could be read",
    "file_is_sound": "the file of the table is valid",
    "attempt": "the last attempt ended with a verdict",
}


def check_titles(table: Table | None) -> dict[str, str]:
    """The title of each check by its name; of a table that is not in the project, of those that every table has."""
    if table is None:
        return dict(BUILT_IN)
    rules = {check: title(rule) for check, rule in rules_by_check(table).items()}
    watched = {rule.check: rule.title for rule in table.anomalies}
    return {**BUILT_IN, **watched, **rules}


def check_title(titles: Mapping[str, str], check: str, rule_type: str, column: str | None) -> str:
    """The title of a recorded result: of a rule that is no longer in the YAML, its columns and its type in short."""
    if (known := titles.get(check)) is not None:
        return known
    if rule_type == "cast":
        return f"{column} fits its type"
    words = in_short(rule_type)
    return f"{column}: {words}" if column else words


def reason_titles(table: Table | None) -> dict[tuple[str, str], str]:
    """What the rules demand, by type and judged columns, as a refused row names its reasons. Several rules may share these."""
    titles: dict[tuple[str, str], list[str]] = {}
    for rule in checked_rules(table) if table is not None else ():
        titles.setdefault((rule.type, rule.column_label or ""), []).append(title(rule))
    return {reason: " or ".join(dict.fromkeys(some)) for reason, some in titles.items()}


def reason_title(titles: Mapping[tuple[str, str], str], rule_type: str, column: str | None) -> str:
    """The title of a reason; of a rule that is no longer in the YAML, its columns and its type in short."""
    return titles.get((rule_type, column or "")) or check_title(BUILT_IN, rule_type, rule_type, column)
