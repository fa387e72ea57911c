"""What every source is: it lists inputs, says of each which version it is, and reads them as lazy frames.

A source gives no types that its inputs do not have (text stays text) and refuses no row. It remembers nothing: what was
consumed is in bronze's ledger. Landing asks the source all that it has to know of a kind of input.
"""

from __future__ import annotations

import abc
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Self

from pydantic import PrivateAttr

from dq_pipelines.config.model import Strict
from dq_pipelines.sources.charset import UTF_8, Guess
from dq_pipelines.sources.inputs import ConsumedVersion, Input, Listed, PassedOver

if TYPE_CHECKING:
    import polars as pl

#: Columns that every reading has in addition to the data: where a row came from.
SOURCE = "_source"
ROW = "_row"
#: The sheet of a row, in a reading of all sheets of a workbook.
SHEET = "_sheet"


@dataclass(frozen=True)
class FileReport:
    """The lines of one file by what they are, counted apart from the reader of its records."""

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


#: The counts of a FileReport of lines that are no record, and continue none.
LEFT_OUT = ("preamble", "header", "footer", "blank")


@dataclass(frozen=True)
class Reading:
    """The rows of some inputs. Both frames are lazy; nothing was read yet."""

    #: the data columns, then `_source` (string: what `Source.row_sources` says) and `_row` (int64, from 1). `_row` is the line
    #: on which a record starts in a file of lines, the row of the sheet in a workbook, the record's number elsewhere
    landed: pl.LazyFrame
    #: `_source`, `_row`, `_text` (string: the line as it stands) and `_why` (string: one sentence)
    unreadable: pl.LazyFrame
    #: how many rows there are, about; None where only a read would tell
    about: int | None = None
    #: one for each file, where the source counts lines: their records are the rows of `landed` and `unreadable`
    files: tuple[FileReport, ...] = ()
    #: columns that have another name in the file than in `landed`: both names
    renamed: tuple[tuple[str, str], ...] = ()
    #: columns of dates and moments between whose bounds all values lie, by metadata: the least and the greatest one may be,
    #: as numbers of the column's unit since 1970. Columns of which that is not known are left out
    bounds: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    #: a condition on rows that may have landed before, since a source that `continues` looks back; None where none has
    overlap: pl.Expr | None = None

    @property
    def rows(self) -> pl.LazyFrame:
        """The data columns alone."""
        return self.landed.drop(SOURCE, ROW)


class Source(Strict, abc.ABC):
    """The outside world as YAML describes it; one subclass, one file, one `type`.

    A new source has to list its inputs, read them, and say whether one is still what was listed. The other methods have
    answers that are right where the number of a version stands for the content: a table's version, an offset.
    """

    #: The keys of an example in YAML, in addition to `type`.
    example: ClassVar[Mapping[str, str]] = {}
    #: folders and addresses below which it may read; anywhere without
    _places: tuple[str, ...] = PrivateAttr(())

    def confined_to(self, places: Sequence[str]) -> Self:
        """The same source, which reads nothing outside of these folders and addresses, links followed."""
        confined = self.model_copy()
        confined._places = tuple(places)  # noqa: SLF001 - of a copy of itself
        return confined

    # --- listing ------------------------------------------------------------------------------------

    @abc.abstractmethod
    def inputs(self) -> Sequence[Input]:
        """What there is to read now, in a stable order. Empty when nothing matches.

        Raises SourceError when the place itself cannot be listed (missing folder, refused access).
        """

    def inputs_where(self, wanted: Callable[[str], bool]) -> Sequence[Input]:
        """Those of `inputs` whose address is wanted, in any order; other files are not looked at.

        Raises SourceError as `inputs` does.
        """
        return [item for item in self.inputs() if wanted(item.uri)]

    def listed(self) -> Listed:
        """The inputs, and what the address names that is none. Raises SourceError as `inputs` does."""
        return Listed(tuple(self.inputs()))

    def nothing_found(self) -> str:
        """One sentence for a source without any input: what was wanted, and what there is instead."""
        return f"{getattr(self, 'type', 'source')}: wanted at least one input, got none"

    @property
    def asks_network(self) -> bool:
        """Whether listing asks another machine. `dq check` lists no such source."""
        return True

    # --- the version of an input --------------------------------------------------------------------

    @property
    def continues(self) -> bool:
        """Whether a later version of an input continues the earlier one, as a log does. Else it takes its place, as a file does."""
        return False

    @abc.abstractmethod
    def must_be_unchanged(self, item: Input) -> None:
        """Raise Transient unless what `inputs` listed can still be read as it was then. Called after a read, before the commit."""

    def content_of(self, item: Input) -> int:
        """A number that is the same for the same content: the version's, where no checksum tells more.

        Raises SourceError, or Transient, for an input that cannot be read.
        """
        return item.version.number

    def is_same(self, item: Input, consumed: ConsumedVersion) -> bool | None:
        """Whether an input is what was consumed; None where that cannot be known, and no version differs.

        Asked only where a number of its version differs from the ledger's. Raises Transient where a later try may tell.
        """
        return consumed.number == item.version.number or consumed.content == self.content_of(item)

    def has_moved(self, item: Input, consumed: ConsumedVersion) -> bool:
        """Whether an input is the one that was consumed from the other address `consumed.uri`."""
        return self.is_same(item, consumed) is not False

    def unconsumed(self, item: Input, consumed: ConsumedVersion | None) -> Input:
        """What of a changed input is new: all of it, unless the source `continues`. `consumed` is None for a new input."""
        return item

    def may_read(self, item: Input) -> bool:
        """Whether this process has the right to read an input, as far as that can be known without reading it."""
        return True

    # --- reading ------------------------------------------------------------------------------------

    @abc.abstractmethod
    def read(self, inputs: Sequence[Input]) -> Reading:
        """A lazy reading of `inputs`, which came from `inputs()`.

        Raises SourceError when an input as a whole cannot be read: a truncated archive, a wrong format, a missing sheet.
        Single records that cannot be read are in `Reading.unreadable`.
        """

    def read_or_text(self, inputs: Sequence[Input]) -> Reading:
        """As `read`, but a column whose types in these inputs no type holds without a loss is text."""
        return self.read(inputs)

    def row_sources(self, item: Input) -> Sequence[str]:
        """What `_source` says of the rows of an input, in the order in which they count: its address, or what lies in it.

        Of a source that `continues`, each version has to have another one. Raises SourceError as `read` does.
        """
        return (item.uri,)

    def passed_over(self, inputs: Sequence[Input]) -> tuple[PassedOver, ...]:
        """Members of archives among `inputs` that are not read, since they are no data."""
        return ()
