"""The order in which inputs count: by the number of their version, then by name as people count. The later one wins."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import groupby

from dq_pipelines.sources.inputs import Input

_NUMBERS = re.compile(r"(\d+)")


def natural(name: str) -> tuple[str | tuple[int, int], ...]:
    """A key by which `export_9` comes before `export_10`; names that differ in zeros alone keep an order, too."""
    # Every second part is a number, of each name: so texts are compared with texts, and numbers with numbers.
    parts: list[str | tuple[int, int]] = [*_NUMBERS.split(name)]
    parts[1::2] = [(int(part), len(part)) for part in parts[1::2] if isinstance(part, str)]
    return tuple(parts)


def by_arrival(inputs: Iterable[Input]) -> list[Input]:
    """Inputs from the oldest to the newest; those of one moment by natural name."""
    by_version = sorted(inputs, key=lambda item: item.version.number)
    # Of 100,000 inputs few share their moment, and a natural key takes 10 microseconds.
    moments = [list(of_one_moment) for _, of_one_moment in groupby(by_version, key=lambda item: item.version.number)]
    return [
        item
        for of_one_moment in moments
        for item in (_by_name(of_one_moment) if len(of_one_moment) > 1 else of_one_moment)
    ]


def _by_name(inputs: Iterable[Input]) -> list[Input]:
    return sorted(inputs, key=lambda item: natural(item.uri))
