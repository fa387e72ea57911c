"""A file that a command reads outside of a project: what of it is no record, and which lines nobody could read."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dq_pipelines.config.counting import counted

if TYPE_CHECKING:
    import polars as pl

    from dq_pipelines.sources import Reading

#: Kinds of sources of which single lines may be unreadable.
_OF_LINES = ("csv", "json", "ndjson")
#: Unreadable lines that are printed, and characters of each.
_SHOWN, _LONGEST = 5, 120


@dataclass(frozen=True)
class Read:
    """What was read of a path."""

    #: the rows, or the path where it is to be read by whoever judges
    data: pl.LazyFrame | str
    #: lines that are in none of the rows, for nobody could read them
    unreadable: int = 0


def read_file(path: str) -> Read:
    """The rows of a file of lines; what is left out of them is printed on stderr. Any other path is given as it is."""
    from dq_pipelines.engine.backends.frames import is_path_of_file, source_at
    from dq_pipelines.sources import read

    if not is_path_of_file(path) or "://" in path:
        return Read(path)
    source = source_at(path)
    if source["type"] == "parquet":
        return Read(path, _print_unreadable(path, read(source)))
    if source["type"] not in _OF_LINES:
        return Read(path)
    reading = read(source)
    for sentence in _left_out(reading):
        print(sentence, file=sys.stderr)
    return Read(reading.rows, _print_unreadable(path, reading))


def _left_out(reading: Reading) -> list[str]:
    """Of each file in one sentence which lines are no records, unless it is but a header of one line."""
    from dq_pipelines.sources.base import LEFT_OUT

    said = []
    for file in reading.files:
        counts = ", ".join(f"{count} {name}" for name in LEFT_OUT if (count := getattr(file, name)))
        if counts and counts != "1 header":
            said.append(
                f"{file.source}: {counted(file.records, 'record')} in {counted(file.lines, 'line')}; no records: {counts}"
            )
    return said


def _print_unreadable(path: str, reading: Reading) -> int:
    """Print how many lines nobody could read, and the first of them with the reasons; return how many."""
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
