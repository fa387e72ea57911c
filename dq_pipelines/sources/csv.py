"""CSV and other delimited text in files.

Every value lands as text. Each line of a file is in exactly one place: in the header, above or below the table, in `landed`
as a row, or in `unreadable`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import AfterValidator, Field

from dq_pipelines.config.columns import exact
from dq_pipelines.config.model import Many
from dq_pipelines.errors import SourceError
from dq_pipelines.sources import encoding
from dq_pipelines.sources.base import ROW, SOURCE, FileReport, Reading
from dq_pipelines.sources.charset import Guess
from dq_pipelines.sources.csv_repair import PlainFile, checked_lines, made_plain
from dq_pipelines.sources.failures import broken
from dq_pipelines.sources.files import FileSource, Part, must_be_unchanged
from dq_pipelines.sources.frames import one_after_another
from dq_pipelines.sources.inputs import Input
from dq_pipelines.sources.layout import Layout, end_of, laid_out
from dq_pipelines.sources.line_scan import lines_in
from dq_pipelines.sources.magic import must_be_text
from dq_pipelines.sources.names import Rename, named, renames, together
from dq_pipelines.sources.rewriting import TextFile
from dq_pipelines.sources.scratch import scratch_file

if TYPE_CHECKING:
    import polars as pl

_EXTRA = "\x00extra"


def _encoding_name(name: str) -> str:
    try:
        return name if name == "auto" else encoding.canonical(name)
    except LookupError:
        raise ValueError(f"unknown encoding '{name}'") from None


def _single(mark: str) -> str:
    if mark != "auto" and len(mark) > 1:
        raise ValueError(f"wanted one character, none or auto, got '{mark}'")
    return mark


def _separates(mark: str) -> str:
    if not mark or "\n" in mark or "\r" in mark:
        raise ValueError(f"wanted one or more characters within a line, got {mark!r}")
    return {"\\t": "\t"}.get(mark, mark)


_Count = Annotated[int, Field(ge=0)]
_Mark = Annotated[str, AfterValidator(_single)]


class Csv(FileSource):
    """Delimited text: commas or any other delimiter, found or told, all values as text.

    Each file is looked at by itself, so files with other columns, in another order or dialect, can come together.
    Columns are matched by name; one that a file does not have is null there.
    """

    kinds = ((".csv", ".tsv", ".tab", ".psv"), (".txt", ".dat", ".data", ".out"))

    type: Literal["csv"]
    #: what stands between fields, one or more characters
    delimiter: Annotated[str, AfterValidator(_separates)] = "auto"
    #: what stands around a field that holds delimiters or newlines; "" for nothing
    quote: _Mark = "auto"
    #: what stands before a quote that is part of a value; a doubled quote is always understood
    escape: _Mark = "auto"
    encoding: Annotated[str, AfterValidator(_encoding_name)] = "auto"
    #: `\n` and `\r\n` are both understood wherever one of them is
    newline: Literal["auto", "\n", "\r\n", "\r"] = "auto"
    #: lines of names, joined column by column with a space; 0: none, columns are `column_1` and so on
    header_rows: Literal["auto"] | _Count = "auto"
    #: lines above the header that are no part of the table
    skip_rows: Literal["auto"] | _Count = "auto"
    #: lines below the table that are no part of it, blank ones at the very end not counted
    skip_footer: Literal["auto"] | _Count = "auto"
    #: names instead of those in the header
    column_names: Literal["auto"] | Many[str] = "auto"
    #: values that mean that there is none, quoted or not
    null_values: Many[str] = ("",)
    #: a record with too few fields: set aside as unreadable, or filled up with nulls
    ragged: Literal["quarantine", "pad"] = "quarantine"

    def read(self, inputs: Sequence[Input]) -> Reading:
        import polars as pl

        layouts: list[Layout] = []
        files: list[_File] = []
        for part in (part for item in inputs for part in self.parts(item)):
            with broken(part.source):
                files.append(self._opened(part, layouts))
        for item in inputs:
            must_be_unchanged(item)
        shared = together([[name for _, name in file.names] for file in files])
        columns = list(dict.fromkeys(name for names in shared for name in names.values()))
        landed = [
            self._rows(list(names.values()), file.plain, file.first).select(
                *(
                    pl.col(exact(name)) if name in columns_of_file else pl.lit(None, dtype=pl.String).alias(name)
                    for name in columns
                ),
                pl.lit(file.report.source).alias(SOURCE),
                pl.col(ROW).cast(pl.Int64),
            )
            for file, names in zip(files, shared, strict=True)
            if file.plain is not None
            for columns_of_file in [{*names.values()}]
        ]
        unreadable = [
            pl.scan_parquet(list(file.plain.unreadable)).select(
                pl.lit(file.report.source).alias(SOURCE), ROW, "_text", "_why"
            )
            for file in files
            if file.plain is not None and file.plain.unreadable
        ]
        text = dict.fromkeys(columns, pl.String()) | {SOURCE: pl.String(), ROW: pl.Int64()}
        nothing = {SOURCE: pl.String(), ROW: pl.Int64(), "_text": pl.String(), "_why": pl.String()}
        return Reading(
            one_after_another(landed, text),
            one_after_another(unreadable, nothing),
            sum(file.report.records for file in files),
            tuple(file.report for file in files),
            renamed=renames(
                (landed, names[name]) for file, names in zip(files, shared, strict=True) for landed, name in file.names
            ),
        )

    def _rows(self, names: Sequence[str], plain: PlainFile, first: int) -> pl.LazyFrame:
        import polars as pl

        rows = pl.scan_csv(
            plain.path,
            has_header=False,
            schema=dict.fromkeys([*names, _EXTRA], pl.String),
            separator=plain.delimiter,
            quote_char=plain.quote or None,
            skip_lines=first,
            null_values=list(self.null_values) or None,
            empty_string_is_null="" in self.null_values,
            row_index_name=ROW,
            row_index_offset=first + 1,
            missing_columns="insert",
            glob=False,
        )
        if plain.without.len():
            rows = rows.filter(~pl.col(ROW).is_in((plain.without + 1).implode()))
        return rows

    def _opened(self, part: Part, layouts: list[Layout]) -> _File:
        """A file's columns, its rows made plain, and the 0-based line of the first one.

        `layouts` are those of the files before: guessing takes 20 ms, a folder may hold thousands.
        """
        if part.path.stat().st_size == 0:
            return _File(self._empty(part, "0 bytes"), None, 0, FileReport(part.source, 0))
        with part.path.open("rb") as data:
            sample = data.read(encoding.SAMPLE)
        must_be_text(part.source, sample, "a text file", wide="16" in self.encoding or "32" in self.encoding)
        guess = encoding.guessed(sample) if self.encoding == "auto" else Guess(self.encoding)
        newline = encoding.newline(sample.decode(guess.encoding, "replace")) if self.newline == "auto" else self.newline
        if guess.encoding == "utf-8" and newline != "\r" and encoding.is_utf8_so_far(sample):
            opened = self._read_as(part, _Utf8(part.path, guess, newline, {}), layouts)
            if opened is not None:
                return opened
        opened = self._read_as(part, self._copy(part, guess, newline), layouts)
        if opened is None:
            raise SourceError(f"{part.source}: wanted its copy in UTF-8, got bytes that are none")
        return opened

    def _read_as(self, part: Part, text: _Utf8, layouts: list[Layout]) -> _File | None:
        """The file by its text; None where a byte of that is no UTF-8."""
        lines = encoding.first_lines(text.path)
        size = text.path.stat().st_size
        cut = size > encoding.SAMPLE
        if not cut and not any(line.strip() for line in lines):
            count = lines_in(text.path) or 0
            report = FileReport(part.source, count, blank=count)
            return _File(self._empty(part, f"{part.path.stat().st_size} bytes of blank lines"), None, 0, report)
        layout = next((one for one in layouts if one.is_that_of(lines)), None) or laid_out(lines, self, cut=cut)
        checked = checked_lines(text.path, layout, text.newline)
        if checked is None:
            return None
        if not any(layout is one for one in layouts):
            layouts[4:] = []
            layouts.insert(0, layout)
        end = end_of(text.path, checked.count, layout, None if self.skip_footer == "auto" else self.skip_footer)
        read = TextFile(
            text.path,
            text.newline,
            layout.grammar,
            layout.shape,
            layout.first,
            None if end is None else end.line,
            layout.header,
            text.undecoded,
        )
        plain = made_plain(read, checked, f"its bytes are no {text.guess.encoding}")
        report = replace(layout.report(part.source, checked.count, end, plain), encoding=text.guess)
        return _File(layout.names, plain, layout.first, report)

    def _empty(self, part: Part, got: str) -> list[Rename]:
        if self.header_rows != 0 and self.column_names == "auto":
            raise SourceError(f"{part.source} is empty: wanted a header line, got {got}")
        return [] if self.column_names == "auto" else named(self.column_names)

    def _copy(self, part: Part, guess: Guess, newline: str) -> _Utf8:
        """A copy in UTF-8 of a file that has another encoding, or whose lines end otherwise."""
        if guess.encoding == "utf-8" and self.encoding == "auto" and not encoding.file_is_utf8(part.path):
            guess = encoding.guessed_of_rest(part.path)  # text beyond ASCII comes only after the sample
        copy = scratch_file(".txt")
        undecoded = encoding.copied_as_utf8(part.path, guess.encoding, newline, copy)
        return _Utf8(copy, guess, newline, undecoded)


@dataclass(frozen=True)
class _Utf8:
    """A file as UTF-8, with its former encoding and ends of lines."""

    path: Path
    guess: Guess
    newline: str
    undecoded: dict[int, str]


@dataclass(frozen=True)
class _File:
    """One file, ready to be read."""

    #: for each column its name in the file and its name in the lake
    names: list[Rename]
    #: None when there is nothing in it
    plain: PlainFile | None
    #: 0-based line of the first record
    first: int
    report: FileReport
