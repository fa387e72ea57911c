"""Rules on their way out: as YAML, as names of checks, as fingerprints. What a rule means belongs in its class."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from dq_pipelines.rules.core.base import Rule


def given(rule: Rule) -> dict[str, Any]:
    """The rule as a flat mapping of what was given: its type, its arguments, then how it is handled."""
    said = rule.model_dump(exclude_unset=True)
    handling = {key: value for key, value in said.items() if key in rule.policy and key != "type"}
    arguments = rule.kwargs
    late: dict[str, Any] = {
        key: arguments.pop(key) for key in ("mostly", "row_condition", "condition_parser") if key in arguments
    }
    ordered: dict[str, Any] = {"type": rule.type, **arguments, **late, **handling}
    return {key: _plain(value) for key, value in ordered.items()}


def as_yaml(rule: Rule) -> str:
    """The rule as its user would write it in YAML: its type and the arguments that were given."""
    import yaml

    return yaml.safe_dump(given(rule), sort_keys=False, allow_unicode=True, default_flow_style=False, width=100)


def check_names(rules: Sequence[Rule]) -> list[str]:
    """A name for each rule's check, of letters, digits and `_` alone, unique among `rules` and in their order.

    A name is the rule's type and columns; the second of a name ends in `_2`, and so on. It does not
    depend on other rules than those of the same name before it.
    """
    names: list[str] = []
    for rule in rules:
        wanted = re.sub(r"[^A-Za-z0-9_]+", "_", "__".join([rule.type, *rule.columns_judged]))
        name, count = wanted, 1
        while name in names:
            count += 1
            name = f"{wanted}_{count}"
        names.append(name)
    return names


def fingerprint(rule: Rule) -> str:
    """16 hexadecimal digits that stay the same as long as what the rule means does.

    They come from the type and the arguments; severity, `on_failure` and description do not matter, nor
    does whether a default was written out.
    """
    said = rule.model_dump(exclude_defaults=True)
    arguments = {key: _plain(value) for key, value in said.items() if key not in rule.policy}
    text = json.dumps([rule.type, arguments], sort_keys=True, ensure_ascii=False, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _plain(value: Any) -> Any:
    """`value` as YAML can hold it."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list | set | frozenset):
        return [_plain(item) for item in value]
    return float(value) if isinstance(value, Decimal) else value
