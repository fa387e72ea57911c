"""What a file of a project says but for its faults, so that all else that is wrong is said at once and not one fault after another.

Only what nothing else depends on is left out: without a column or a source, whatever refers to it would seem to be wrong too.
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
#: An unknown key that is none of ours, misspelt or misplaced.
_FOREIGN_KEY = re.compile(r"unknown key '[^']*'")
#: Takes the place of a rule that is none, so that the others keep theirs.
_ANY_RULE = {"type": "expect_table_row_count_to_be_between", "min_value": 1}


def without(value: Mapping[str, Any], layer: str, faults: Mapping[Location, Sequence[str]]) -> dict[str, Any] | None:
    """A copy of what a file says without these faults, each a place with its sentences; None where they cannot be left out."""
    left: Any = deepcopy(dict(value))
    section = left.get(layer) if isinstance(left.get(layer), dict) else {}
    for place, messages in faults.items():
        inner = place[1] if len(place) > 1 and place[0] == layer else None
        rules = section.get("rules")
        if place and place[0] in _ALONE:
            left.pop(place[0], None)
        elif inner in _ALONE_IN_LAYER:
            section.pop(inner, None)
        elif inner == "rules" and isinstance(rules, list) and len(place) > 2 and isinstance(place[2], int):
            rules[place[2]] = dict(_ANY_RULE)
        elif place and all(_FOREIGN_KEY.fullmatch(message) for message in messages):
            reduce(lambda around, step: around[step], place[:-1], left).pop(place[-1], None)
        else:
            return None
    return None if left == value else left
