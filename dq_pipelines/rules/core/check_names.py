"""Names of asset checks: the judged columns, then the rule in short, such as `amount__between`.

Releases before history's version 5 wrote the rule's type first: `expect_column_values_to_be_between__amount`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dq_pipelines.rules.core.base import Rule

_EARLIER = re.compile(r"(expect_[a-z0-9_]*?[a-z0-9]|python|cast)(?:__(.+))?")


def check_names(rules: Sequence[Rule]) -> list[str]:
    """A unique name for each rule's check, of letters, digits and `_`, in the order of `rules`.

    A second one of the same name ends in `_2`, and so on. It depends only on earlier rules of the same name.
    """
    names: dict[str, None] = {}
    for rule in rules:
        wanted = check_name(rule.type, rule.columns_judged)
        name, count = wanted, 1
        while name in names:
            count += 1
            name = f"{wanted}_{count}"
        names[name] = None
    return list(names)


def check_name(rule_type: str, columns: Sequence[str]) -> str:
    """The name of the check of a rule on these columns, without a number."""
    return _plain([*columns, short_name(rule_type)])


def short_name(rule_type: str) -> str:
    """The type without the words that most types share: `expect_column_values_to_be_between` is `between`.

    The built-in types have different short names.
    """
    rest = re.sub(r"^expect_(column_(?!to_)|table_)?(values_)?", "", rule_type)
    return "_".join(word for word in rest.split("_") if word not in ("to", "be")) or rule_type


def in_short(rule_type: str) -> str:
    """The type in words, where no single rule is meant: `expect_column_values_to_be_in_set` is `in set`."""
    return short_name(rule_type).replace("_", " ")


def current_name(check: str, rule_type: str, column: str | None) -> str:
    """The name that the check of a recorded result has now; `check` may be of an earlier release.

    `column` is the judged columns with commas between them, as the history has them.
    """
    if not column:
        number = check.removeprefix(rule_type)
        return short_name(rule_type) + number if re.fullmatch(r"(_\d+)?", number) else check
    columns = _plain([check.removeprefix(f"{rule_type}__")])
    if columns == check:
        return check
    number = "" if _squashed(columns) == _squashed(column) else columns[len(re.sub(r"_\d+$", "", columns)) :]
    return f"{columns[: len(columns) - len(number)]}__{short_name(rule_type)}{number}"


def renamed(check: str) -> str:
    """The name that a check has now, where only its earlier name is known; other names are unchanged.

    The number of a second rule on the same columns goes behind the name, although a column may end in `_2` as well.
    """
    found = _EARLIER.fullmatch(check)
    if found is None:
        return check
    rule_type, columns = found[1], found[2] or ""
    columns, number = re.fullmatch(r"(.*?)(_\d+)?", columns).groups("")  # type: ignore[union-attr] # matches any text
    return (f"{columns}__" if columns else "") + short_name(rule_type) + number


def _plain(words: Sequence[str]) -> str:
    return re.sub(r"[^A-Za-z0-9_]+", "_", "__".join(words))


def _squashed(text: str) -> str:
    """The letters and digits of a text, so that columns are compared whatever is between them."""
    return re.sub(r"[^A-Za-z0-9]+", "_", text).strip("_")
