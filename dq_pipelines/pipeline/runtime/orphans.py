"""Describes orphans: published rows that refer to removed rows of their own table."""

from __future__ import annotations

from dataclasses import dataclass

from dq_pipelines.config.counting import counted, listed

#: Partitions that a sentence names at most.
_NAMED = 5


@dataclass(frozen=True)
class Orphans:
    """Published rows that this run did not judge, and whose parent rows it removes."""

    rows: int = 0
    #: their partitions; empty in a table without partitions
    partitions: tuple[str, ...] = ()

    def sentence(self, table: str) -> str:
        """The number of orphans of a table `<layer>/<table>` and the remedy, in one sentence; empty where there are none."""
        if not self.rows:
            return ""
        where = f" in other partitions ({listed(self.partitions, _NAMED)})" if self.partitions else ""
        over = " over these partitions" if self.partitions else ""
        refer = "refers" if self.rows == 1 else "refer"
        return (
            f"{table}: {counted(self.rows, 'published row')}{where} {refer} to rows that are gone; "
            f"run {table.partition('/')[2]} with mode: rerun{over}, which refuses them"
        )
