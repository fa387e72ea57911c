"""Counts in sentences: a number and its noun, in the singular for one."""

from __future__ import annotations


def counted(number: int, noun: str) -> str:
    """`1 batch`, `2 batches`, `1,000 rows`: the noun is given in the singular."""
    if number == 1:
        return f"1 {noun}"
    return f"{number:,} {noun}{'es' if noun.endswith(('s', 'ch', 'x')) else 's'}"
