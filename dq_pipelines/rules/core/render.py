"""Renders rules as YAML and as fingerprints."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from decimal import Decimal
from functools import lru_cache
from typing import Any

from dq_pipelines.rules.core.base import Rule


def given(rule: Rule) -> dict[str, Any]:
    """The rule as a flat mapping of what was set: its type, its arguments, then severity and other handling."""
    values = rule.model_dump(exclude_unset=True)
    handling = {key: value for key, value in values.items() if key in rule.policy and key != "type"}
    arguments = rule.kwargs
    late: dict[str, Any] = {
        key: arguments.pop(key) for key in ("mostly", "row_condition", "condition_parser") if key in arguments
    }
    ordered: dict[str, Any] = {"type": rule.type, **arguments, **late, **handling}
    return {key: _plain(value) for key, value in ordered.items()}


def as_yaml(rule: Rule) -> str:
    """The rule in YAML: its type and the arguments that were set."""
    return "".join(
        _entry(key, value) if isinstance(value, str | int | float) else _dumped({key: value})
        for key, value in given(rule).items()
    )


@lru_cache(maxsize=10_000, typed=True)
def _entry(key: str, value: str | float) -> str:
    """One entry of a block mapping. Cached, since the rules of a project repeat types, columns and bounds."""
    return _dumped({key: value})


def _dumped(mapping: Mapping[str, Any]) -> str:
    import yaml

    # libyaml is ten times as fast, but escapes characters such as emoji.
    dumper = yaml.CSafeDumper if repr(mapping).isascii() else yaml.SafeDumper
    return str(yaml.dump(mapping, Dumper=dumper, sort_keys=False, allow_unicode=True, width=100))


def fingerprint(rule: Rule) -> str:
    """16 hexadecimal digits that change only with the meaning of the rule.

    They depend on the type and the arguments, not on severity, `on_failure` or description, nor
    on whether a default was written out.
    """
    values = rule.model_dump(exclude_defaults=True)
    arguments = {key: _plain(value) for key, value in values.items() if key not in rule.policy}
    text = json.dumps([rule.type, arguments], sort_keys=True, ensure_ascii=False, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _plain(value: Any) -> Any:
    """`value` in types that YAML can represent."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list | set | frozenset):
        return [_plain(item) for item in value]
    return float(value) if isinstance(value, Decimal) else value
