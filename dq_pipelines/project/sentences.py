"""Translates pydantic's errors to places of a YAML file with our messages."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from dq_pipelines.config.model import Strict
from dq_pipelines.config.yaml_file import Location
from dq_pipelines.project.tables import LandedTable, Silver


def place_of(value: Any, steps: Sequence[str | int]) -> Location:
    """The place in `value` that a pydantic `loc` means.

    A `loc` has steps that are not in the file: a union's tag, a branch's type, the `kwargs` that a rule may or
    may not have. Each step is matched or skipped. The best place matches the last step if possible, then the most steps.
    """
    best: tuple[tuple[bool, int], Location] = ((False, 0), ())
    for place, met, last in _ways(value, tuple(steps), ()):
        best = max(best, ((last, met), place), key=lambda way: way[0])
    return best[1]


def _ways(
    value: Any, steps: Location, place: Location, met: int = 0, last: bool = False
) -> Iterator[tuple[Location, int, bool]]:
    if not steps:
        yield place, met, last
        return
    step, rest = steps[0], steps[1:]
    for inside, path in ((value, ()), (value.get("kwargs"), ("kwargs",)) if isinstance(value, dict) else (None, ())):
        if isinstance(inside, dict) and step in inside:
            yield from _ways(inside[step], rest, (*place, *path, step), met + 1, True)
        elif isinstance(inside, list) and isinstance(step, int) and step < len(inside):
            yield from _ways(inside[step], rest, (*place, step), met + 1, True)
    yield from _ways(value, rest, place, met, False)


def joined(messages: list[str]) -> list[str]:
    """The messages of a union's branches as one: each wanted something else, all got the same."""
    halves = [re.fullmatch(r"wanted (.*), got (.*)", message) for message in messages]
    if len(messages) < 2 or not all(halves) or len({half[2] for half in halves if half}) > 1:
        return messages
    wanted = " or ".join(half[1] for half in halves if half)
    return [f"wanted {wanted}, got {halves[0][2]}"] if halves[0] else messages


def with_key(place: Location, message: str) -> str:
    key = next((step for step in reversed(place) if isinstance(step, str)), "")
    return f"{key}: {message}" if key and message.startswith("wanted ") else message


#: How the message names an unknown `type`, by the key around it.
_KINDS = {"rules": "unknown rule", "source": "unknown source"}


def named(kind: type[Strict], place: Location, message: str) -> str:
    """`message` with the noun for its place, and with the right section for a key of `silver` on the top level."""
    around = [step for step in place if isinstance(step, str) and step != "type"]
    if around and around[-1] in _KINDS:
        message = re.sub(r"^unknown type(?= ')", _KINDS[around[-1]], message)
    if (
        len(place) == 1
        and message.startswith("unknown key")
        and kind is LandedTable
        and place[0] in Silver.model_fields
    ):
        return f"unknown key '{place[0]}': it belongs under silver"
    return message
