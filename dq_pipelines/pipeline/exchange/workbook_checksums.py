"""Computes a checksum of each exported cell, so that an import knows which cells were changed.

Cells are not compared with the table, which may have changed meanwhile (a rerun, another type, another person).
"""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from struct import pack, unpack
from zlib import crc32

#: The column of checksums: the last one, hidden in a workbook.
CHECKSUM_COLUMN = "_as_exported"

_CHECKSUMS_TEXT = re.compile(r"([0-9]{1,9}) of ([0-9]{1,9}) ([0-9A-Za-z+/=]+)")


@dataclass(frozen=True, slots=True)
class RowChecksums:
    """The checksums of one row."""

    #: its row number in the exported sheet, and the number of rows of that sheet, header included
    row: int
    rows: int
    content: bytes = field(repr=False)

    @property
    def checksums(self) -> frozenset[int]:
        """The checksums of all cells, in no order."""
        return frozenset(unpack(f"<{len(self.content) // 4}I", self.content))

    @classmethod
    def read(cls, text: str) -> RowChecksums | None:
        """Parse the text that `checksums_text` wrote; None for any other text."""
        if (match := _CHECKSUMS_TEXT.fullmatch(text)) is None:
            return None
        try:
            content = b64decode(match[3], validate=True)
        except ValueError:
            return None
        if len(content) % 4:
            return None
        return cls(int(match[1]), int(match[2]), content)

    @classmethod
    def of(cls, seeds: Mapping[str, int], cells: Mapping[str, str]) -> RowChecksums:
        """The checksums of these cells."""
        values = [checksum(text, seeds[name]) for name, text in cells.items()]
        return cls(0, 0, pack(f"<{len(values)}I", *values))


def column_seeds(names: Iterable[str]) -> dict[str, int]:
    """The checksum seed of each column, from its name: a cell keeps its checksum where a person moves its column."""
    return {name: crc32(f"{name}\x00".encode()) for name in names}


def checksum(cell: str, seed: int) -> int:
    """The CRC-32 of one cell's text."""
    return crc32(cell.encode("utf-8", "surrogatepass"), seed)


def checksums_text(row: int, rows: int, seeds: Sequence[int], cells: Sequence[str]) -> str:
    """The text of `_as_exported`: row number, number of rows, and the checksums of the cells in base64."""
    values = [checksum(cell, seed) for cell, seed in zip(cells, seeds, strict=True)]
    return f"{row} of {rows} {b64encode(pack(f'<{len(values)}I', *values)).decode()}"
