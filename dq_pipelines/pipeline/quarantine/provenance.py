"""Where a landed row came from and when, and what is said of a step that does not give that on."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from dq_pipelines.pipeline.bronze.landed import INGESTED_AT
from dq_pipelines.pipeline.quarantine.refused_rows import PLACE

#: What tells a landed row from all others, and when it came.
TRACES = (*PLACE, INGESTED_AT)


def forgotten(table: str, there: Collection[str], wanted: Sequence[str] = TRACES) -> str:
    """That a step of a table (`<layer>/<table>`) has left out some of the `wanted` columns; empty where all are there."""
    missing = [name for name in wanted if name not in there]
    return f"a step of {table} does not give on {', '.join(missing)}" if missing else ""


def order_forgotten(table: str, there: Collection[str], wanted: Sequence[str]) -> str:
    """The same of columns that tell in which order rows came first, where that decides which row of a key counts."""
    said = forgotten(table, there, wanted)
    after = "so that nobody can tell which rows came first: a file that has changed, or waited, replaces newer rows of its keys"
    return f"{said}, {after}" if said else ""
