"""Names the provenance columns of a landed row, and describes a step that drops them."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from dq_pipelines.pipeline.bronze.landed import INGESTED_AT
from dq_pipelines.pipeline.quarantine.refused_rows import PLACE

#: The columns that identify a landed row, and when it landed.
PROVENANCE_COLUMNS = (*PLACE, INGESTED_AT)


def missing_provenance(table: str, there: Collection[str], wanted: Sequence[str] = PROVENANCE_COLUMNS) -> str:
    """One sentence if a step of a table (`<layer>/<table>`) drops some of the `wanted` columns; empty where all are present."""
    missing = [name for name in wanted if name not in there]
    return f"a step of {table} does not give on {', '.join(missing)}" if missing else ""


def missing_order(table: str, there: Collection[str], wanted: Sequence[str]) -> str:
    """The same for columns that order rows by arrival, where that order decides which row of a key counts."""
    dropped = missing_provenance(table, there, wanted)
    after = "so that nobody can tell which rows came first: a file that has changed, or waited, replaces newer rows of its keys"
    return f"{dropped}, {after}" if dropped else ""
