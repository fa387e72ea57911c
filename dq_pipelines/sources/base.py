"""What every source is: an address outside that yields inputs, and rows batch by batch.

What a source does not do: it gives no types that the file does not have (text stays text), refuses
no row, and remembers nothing. Types and refusals belong in silver, memory in the lake's ledger.
"""

from __future__ import annotations

import abc
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

from pydantic import PrivateAttr

from dq_pipelines.config.model import Strict
from dq_pipelines.sources.charset import UTF_8, Guess

if TYPE_CHECKING:
    import polars as pl

#: Columns that every reading carries beside the data: where a row came from.
SOURCE = "_source"
ROW = "_row"


@dataclass(frozen=True)
class Input:
    """One thing that can be consumed once: a file, for the sources built in so far."""

    #: absolute path or URI
    uri: str
    #: bytes
    size: int
    #: nanoseconds since the epoch; a changed file has another one
    modified: int
    #: the same, of a local file: when the kernel changed it last, whatever its modification time was set to; 0 for any other.
    #: `chmod` and `mv` change it too, so it is no part of what the input is
    changed: int = field(default=0, compare=False, repr=False)


@dataclass(frozen=True)
class PassedOver:
    """What an address names and no one reads: no file, or a file of no partition."""

    #: absolute path or URI
    uri: str
    #: why, to stand after the address: `it is a folder`
    why: str


@dataclass(frozen=True)
class Listed:
    """What there is at an address."""

    #: in a stable order
    inputs: tuple[Input, ...]
    passed_over: tuple[PassedOver, ...] = ()


@dataclass(frozen=True)
class FileReport:
    """What is known of one file beside its records. Counts are lines, counted apart from whoever reads the records."""

    #: what `_source` says of the file's rows
    source: str
    #: in all
    lines: int
    #: above the header, and of the header
    preamble: int = 0
    header: int = 0
    #: below the table
    footer: int = 0
    #: that hold nothing, wherever they stand, and are no record
    blank: int = 0
    #: that continue the record of the line above, within quotes
    continued: int = 0
    #: the encoding that it was read in
    encoding: Guess = UTF_8

    @property
    def records(self) -> int:
        """The records in the file, readable or not: each begins on a line of its own."""
        return self.lines - self.preamble - self.header - self.footer - self.blank - self.continued


#: The counts of a FileReport that tell what lines of a file are no record, and continue none.
LEFT_OUT = ("preamble", "header", "footer", "blank")


@dataclass(frozen=True)
class Reading:
    """What a source found in its inputs. Both frames are lazy; nothing was read yet."""

    #: the data columns, then `_source` (string: the input's uri) and `_row` (int64: 1-based line of the
    #: record's first character in a file of lines, 1-based sheet row in a workbook, 1-based record elsewhere)
    landed: pl.LazyFrame
    #: `_source`, `_row`, `_text` (string: the line as it stands) and `_why` (string: one sentence)
    unreadable: pl.LazyFrame
    #: how many rows there are, about; None where only a read would tell
    about: int | None = None
    #: one for each file, where the source counts lines: their records are the rows of `landed` and `unreadable`
    files: tuple[FileReport, ...] = ()
    #: columns that have another name in the file than in `landed`: both names
    renamed: tuple[tuple[str, str], ...] = ()

    @property
    def rows(self) -> pl.LazyFrame:
        """The data columns alone."""
        return self.landed.drop(SOURCE, ROW)


class Source(Strict, abc.ABC):
    """The outside world as YAML describes it; one subclass, one file, one `type`."""

    #: folders and addresses below which it may read; anywhere without
    _places: tuple[str, ...] = PrivateAttr(())

    def confined_to(self, places: Sequence[str]) -> Self:
        """The same source, which reads nothing that lies outside of these places, links followed."""
        confined = self.model_copy()
        confined._places = tuple(places)  # noqa: SLF001 - of a copy of itself
        return confined

    @abc.abstractmethod
    def inputs(self) -> Sequence[Input]:
        """What there is to read now, in a stable order. Empty when nothing matches.

        Raises SourceError when the place itself cannot be listed (missing folder, refused access).
        """

    def listed(self) -> Listed:
        """The inputs, and what the address names that is none. Raises SourceError as `inputs` does."""
        return Listed(tuple(self.inputs()))

    @abc.abstractmethod
    def read(self, inputs: Sequence[Input]) -> Reading:
        """A lazy reading of `inputs`, which came from `inputs()`.

        Raises SourceError when an input as a whole cannot be read (truncated archive, wrong format,
        missing sheet); what is wrong with single records goes to `Reading.unreadable` instead.
        """

    def passed_over(self, inputs: Sequence[Input]) -> tuple[str, ...]:
        """Members of archives among `inputs` that are not read, being of another kind, as `_source` would name them."""
        return ()

    def read_or_text(self, inputs: Sequence[Input]) -> Reading:
        """As `read`, but a column whose types in these inputs no type holds without a loss is text."""
        return self.read(inputs)
