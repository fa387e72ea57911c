"""Formats counts and lists of names for messages."""

from __future__ import annotations

from collections.abc import Sequence


def counted(number: int, noun: str, one: str = "", many: str = "") -> str:
    """`1 batch`, `2 batches`, `1,000 rows`: `noun` is singular. With the verb forms `one` and `many`: `1 row is`, `2 rows are`."""
    if number == 1:
        return f"1 {noun} {one}".rstrip()
    return f"{number:,} {noun}{'es' if noun.endswith(('s', 'ch', 'x')) else 's'} {many}".rstrip()


def listed(names: Sequence[str], most: int) -> str:
    """`a, b and 3 more`: at most `most` of the names; "" without names."""
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return f"{', '.join(names[:most])}{more}"
