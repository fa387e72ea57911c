"""Describes why a row was refused: the rule, its column, the expected value and the actual value."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from dq_pipelines.engine.results.reasons import REASONS
from dq_pipelines.pipeline.exchange.workbook import Refusal
from dq_pipelines.pipeline.quarantine.refused_rows import ID, cells_in
from dq_pipelines.project import Table
from dq_pipelines.project.checked_rules import checked_rules
from dq_pipelines.rules.core.base import Rule
from dq_pipelines.rules.core.render import given
from dq_pipelines.sources import ROW, SOURCE

#: Arguments of a rule that its name and columns already say.
_OMITTED = frozenset(
    {"type", "column", "column_A", "column_B", "column_list", "mostly", "condition_parser", *Rule.policy}
)
#: Characters of the description of one rule's arguments.
_LONGEST = 200


@dataclass(frozen=True)
class RuleDescriptions:
    """What the rules of a table expect, by type and label; several rules may share these."""

    expected: Mapping[tuple[str, str], tuple[str, ...]] = field(default_factory=dict)
    #: the columns behind a rule's label
    judged: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @classmethod
    def of(cls, table: Table) -> Self:
        expected: dict[tuple[str, str], list[str]] = {}
        rules = checked_rules(table)
        for rule in rules:
            if arguments := _arguments(rule):
                expected.setdefault((rule.type, rule.column_label or ""), []).append(arguments)
        columns = {} if table.is_gold else table.landed.silver.columns
        for name, column in columns.items():
            expected["cast", name] = [column.type + (f" as {column.format}" if column.format else "")]
        labels = {rule.column_label: rule.columns_judged for rule in rules if rule.column_label}
        return cls({key: tuple(dict.fromkeys(texts)) for key, texts in expected.items()}, labels)

    def refusal_of(self, row: Mapping[str, Any]) -> Refusal:
        """A quarantine row with its reasons, in one line and by column."""
        reasons: dict[str, list[str]] = {}
        descriptions = []
        for reason in row[REASONS]:
            label = reason["column"] or ""
            descriptions.append(self._describe(reason["rule"], label, reason["value"]))
            for name in self.judged.get(label) or (label,):
                reasons.setdefault(name, []).append(descriptions[-1])
        cells = {name: row[name] for name in cells_in(row)}
        blamed = {name: "; ".join(texts) for name, texts in reasons.items()}
        unreadable = any(reason["rule"] == "unreadable" for reason in row[REASONS])
        return Refusal(str(row[ID]), cells, str(row[SOURCE]), row[ROW], "; ".join(descriptions), blamed, unreadable)

    def _describe(self, rule: str, label: str, value: str | None) -> str:
        expected = " or ".join(self.expected.get((rule, label), ()))
        parts = [f"{label}: {rule}" if label else rule, f"wanted {expected}" if expected else ""]
        return ", ".join(filter(None, [*parts, "" if value is None else f"got {value}"]))


def _arguments(rule: Rule) -> str:
    """The arguments of a rule other than its columns, in one line."""
    arguments = [f"{name} {_value(value)}" for name, value in given(rule).items() if name not in _OMITTED]
    line = ", ".join(arguments)
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 1]}…"


def _value(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
