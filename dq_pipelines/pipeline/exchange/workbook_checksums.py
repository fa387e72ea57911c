"""What an exported row says of itself, so that an import knows what was changed in it since: a checksum of each cell.

The table may have changed meanwhile (a rerun, another type, another person), so the cells are not to be held against it.
"""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from struct import pack, unpack
from zlib import crc32

#: The column of it, the last one; hidden in a workbook.
MARKS = "_as_exported"

_MARKS = re.compile(r"([0-9]{1,9}) of ([0-9]{1,9}) ([0-9A-Za-z+/=]+)")


@dataclass(frozen=True, slots=True)
class Marks:
    """The checksums of one row."""

    #: its row in the sheet as it was exported, and how many rows the sheet had in all, with the header
    row: int
    rows: int
    content: bytes = field(repr=False)

    @property
    def checksums(self) -> frozenset[int]:
        """Of all cells, in no order."""
        return frozenset(unpack(f"<{len(self.content) // 4}I", self.content))

    @classmethod
    def read(cls, text: str) -> Marks | None:
        """None for a text that is none of ours."""
        if (match := _MARKS.fullmatch(text)) is None:
            return None
        try:
            content = b64decode(match[3], validate=True)
        except ValueError:
            return None
        if len(content) % 4:
            return None
        return cls(int(match[1]), int(match[2]), content)

    @classmethod
    def of(cls, seeds: Mapping[str, int], cells: Mapping[str, str]) -> Marks:
        """The marks of these cells."""
        found = [checksum(text, seeds[name]) for name, text in cells.items()]
        return cls(0, 0, pack(f"<{len(found)}I", *found))


def seeds_of(names: Iterable[str]) -> dict[str, int]:
    """What the checksum of each column's cells begins with: so it goes with a cell wherever its column is moved."""
    return {name: crc32(f"{name}\x00".encode()) for name in names}


def checksum(cell: str, seed: int) -> int:
    """What is written of one cell."""
    return crc32(cell.encode("utf-8", "surrogatepass"), seed)


def marks(row: int, rows: int, seeds: Sequence[int], cells: Sequence[str]) -> str:
    """What is written of a row: its place and the checksums of its cells, which `seeds` go with."""
    found = [checksum(cell, seed) for cell, seed in zip(cells, seeds, strict=True)]
    return f"{row} of {rows} {b64encode(pack(f'<{len(found)}I', *found)).decode()}"
