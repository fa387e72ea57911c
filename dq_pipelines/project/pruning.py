"""Removes reported faults from a file's content, so that one pass can report the independent faults too.

It removes only parts that nothing else depends on. Without a column or a source, what refers to it would seem wrong too.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from copy import deepcopy
from functools import reduce
from typing import Any

from dq_pipelines.config.yaml_file import Location

#: Keys of a file, and of `silver` or `gold`, on which nothing else depends.
_ALONE = {"description", "owners", "tags", "freshness", "retention"}
_ALONE_IN_LAYER = {"description", "anomalies"}
#: The whole message for an unknown key without a near or misplaced one.
_FOREIGN_KEY = re.compile(r"unknown key '[^']*'")
#: Replaces an invalid rule, so that the others keep their index.
_ANY_RULE = {"type": "expect_table_row_count_to_be_between", "min_value": 1}


def without(value: Mapping[str, Any], layer: str, faults: Mapping[Location, Sequence[str]]) -> dict[str, Any] | None:
    """A copy of a file's content without these faults, each a place with its messages; None if one cannot be removed."""
    rest: Any = deepcopy(dict(value))
    section = rest.get(layer) if isinstance(rest.get(layer), dict) else {}
    for place, messages in faults.items():
        inner = place[1] if len(place) > 1 and place[0] == layer else None
        rules = section.get("rules")
        if place and place[0] in _ALONE:
            rest.pop(place[0], None)
        elif inner in _ALONE_IN_LAYER:
            section.pop(inner, None)
        elif inner == "rules" and isinstance(rules, list) and len(place) > 2 and isinstance(place[2], int):
            rules[place[2]] = dict(_ANY_RULE)
        elif place and all(_FOREIGN_KEY.fullmatch(message) for message in messages):
            reduce(lambda around, step: around[step], place[:-1], rest).pop(place[-1], None)
        else:
            return None
    return None if rest == value else rest
