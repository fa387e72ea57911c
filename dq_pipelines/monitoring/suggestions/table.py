"""A suggested table as YAML: its source, its types and its rules, each with a comment that says why and how sure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from dq_pipelines.config.columns import exact_names
from dq_pipelines.config.counting import counted
from dq_pipelines.monitoring.contracts.yaml_writer import flow, scalar
from dq_pipelines.monitoring.profile import Profile, profile
from dq_pipelines.monitoring.suggestions import suggestions
from dq_pipelines.monitoring.suggestions.anomalies import Watched, watched
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
    """What data speak for: types, and rules on rows that have these types."""

    #: as the rows landed
    landed: Profile
    types: Mapping[str, SuggestedType]
    #: as silver would have them
    profile: Profile
    rules: tuple[Suggestion, ...]
    #: rules that most rows break today: to be taken up once the values are clean
    demands: tuple[Suggestion, ...]
    #: metrics to hold against their past
    watched: tuple[Watched, ...]

    @property
    def keys(self) -> list[str]:
        """The columns that tell rows apart, best: of those without gaps the first, or those of a composite key."""
        gapless = {column.name for column in self.profile if not column.nulls}
        for each in self.rules:
            names = each.rule.get("column_list", [each.column])
            kind = str(each.rule["type"])
            if kind.endswith("_to_be_unique") and each.confidence >= 0.75 and gapless.issuperset(names):
                return list(names)
        return []


def suggested_table(rows: pl.LazyFrame, parents: Iterable[Parent] = ()) -> SuggestedTable:
    """Types for the rows as they land, and rules for them once they have these."""
    landed = profile(rows)
    types = suggested_types(landed)
    retyped = any(
        landed[name].is_text and (found.type != "string" or found.null_values) for name, found in types.items()
    )
    visible = rows.select(exact_names(column.name for column in landed))
    typed, misread = cast_rows(visible, types) if retyped else (visible, {})
    seen = profile(typed) if retyped else landed
    findings = Findings(seen, tuple(parents), landed)
    found = suggestions(typed, findings, misread)
    rules, demands = (tuple(each for each in found if each.is_demand is wanted) for wanted in (False, True))
    return SuggestedTable(landed, types, seen, rules, demands, tuple(watched(findings)))


def table_yaml(table: SuggestedTable, name: str, source: Mapping[str, Any], saved_as: str) -> str:
    """The file of a table that lands; `saved_as` is where it would be written."""
    rows = counted(table.landed.rows, "row")
    lines = [
        _SCHEMA,
        f"# Suggested by `dq suggest` from {rows}{_sampled(table.landed)}. Read what stands beside each",
        f"# rule, leave out what is not meant, save it as {saved_as}, and run `dq check`.",
        f"description: {scalar(f'{name}, as it was found in {rows}')}",
    ]
    lines += [f"source: {flow(source)}", "silver:"]
    if table.keys:
        lines += [
            "  # rows with the same keys replace each other; without keys they are added",
            f"  keys: {flow(table.keys)}",
        ]
    lines.append("  columns:")
    lines += [line for column, type_ in table.types.items() for line in _column(column, type_)]
    if table.rules:
        lines += ["  rules:", *_rules(table.rules, "    ")]
    lines += _demanded(table.demands)
    lines += ["  # each a check that warns when a batch is unlike those before it", "  anomalies:"]
    for each in table.watched:
        lines += [*_wrapped(each.why, "    # "), f"    - {flow(each.rule)}"]
    return "\n".join(lines) + "\n"


def rules_yaml(rules: Sequence[Suggestion], about: str) -> str:
    """A list of rules for a table that is there already."""
    head = f"# Suggested by `dq suggest` for {about}: rules that it does not have yet."
    return "\n".join([head, *(_rules(rules, "") if rules else ["[]"])]) + "\n"


def _sampled(profile: Profile) -> str:
    return "" if profile.is_whole else f" (their structure from {profile.sample.height:,} of them)"


def _column(name: str, found: SuggestedType) -> Iterator[str]:
    comment = f"  # {found.why}" if found.why else ""
    line = f"    {scalar(name)}: {flow(found.written) if isinstance(found.written, dict) else _typed(found.written)}"
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
    """Rules that would fail today, as comments: each is a rule once the `#` before it is taken away."""
    if demands:
        yield "    # Most rows fail the rules below today. Clean the values, then take the # before the rule away."
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
    """How sure, in a word."""
    return "sure" if confidence >= SURE else "likely" if confidence >= _LIKELY else "perhaps"
