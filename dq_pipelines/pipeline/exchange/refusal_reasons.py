"""A refused row as people read it: by which rule, what that wanted of which column, and what it got."""

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

#: Arguments of a rule that say no more than its name and its columns do.
_TOLD_ALREADY = frozenset(
    {"type", "column", "column_A", "column_B", "column_list", "mostly", "condition_parser", *Rule.policy}
)
#: Characters of what is said of one rule's arguments.
_LONGEST = 200


@dataclass(frozen=True)
class Expectations:
    """What the rules of a table want, by their type and label; several rules may share these."""

    wanted: Mapping[tuple[str, str], tuple[str, ...]] = field(default_factory=dict)
    #: the columns behind a rule's label
    judged: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @classmethod
    def of(cls, table: Table) -> Self:
        found: dict[tuple[str, str], list[str]] = {}
        rules = checked_rules(table)
        for rule in rules:
            if said := _arguments(rule):
                found.setdefault((rule.type, rule.column_label or ""), []).append(said)
        columns = {} if table.is_gold else table.landed.silver.columns
        for name, column in columns.items():
            found["cast", name] = [column.type + (f" as {column.format}" if column.format else "")]
        labels = {rule.column_label: rule.columns_judged for rule in rules if rule.column_label}
        return cls({key: tuple(dict.fromkeys(said)) for key, said in found.items()}, labels)

    def refusal_of(self, row: Mapping[str, Any]) -> Refusal:
        """A quarantine row with its reasons, by the columns to blame."""
        reasons: dict[str, list[str]] = {}
        every = []
        for reason in row[REASONS]:
            label = reason["column"] or ""
            every.append(self._said(reason["rule"], label, reason["value"]))
            for name in self.judged.get(label) or (label,):
                reasons.setdefault(name, []).append(every[-1])
        cells = {name: row[name] for name in cells_in(row)}
        blamed = {name: "; ".join(said) for name, said in reasons.items()}
        unreadable = any(reason["rule"] == "unreadable" for reason in row[REASONS])
        return Refusal(str(row[ID]), cells, str(row[SOURCE]), row[ROW], "; ".join(every), blamed, unreadable)

    def _said(self, rule: str, label: str, value: str | None) -> str:
        wanted = " or ".join(self.wanted.get((rule, label), ()))
        parts = [f"{label}: {rule}" if label else rule, f"wanted {wanted}" if wanted else ""]
        return ", ".join(filter(None, [*parts, "" if value is None else f"got {value}"]))


def _arguments(rule: Rule) -> str:
    """What the rule was given beside its columns, in a line."""
    told = [f"{name} {_value(value)}" for name, value in given(rule).items() if name not in _TOLD_ALREADY]
    line = ", ".join(told)
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 1]}…"


def _value(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
