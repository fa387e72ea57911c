"""The numbers of a verdict, asked of the engine; by a rule on which it fails over these very rows, Polars judges.

Where others go on with an infinity, PostgreSQL raises an overflow or a division by zero: no trial on no rows tells.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from dq_pipelines.engine.backends.base import first_line
from dq_pipelines.engine.backends.sql.scan import Inside


def counted(inside: Inside) -> tuple[Inside, dict[str, Any]]:
    """What the plan's rules counted and observed, and the plan without those that the engine failed on."""
    while True:
        try:
            return _asked(inside)
        except inside.engine.errors:
            failing = _failing(inside, [item.index for item in inside.plan.planned if item.lacking is None])
            if not failing:
                raise
            inside = replace(inside, plan=inside.plan.lacks(failing))


def _asked(inside: Inside) -> tuple[Inside, dict[str, Any]]:
    known = inside.knowing_measures()
    (numbers,) = known.engine.asked(known.numbers())
    small = {f"{index}.beside": [known.engine.asked(grouped)] for index, grouped in known.small_frames().items()}
    return known, {**numbers, **small}


def _failing(inside: Inside, indexes: Sequence[int]) -> dict[int, str]:
    """The rules of these indexes on which the engine fails, with what it said; looked for by halves."""
    try:
        _asked(replace(inside, plan=inside.plan.only(indexes)))
    except inside.engine.errors as error:
        half = len(indexes) // 2
        found = _failing(inside, indexes[:half]) | _failing(inside, indexes[half:]) if half else {}
        # Whether a sum overflows hangs on the order of the rows, and that on what else is asked: then none is trusted.
        return found or dict.fromkeys(indexes, first_line(error))
    return {}
