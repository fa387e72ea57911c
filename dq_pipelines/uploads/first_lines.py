"""The first lines of a file of delimited text as its source reads them: delimiter, encoding, and the line of the header."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from dq_pipelines.sources import encoding
from dq_pipelines.sources.charset import Guess
from dq_pipelines.sources.csv import Csv
from dq_pipelines.sources.dialect import rows
from dq_pipelines.sources.layout import laid_out


@dataclass(frozen=True)
class TextLook:
    """How a file of delimited text is read."""

    delimiter: str
    encoding: str
    #: the line of the column names, from 1; 0 for none
    header: int
    #: the first records: the line on which each starts, from 1, and its fields
    rows: tuple[tuple[int, tuple[str, ...]], ...]


def look_at_text(path: Path, source: Csv, most: int) -> TextLook:
    """Look at the file at `path`, of which the source may be told its delimiter and so on."""
    with path.open("rb") as data:
        sample = data.read(encoding.SAMPLE)
    guess = encoding.guessed(sample) if source.encoding == "auto" else Guess(source.encoding)
    lines = sample.decode(guess.encoding, "replace").removeprefix("\ufeff").splitlines()
    if len(sample) == encoding.SAMPLE:
        lines = lines[:-1] or lines  # the last one is cut off
    cut = len(sample) == encoding.SAMPLE
    layout = laid_out(lines, source, cut=cut)
    records = rows(lines, layout.grammar, most, cut=cut)
    fields = ((row.line + 1, row.fields or (lines[row.line],)) for row in records)
    return TextLook(
        layout.grammar.delimiter, guess.encoding, layout.top + 1 if layout.first > layout.top else 0, tuple(fields)
    )
