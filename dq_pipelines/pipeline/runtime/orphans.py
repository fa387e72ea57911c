"""Published rows that refer to rows of their own table which are gone. How they are found belongs in `self_references`."""

from __future__ import annotations

from dataclasses import dataclass

from dq_pipelines.config.counting import counted, listed

#: Partitions that a sentence names.
_NAMED = 5


@dataclass(frozen=True)
class Orphans:
    """Published rows that were not judged, and whose parents are no more: they went with rows that were."""

    rows: int = 0
    #: those that hold them; none where the table has none
    partitions: tuple[str, ...] = ()

    def sentence(self, table: str) -> str:
        """What there is, and what mends it, of the table `<layer>/<table>`; empty where there are none."""
        if not self.rows:
            return ""
        where = f" in other partitions ({listed(self.partitions, _NAMED)})" if self.partitions else ""
        over = " over these partitions" if self.partitions else ""
        refer = "refers" if self.rows == 1 else "refer"
        return (
            f"{table}: {counted(self.rows, 'published row')}{where} {refer} to rows that are gone; "
            f"run {table.partition('/')[2]} with mode: rerun{over}, which refuses them"
        )
