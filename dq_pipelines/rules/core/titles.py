"""Titles of rules in words: `amount is between 0 and 500`. Each rule's class has the sentence; here it is filled in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dq_pipelines.config.counting import listed
from dq_pipelines.rules.core.base import Rule
from dq_pipelines.rules.core.check_names import in_short
from dq_pipelines.rules.core.evaluation_parameters import KEY

#: Values of a set that are named, and characters of a long text such as a query.
_NAMED, _LONGEST = 5, 80


def title(rule: Rule) -> str:
    """The rule's own description, else a sentence about what it demands."""
    return rule.description or sentence(rule)


def sentence(rule: Rule) -> str:
    """What the rule demands, in words: the judged columns, its arguments, `mostly` and the condition of its rows."""
    mostly, condition = getattr(rule, "mostly", None), rule.row_condition
    share = f" in at least {100 * mostly:.10g} % of rows" if mostly is not None and mostly < 1 else ""
    return f"{_demand(rule)}{share}{f' where {_short(condition)}' if condition else ''}"


def _demand(rule: Rule) -> str:
    if rule.title_template:
        return rule.title_template.format_map(_Arguments(rule))
    about = f"{listed(rule.columns_judged, _NAMED)}: " if rule.columns_judged else ""
    return about + in_short(rule.type)


class _Arguments(dict[str, str]):
    """The words of a rule's arguments, by name."""

    def __init__(self, rule: Rule) -> None:
        super().__init__()
        self._rule = rule

    def __missing__(self, name: str) -> str:
        return _bounds(self._rule) if name == "bounds" else _words(getattr(self._rule, name))


def _bounds(rule: Any) -> str:
    low, high = rule.min_value, rule.max_value
    if low is not None and high is not None and not (rule.strict_min or rule.strict_max):
        return f"{_words(low)}" if low == high else f"between {_words(low)} and {_words(high)}"
    ends = []
    if low is not None:
        ends.append(f"{'above' if rule.strict_min else 'at least'} {_words(low)}")
    if high is not None:
        ends.append(f"{'below' if rule.strict_max else 'at most'} {_words(high)}")
    return " and ".join(ends) or "anything"


def _words(value: Any) -> str:
    if value is None:
        return "any"
    if isinstance(value, Mapping) and KEY in value:
        return str(value[KEY])
    if isinstance(value, tuple | list | set | frozenset):
        return listed(["null" if one is None else _words(one) for one in value], _NAMED)
    return f"{value:.10g}" if isinstance(value, float) else _short(str(value))


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 1]}…"
