"""One pass over a file of UTF-8: its lines are counted, and those found that may be no whole record by themselves.

NumPy looks at blocks that fit the processor's cache. It costs half of what a regular expression on each line does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dq_pipelines.config.arrow_arrays import series_of

if TYPE_CHECKING:
    import numpy as np
    import polars as pl

_BLOCK = 256 * 1024
#: Bytes of blocks whose doubtful lines are passed on together: each time is a query.
_WAITING = 8 * 1024**2
_NEWLINE, _RETURN, _BOM = 0x0A, 0x0D, 0xEF

#: Takes the numbers (0-based) and the texts of some lines.
TakeLines = Callable[["pl.Series", "pl.Series"], None]


@dataclass(frozen=True)
class SureRecord:
    """What a line is like that is one whole record for sure; marks are bytes of ASCII."""

    #: the 0-based line of the table's first record; lines before it are no records, so that nobody asks about them
    first: int
    delimiter: int
    #: how many delimiters it has
    fewest: int
    most: int
    #: whether it may have one more at its end
    trailing: bool
    #: what may stand around a field; None where nothing is quoted
    quote: int | None
    #: bytes that it does not have
    barred: bytes
    #: the header as it stands, which is no record where it is repeated
    header: bytes


def lines_in(path: Path, sure: SureRecord | None = None, take_others: TakeLines | None = None) -> int | None:
    """How many lines a file has when every byte of it is UTF-8, else None.

    With both `sure` and `take_others`, lines of the table that are not surely records are given to `take_others`, in their order.
    """
    import numpy as np

    lines = 0
    doubtful = _DoubtfulLines(take_others) if take_others is not None else None
    for buffer, size in _blocks(path):
        block = np.frombuffer(buffer, np.uint8, size)
        if not _is_utf8(block):
            return None
        ends = np.flatnonzero(block == _NEWLINE)
        if block[-1] != _NEWLINE:
            ends = np.append(ends, size)
        if sure is not None and doubtful is not None:
            starts = np.concatenate([[0], ends[:-1] + 1])
            found = np.flatnonzero(_is_doubtful(buffer, block, starts, ends, sure))
            if lines < sure.first:
                found = found[lines + found >= sure.first]
            if len(found):
                doubtful.add(block, lines + found, starts[found], ends[found])
        lines += len(ends)
    if doubtful is not None:
        doubtful.pass_on()
    return lines


def _blocks(path: Path) -> Iterator[tuple[bytearray, int]]:
    """Buffers, each with the size of the whole lines in it; it holds them until the next one is asked for."""
    buffer, rest = bytearray(_BLOCK), 0
    with path.open("rb", buffering=0) as file:
        while got := file.readinto(memoryview(buffer)[rest:]):
            filled = rest + got
            whole = buffer.rfind(b"\n", 0, filled) + 1
            if whole:
                yield buffer, whole
                buffer[: filled - whole] = buffer[whole:filled]
            elif filled == len(buffer):  # a line longer than the buffer
                buffer = buffer + bytes(filled)
            rest = filled - whole
    if rest:
        yield buffer, rest


def _is_utf8(block: np.ndarray) -> bool:
    import polars as pl
    from polars.exceptions import ComputeError

    if block.max() < 0x80:
        return True
    try:  # five times as fast as Python where most is beyond ASCII
        pl.Series([block.tobytes()], dtype=pl.Binary).cast(pl.String)
    except ComputeError:
        return False
    return True


def _is_doubtful(
    buffer: bytearray, block: np.ndarray, starts: np.ndarray, ends: np.ndarray, sure: SureRecord
) -> np.ndarray:
    """For each line of a block whether it may be no whole record; shape (lines,), bool."""
    import numpy as np

    stops = _without_return(block, starts, ends)
    marks = _Marks(block == sure.delimiter)
    delimiters = np.diff(marks.before(ends), prepend=0)
    doubtful = np.zeros(len(ends), bool)
    if sure.quote is not None and buffer.find(sure.quote, 0, len(block)) >= 0:
        within, doubtful = _quoted(block, starts, stops, marks, sure)
        delimiters -= within
    wrong = (delimiters < sure.fewest) | (delimiters > sure.most)
    if sure.trailing:
        last = block[np.maximum(stops - 1, 0)]
        wrong &= (delimiters != sure.most + 1) | (last != sure.delimiter)
    doubtful |= wrong
    for mark in sure.barred:
        if buffer.find(mark, 0, len(block)) >= 0:
            doubtful[np.searchsorted(ends, np.flatnonzero(block == mark))] = True
    first = block[np.minimum(starts, len(block) - 1)]
    doubtful |= first == _BOM
    if sure.header:
        longer = ends - starts - len(sure.header)
        doubtful |= (first == sure.header[0]) & (longer >= 0) & (longer <= 1)
    return doubtful


def _quoted(
    block: np.ndarray, starts: np.ndarray, stops: np.ndarray, delimiters: _Marks, sure: SureRecord
) -> tuple[np.ndarray, np.ndarray]:
    """For each line how many delimiters stand within quotes, and whether quotes stand elsewhere than around whole fields."""
    import numpy as np

    at = np.flatnonzero(block == sure.quote)
    line = np.searchsorted(stops, at)
    quotes = np.bincount(line, minlength=len(starts))
    of_lines_before = np.cumsum(quotes) - quotes
    opens = (np.arange(len(at)) - of_lines_before[line]) % 2 == 0
    is_at_field = np.where(
        opens,
        (at == starts[line]) | (block[at - 1] == sure.delimiter),
        (at + 1 == stops[line]) | (block.take(at + 1, mode="clip") == sure.delimiter),
    )
    doubtful = quotes % 2 == 1
    doubtful[line[~is_at_field]] = True
    before = delimiters.before(at)
    within = np.bincount(line, np.where(opens, -before, before), len(starts)).astype(np.int64)
    return within, doubtful


class _Marks:
    """Counts the marks before a place. It does so by words of 64 bits, since a line may be short."""

    def __init__(self, marks: np.ndarray) -> None:
        """`marks` says of each byte of a block whether it is one."""
        import numpy as np

        self._words = np.zeros(len(marks) // 64 + 1, "<u8")
        bits = np.packbits(marks, bitorder="little")
        self._words.view(np.uint8)[: len(bits)] = bits
        self._sums = np.cumsum(np.bitwise_count(self._words), dtype=np.int64)

    def before(self, places: np.ndarray) -> np.ndarray:
        """How many marks stand before each place; the block's size is one, too."""
        import numpy as np

        word = places >> 6
        beyond = np.bitwise_count(self._words[word] >> (places & 63).view(np.uint64))
        count: np.ndarray = self._sums[word] - beyond
        return count


def _without_return(block: np.ndarray, starts: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """Where each line ends without a carriage return."""
    import numpy as np

    is_return: np.ndarray = (ends > starts) & (block[np.maximum(ends - 1, 0)] == _RETURN)
    without: np.ndarray = ends - is_return
    return without


class _DoubtfulLines:
    """Buffers lines, and passes them on many at a time."""

    def __init__(self, take: TakeLines) -> None:
        self._take = take
        self._numbers: list[np.ndarray] = []
        #: each line is followed by what stands between it and the next one
        self._texts: list[pl.Series] = []
        self._waiting = 0

    def add(self, block: np.ndarray, numbers: np.ndarray, starts: np.ndarray, ends: np.ndarray) -> None:
        """Add lines of a block by where they start and end in it; they are UTF-8."""
        import numpy as np
        import pyarrow as pa

        offsets = np.append(np.column_stack([starts, _without_return(block, starts, ends)]).ravel(), len(block))
        text = pa.py_buffer(block.tobytes())
        texts = pa.LargeStringArray.from_buffers(2 * len(numbers), pa.py_buffer(offsets), text)
        self._numbers.append(numbers)
        self._texts.append(series_of(texts))
        self._waiting += len(block)
        if self._waiting >= _WAITING:
            self.pass_on()

    def pass_on(self) -> None:
        """Pass on all that wait."""
        import numpy as np
        import polars as pl

        if self._numbers:
            numbers = pl.Series(np.concatenate(self._numbers).astype(np.uint32))
            self._take(numbers, pl.concat(self._texts).gather_every(2))
        self._numbers, self._texts, self._waiting = [], [], 0
