"""Suggests the YAML of a table: source, types and rules, with the reason and confidence of each in a comment."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import polars as pl

from dq_pipelines.config.columns import exact_names
from dq_pipelines.config.counting import counted
from dq_pipelines.monitoring.contracts.yaml_writer import flow, scalar
from dq_pipelines.monitoring.profile import Profile, profile
from dq_pipelines.monitoring.suggestions import suggestions
from dq_pipelines.monitoring.suggestions.anomalies import SuggestedMetric, suggested_metrics
from dq_pipelines.monitoring.suggestions.base import SURE, Suggestion
from dq_pipelines.monitoring.suggestions.findings import Findings, Parent
from dq_pipelines.monitoring.suggestions.types import (
    SuggestedType,
    cast_rows,
    suggested_types,
)

_SCHEMA = "# yaml-language-server: $schema=../../docs/schema/table.json"
_WIDTH = 120
_LIKELY = 0.75


@dataclass(frozen=True)
class SuggestedTable:
    """Suggested types, and rules on the rows with these types."""

    #: profile of the rows as they landed
    landed: Profile
    types: Mapping[str, SuggestedType]
    #: profile of the rows with the suggested types
    profile: Profile
    rules: tuple[Suggestion, ...]
    #: rules that most rows fail now: to be used after cleaning
    demands: tuple[Suggestion, ...]
    #: suggested anomaly rules
    watched: tuple[SuggestedMetric, ...]

    @property
    def keys(self) -> list[str]:
        """The best key: the first unique column without nulls, or the columns of a composite key."""
        gapless = {column.name for column in self.profile if not column.nulls}
        for each in self.rules:
            names = each.rule.get("column_list", [each.column])
            kind = str(each.rule["type"])
            if kind.endswith("_to_be_unique") and each.confidence >= 0.75 and gapless.issuperset(names):
                return list(names)
        return []


def suggested_table(rows: pl.LazyFrame, parents: Iterable[Parent] = ()) -> SuggestedTable:
    """Suggests types for the landed rows, and rules for the rows with these types."""
    landed = profile(rows)
    types = suggested_types(landed)
    retyped = any(
        landed[name].is_text and (suggested.type != "string" or suggested.null_values)
        for name, suggested in types.items()
    )
    visible = rows.select(exact_names(column.name for column in landed))
    typed, misread = cast_rows(visible, types) if retyped else (visible, {})
    seen = profile(typed) if retyped else landed
    findings = Findings(seen, tuple(parents), landed)
    suggested = suggestions(typed, findings, misread)
    rules, demands = (tuple(each for each in suggested if each.is_demand is wanted) for wanted in (False, True))
    return SuggestedTable(landed, types, seen, rules, demands, tuple(suggested_metrics(findings)))


def table_yaml(
    table: SuggestedTable,
    name: str,
    source: Mapping[str, Any],
    saved_as: str | None,
    settings: Mapping[str, Any] = MappingProxyType({}),
) -> str:
    """Returns the YAML file of a table; `saved_as` is the suggested path, and `settings` are further keys of the table.

    Without a path the text is for an editor that knows where it is saved, and has the schema.
    """
    rows = counted(table.landed.rows, "row")
    lines = [
        _SCHEMA,
        f"# Suggested by `dq suggest` from {rows}{_sampled(table.landed)}. Read the comment on each rule,",
        f"# remove what is wrong, save it as {saved_as}, and run `dq check`.",
    ]
    if saved_as is None:
        lines = [
            f"# Suggested from {rows}{_sampled(table.landed)}. Read the comment on each rule, and remove what is wrong."
        ]
    lines.append(f"description: {scalar(name.replace('_', ' ').capitalize())}  # say what one row is")
    lines += [f"{key}: {flow(value)}" for key, value in settings.items()]
    lines += [f"source: {flow(source)}", "silver:"]
    if table.keys:
        lines += [
            "  # rows with the same keys replace each other; without keys, rows are appended",
            f"  keys: {flow(table.keys)}",
        ]
    lines.append("  columns:")
    lines += [line for column, type_ in table.types.items() for line in _column(column, type_)]
    if table.rules:
        lines += ["  rules:", *_rules(table.rules, "    ")]
    lines += _demanded(table.demands)
    lines += ["  # each is a check that warns when a batch differs from earlier ones", "  anomalies:"]
    for each in table.watched:
        lines += [*_wrapped(each.why, "    # "), f"    - {flow(each.rule)}"]
    return "\n".join(lines) + "\n"


def rules_yaml(rules: Sequence[Suggestion], about: str) -> str:
    """Returns a list of rules for an existing table."""
    head = f"# Suggested by `dq suggest` for {about}: rules that it does not have yet."
    return "\n".join([head, *(_rules(rules, "") if rules else ["[]"])]) + "\n"


def _sampled(profile: Profile) -> str:
    return "" if profile.is_whole else f" (their structure from {profile.sample.height:,} of them)"


def _column(name: str, type_: SuggestedType) -> Iterator[str]:
    comment = f"  # {type_.why}" if type_.why else ""
    line = f"    {scalar(name)}: {flow(type_.written) if isinstance(type_.written, dict) else _typed(type_.written)}"
    if len(line) + len(comment) > _WIDTH:
        yield f"    #{comment[3:]}"
        comment = ""
    yield line + comment


def _typed(name: str) -> str:
    return f'"{name}"' if "(" in name else name


def _rules(rules: Sequence[Suggestion], indent: str) -> Iterator[str]:
    for each in rules:
        yield from _wrapped(f"{each.why} [{sure(each.confidence)}, {each.confidence:.2f}]", f"{indent}# ")
        inline = f"{indent}- {flow(each.as_written)}"
        if len(inline) <= _WIDTH:
            yield inline
            continue
        for place, (key, value) in enumerate(each.as_written.items()):
            yield from _entry(f"{indent}{'- ' if place == 0 else '  '}{key}:", value, f"{indent}    ")


def _demanded(demands: Sequence[Suggestion]) -> Iterator[str]:
    """Yields rules that would fail now, as comments to uncomment later."""
    if demands:
        yield "    # Most rows fail the rules below now. Clean the values, then remove the # before the rule."
        for line in _rules(demands, ""):
            yield f"    {line}" if line.startswith("#") else f"    #{line}"


def _entry(key: str, value: Any, indent: str) -> Iterator[str]:
    line = f"{key} {flow(value)}"
    if len(line) <= _WIDTH or not isinstance(value, list):
        yield line
        return
    yield key
    yield from (f"{indent}- {flow(item)}" for item in value)


def _wrapped(text: str, prefix: str) -> Iterator[str]:
    line = prefix
    for word in " ".join(text.split()).split(" "):
        if len(line) + len(word) > _WIDTH and line != prefix:
            yield line.rstrip()
            line = prefix
        line += f"{word} "
    yield line.rstrip()


def sure(confidence: float) -> str:
    """Returns the confidence in a word."""
    return "sure" if confidence >= SURE else "likely" if confidence >= _LIKELY else "perhaps"
