"""Reads a file that a command names, and prints the lines that are no records or cannot be parsed."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dq_pipelines.config.counting import counted

if TYPE_CHECKING:
    import polars as pl

    from dq_pipelines.sources import Reading

#: Source types of which single lines may be unreadable.
_OF_LINES = ("csv", "json", "ndjson")
#: Unreadable lines that are printed, and characters of each.
_SHOWN, _LONGEST = 5, 120


@dataclass(frozen=True)
class InputFile:
    """The rows of a path, and how many of its lines are unreadable."""

    #: the rows; or the path, if the engine reads it itself
    data: pl.LazyFrame | str
    #: lines that cannot be parsed, and so are not among the rows
    unreadable: int = 0


def read_file(path: str) -> InputFile:
    """The rows of a CSV or JSON file; lines that are left out are printed on stderr. Any other path is returned as it is."""
    from dq_pipelines.engine.backends.frames import is_path_of_file, source_at
    from dq_pipelines.sources import read

    if not is_path_of_file(path) or "://" in path:
        return InputFile(path)
    source = source_at(path)
    if source["type"] == "parquet":
        return InputFile(path, _print_unreadable(path, read(source)))
    if source["type"] not in _OF_LINES:
        return InputFile(path)
    reading = read(source)
    for sentence in _left_out(reading):
        print(sentence, file=sys.stderr)
    return InputFile(reading.rows, _print_unreadable(path, reading))


def _left_out(reading: Reading) -> list[str]:
    """A sentence for each file about its lines that are no records; none if that is only a header of one line."""
    from dq_pipelines.sources.base import LEFT_OUT

    sentences = []
    for file in reading.files:
        counts = ", ".join(f"{count} {name}" for name in LEFT_OUT if (count := getattr(file, name)))
        if counts and counts != "1 header":
            sentences.append(
                f"{file.source}: {counted(file.records, 'record')} in {counted(file.lines, 'line')}; no records: {counts}"
            )
    return sentences


def _print_unreadable(path: str, reading: Reading) -> int:
    """Print how many lines are unreadable, and the first of them with reasons. Returns the number."""
    import polars as pl

    first = reading.unreadable.sort("_source", "_row").head(_SHOWN).collect()
    if not first.height:
        return 0
    count = int(reading.unreadable.select(pl.len()).collect().item())
    print(f"{path}: {counted(count, 'line')} cannot be read:", file=sys.stderr)
    for source, row, text, why in first.select("_source", "_row", "_text", "_why").rows():
        shown = text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
        print(f"  {source}:{row}: {why}: {shown!r}", file=sys.stderr)
    if count > first.height:
        print(f"  and {count - first.height:,} more", file=sys.stderr)
    return count
