"""The law of lines: each record of a file lands, is unreadable, or is told as header, preamble or footer.

Python's own csv module says which records there are; it is told the dialect that the file was written in.
"""

from __future__ import annotations

import csv
import io
import itertools
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dq_pipelines.sources.base import FileReport
from dq_pipelines.sources.csv import Csv

_numbers = itertools.count()


@dataclass(frozen=True)
class File:
    """A file as it is written: lines of cells, and what stands above, between and below them."""

    delimiter: str
    quote: str
    newline: str
    encoding: str
    preamble: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    footer: tuple[str, ...]
    #: before which rows a blank line stands
    blank_before: frozenset[int] = frozenset()
    ragged: str = "quarantine"

    @property
    def text(self) -> str:
        out = io.StringIO(newline="")
        writer = csv.writer(out, delimiter=self.delimiter, quotechar=self.quote, lineterminator=self.newline)
        for line in self.preamble:
            out.write(line + self.newline)
        for number, row in enumerate(self.rows):
            if number in self.blank_before:
                out.write(self.newline)
            writer.writerow(row)
        for line in self.footer:
            out.write(line + self.newline)
        return out.getvalue()

    def records(self) -> dict[int, tuple[int, list[str]]]:
        """By the 1-based line on which they start: how many lines they take, and their fields."""
        lines = iter(self.text.splitlines(keepends=True))
        found, at = {}, 1
        reader = csv.reader(lines, delimiter=self.delimiter, quotechar=self.quote, strict=True)
        for fields in reader:
            if fields:
                found[at] = (reader.line_num - at + 1, fields)
            at = reader.line_num + 1
        return found


#: What a careless reader takes for a comment, a rule, a note or nothing.
_LOOKS = st.sampled_from(
    ["#1001", "# note", "--all", "-----", "//nas/x", "(2 rows)", "End of file", "Total rows", "EOF", "n.d.", "1", "2.5"]
)
_CELL = st.one_of(_LOOKS, st.text("ab1 #-/;,\t|\"'é.", max_size=5), st.sampled_from(["x\ny", "x\r\ny", "\n", "-\n# y"]))
_NOTES = st.sampled_from(["Report of May", "# made by hand", "-----", "(2 rows)", "End of report", ""])


@st.composite
def files(draw: st.DrawFn) -> File:
    width = draw(st.integers(1, 5))
    whole = st.tuples(*[_CELL] * width)
    broken = st.lists(_CELL, min_size=1, max_size=width + 2).map(tuple)
    rows = draw(st.lists(st.one_of(*[whole] * 6, broken), min_size=1, max_size=14))
    rows = [row if any(cell.strip() for cell in row) else ("x", *row[1:]) for row in rows]
    notes = st.lists(_NOTES, max_size=3).map(tuple) if width > 1 else st.just(())
    return File(
        delimiter=draw(st.sampled_from(",;\t|")),
        quote=draw(st.sampled_from("\"'")),
        newline=draw(st.sampled_from(["\n", "\r\n"])),
        encoding=draw(st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "cp1252"])),
        preamble=draw(notes),
        rows=tuple(rows),
        footer=draw(notes),
        blank_before=draw(st.frozensets(st.integers(0, 14), max_size=2)) if width > 1 else frozenset(),
        ragged=draw(st.sampled_from(["quarantine", "quarantine", "pad"])),
    )


def law_holds(folder: Path, file: File) -> None:
    path = folder / f"{next(_numbers)}.csv"
    path.write_bytes(file.text.encode(file.encoding))
    told = {"delimiter": file.delimiter, "quote": file.quote, "escape": "", "encoding": file.encoding}
    source = Csv.model_validate({"type": "csv", "path": str(path), "ragged": file.ragged, **told})
    read = source.read(source.inputs())
    landed, refused = read.landed.collect()["_row"].to_list(), read.unreadable.collect()["_row"].to_list()
    (report,) = read.files
    width = read.landed.collect_schema().len() - 2
    records = file.records()
    if width == 1:  # where nothing is a value
        records |= {at: (1, [""]) for at in set(landed) - set(records) if not file.text.split("\n")[at - 1].strip("\r")}
    path.unlink()

    assert len(landed) + len(refused) == report.records
    assert len({*landed, *refused}) == len(landed) + len(refused)
    assert {*landed, *refused} <= set(records), "a row that is no record"
    left_out = {at: records[at] for at in records if at not in {*landed, *refused}}
    assert sum(lines for lines, _ in left_out.values()) == report.preamble + report.header + report.footer
    _only_decoration(left_out, {*landed, *refused}, report, width)


def _only_decoration(
    left_out: dict[int, tuple[int, list[str]]], rows: set[int], report: FileReport, width: int
) -> None:
    """What was left out stands above all rows or below them, and below them it cannot be a record."""
    first, last = min(rows, default=10**9), max(rows, default=0)
    below = {at: fields for at, (_, fields) in left_out.items() if at > first}
    assert all(at > last for at in below), "a record within the table was left out"
    assert all(len(fields) < width for fields in below.values()), "a record was taken for a footer"
    assert width > 1 or not below
    assert report.header <= sum(lines for at, (lines, _) in left_out.items() if at < first)


@settings(max_examples=200, deadline=None)
@given(files())
@example(File(",", '"', "\n", "utf-8", (), (("name", "total"), ("#1001", "1"), ("#1002", "2")), ()))
@example(File(",", '"', "\r\n", "utf-8", (), (("a", "b"), ("1", "x\n# y")), ("(1 rows)",)))
@example(File(";", "'", "\n", "utf-16", ("Report", "x;y"), (("a", "b", "c"), ("1", "2", "3"), ("4", "5", "6")), ()))
def test_each_record_has_one_place(tmp_path_factory: pytest.TempPathFactory, file: File) -> None:
    law_holds(tmp_path_factory.getbasetemp(), file)


@pytest.mark.torture
@settings(max_examples=10_000, deadline=None)
@given(files())
def test_each_record_of_ten_thousand_files_has_one_place(tmp_path_factory: pytest.TempPathFactory, file: File) -> None:
    law_holds(tmp_path_factory.getbasetemp(), file)
