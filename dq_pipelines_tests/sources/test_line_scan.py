"""The pass over the lines of a file finds what a regular expression finds that looks at every line."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dq_pipelines.sources import csv_repair, line_scan
from dq_pipelines.sources.csv_repair import checked_lines
from dq_pipelines.sources.grammar import Grammar, Shape
from dq_pipelines.sources.layout import Layout
from dq_pipelines.sources.line_scan import lines_in

PARTS = [
    "a",
    "bc",
    ",",
    ",,",
    "\t",
    '"',
    '""',
    "'",
    "\\",
    "\n",
    "\n\n",
    "\r\n",
    "\r",
    " ",
    "\x00",
    "é",
    "\ufeff",
    "id,v",
]
GRAMMARS = [
    Grammar(",", '"', ""),
    Grammar(",", "", ""),
    Grammar("\t", "'", ""),
    Grammar(",", '"', "\\"),
    Grammar(",", '"', "\\", escapes_bare=True),
    Grammar(" ", '"', ""),
]
SHAPES = [Shape(1, 1), Shape(2, 2), Shape(3, 3), Shape(1, 3), Shape(2, 2, trailing=True), Shape(1, 2, trailing=True)]


def in_full(path: Path, layout: Layout, newline: str) -> list[tuple[int, bool]]:
    """The odd lines of the table, each line looked at by the expression."""
    odd, blank = csv_repair._odd(layout, newline)
    lines = pl.scan_lines(path, row_index_name="at", glob=False)
    return lines.filter(odd & (pl.col("at") >= layout.first)).select("at", blank=blank).sort("at").collect().rows()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=600)
@given(
    content=st.lists(st.sampled_from(PARTS), min_size=1, max_size=40).map("".join),
    grammar=st.sampled_from(GRAMMARS),
    shape=st.sampled_from(SHAPES),
    first=st.sampled_from([0, 1, 3]),
    header=st.sampled_from(["", "id,v"]),
    newline=st.sampled_from(["\n", "\r"]),
    block=st.sampled_from([1, 3, 16, 70, 1 << 18]),
)
def test_odd_lines_are_those_of_the_expression(
    tmp_path: Path, content: str, grammar: Grammar, shape: Shape, first: int, header: str, newline: str, block: int
) -> None:
    path = tmp_path / "lines.csv"
    path.write_bytes(content.encode())
    layout = Layout(grammar, [], shape, 0, first, header, (), backslashed=False)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(line_scan, "_BLOCK", block)
        patch.setattr(line_scan, "_WAITING", 2 * block)
        checked = checked_lines(path, layout, newline)
    assert checked is not None
    assert checked.odd is not None
    assert checked.odd.rows() == in_full(path, layout, newline)
    assert checked.count == pl.scan_lines(path, glob=False).select(pl.len()).collect().item()


def test_a_line_longer_than_any_block(tmp_path: Path) -> None:
    path = tmp_path / "long.csv"
    path.write_bytes(b"a,b\n" + b"x" * 3_000_000 + b",1\n1,2,3\n")
    layout = Layout(GRAMMARS[0], [], Shape(2, 2), 0, 1, "a,b", (), backslashed=False)
    checked = checked_lines(path, layout, "\n")
    assert checked is not None
    assert checked.odd is not None
    assert (checked.count, checked.odd.rows()) == (3, [(2, False)])


@pytest.mark.parametrize("at", [0, 100, 300_000, 599_999])
def test_one_byte_that_is_no_utf8_is_found_wherever_it_stands(tmp_path: Path, at: int) -> None:
    path = tmp_path / "bytes.csv"
    content = bytearray(b"12345,789\n" * 60_000)
    path.write_bytes(content)
    assert lines_in(path) == 60_000
    content[at] = 0xFF
    path.write_bytes(content)
    assert lines_in(path) is None
