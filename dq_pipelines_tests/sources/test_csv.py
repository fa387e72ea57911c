"""The CSV source: what lands, under which line number, and what is set aside with which sentence."""

from __future__ import annotations

import csv
import gzip
import io
import itertools
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from dq_pipelines.errors import SourceError
from dq_pipelines.sources.base import Reading
from dq_pipelines.sources.csv import Csv

Landed = list[tuple[Any, ...]]
_numbers = itertools.count()


def reading(folder: Path, content: bytes | str, name: str = "f.csv", **settings_: Any) -> Reading:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    source = Csv.model_validate({"type": "csv", "path": str(path), **settings_})
    return source.read(source.inputs())


def landed(read: Reading) -> tuple[list[str], Landed]:
    """Column names, and rows that end with their line number."""
    rows = read.landed.drop("_source").collect(engine="streaming")
    return rows.columns[:-1], rows.rows()


def refused(read: Reading) -> list[tuple[int, str, str]]:
    return read.unreadable.select("_row", "_text", "_why").collect().sort("_row").rows()


DIALECTS: list[tuple[str, bytes | str, dict[str, Any], list[str], Landed]] = [
    ("comma", "a,b\n1,x\n2,y\n", {}, ["a", "b"], [("1", "x", 2), ("2", "y", 3)]),
    ("semicolon", "a;b\n1;x,y\n2;z\n", {}, ["a", "b"], [("1", "x,y", 2), ("2", "z", 3)]),
    ("tab", "a\tb\n1\tx y\n", {}, ["a", "b"], [("1", "x y", 2)]),
    ("pipe", "a|b\n1|x\n", {}, ["a", "b"], [("1", "x", 2)]),
    ("space", "a b c\n1 2 3\n4 5 6\n", {}, ["a", "b", "c"], [("1", "2", "3", 2), ("4", "5", "6", 3)]),
    ("two characters", "a||b\n1||x|y\n2||\n", {}, ["a", "b"], [("1", "x|y", 2), ("2", None, 3)]),
    ("comma and space", 'a, b\n1, "x, y"\n2, z\n', {}, ["a", "b"], [("1", "x, y", 2), ("2", "z", 3)]),
    ("beyond ASCII", "a§b\n1§x\n2§y\n", {}, ["a", "b"], [("1", "x", 2), ("2", "y", 3)]),
    ("one column", "a\nx\n\ny\n\n\n", {}, ["a"], [("x", 2), (None, 3), ("y", 4)]),
    ("single quote", "a,b\n1,'x, y'\n2,'z'\n", {}, ["a", "b"], [("1", "x, y", 2), ("2", "z", 3)]),
    ("no quote", 'a,b\n1,"x\n2,y"\n', {"quote": ""}, ["a", "b"], [("1", '"x', 2), ("2", 'y"', 3)]),
    ("backslash", 'a,b\n1,"x \\" y"\n2,"\\z"\n', {}, ["a", "b"], [("1", 'x " y', 2), ("2", "\\z", 3)]),
    ("windows", 'a,b\r\n1,"x\r\ny"\r\n2,z\r\n', {}, ["a", "b"], [("1", "x\r\ny", 2), ("2", "z", 4)]),
    ("old mac", 'a,b\r1,"x\ry"\r2,z\r', {}, ["a", "b"], [("1", "x\ry", 2), ("2", "z", 4)]),
    ("no last newline", "a,b\n1,x", {}, ["a", "b"], [("1", "x", 2)]),
    ("utf-8 mark", b'\xef\xbb\xbf"a",b\n1,x\n', {}, ["a", "b"], [("1", "x", 2)]),
    (
        "utf-8 mark, no header",
        b'\xef\xbb\xbf"1",2\n3,4\n',
        {},
        ["column_1", "column_2"],
        [("1", "2", 1), ("3", "4", 2)],
    ),
    ("utf-16", "a,b\n1,é\n".encode("utf-16"), {}, ["a", "b"], [("1", "é", 2)]),
    ("utf-16 bare", "a,b\n1,x\n".encode("utf-16-be"), {}, ["a", "b"], [("1", "x", 2)]),
    ("cp1252", "a,b\n1,é€\n".encode("cp1252"), {}, ["a", "b"], [("1", "é€", 2)]),
    ("latin-1", "a,b\n1,é\x81\n".encode("latin-1"), {}, ["a", "b"], [("1", "é\x81", 2)]),
    ("told encoding", "a,b\n1,я\n".encode("cp1251"), {"encoding": "cp1251"}, ["a", "b"], [("1", "я", 2)]),
    (
        "preamble",
        "Report of May\n\n# x\na,b,c\n1,2,3\n4,5,6\n",
        {},
        ["a", "b", "c"],
        [("1", "2", "3", 5), ("4", "5", "6", 6)],
    ),
    ("told rows", "x,y\na,b\n1,2\n", {"skip_rows": 1}, ["a", "b"], [("1", "2", 3)]),
    ("footer", "a,b\n1,2\n3,4\n\n(2 rows)\n", {}, ["a", "b"], [("1", "2", 2), ("3", "4", 3)]),
    ("told footer", "a,b\n1,2\n9,9\n", {"skip_footer": 1}, ["a", "b"], [("1", "2", 2)]),
    ("no header", "1,2\n3,4\n", {}, ["column_1", "column_2"], [("1", "2", 1), ("3", "4", 2)]),
    ("told no header", "a,b\nc,d\n", {"header_rows": 0}, ["column_1", "column_2"], [("a", "b", 1), ("c", "d", 2)]),
    ("two header lines", "a,b\nx,\n1,2\n", {"header_rows": 2}, ["a x", "b"], [("1", "2", 3)]),
    ("told names", "a,b\n1,2\n", {"column_names": ["x", "y"]}, ["x", "y"], [("1", "2", 2)]),
    (
        "names made valid",
        "a,A,,_row,a b\n1,2,3,4,5\n",
        {},
        ["a", "A_2", "column_3", "_row_2", "a b"],
        [("1", "2", "3", "4", "5", 2)],
    ),
    ("header only", "a,b\n", {}, ["a", "b"], []),
    ("quoted newline in header", '"a\nb",c\n1,2\n', {}, ["a b", "c"], [("1", "2", 3)]),
    ("trailing delimiters", "a,b,\n1,2,\n3,4,\n", {}, ["a", "b"], [("1", "2", 2), ("3", "4", 3)]),
    ("trailing in rows", "a,b\n1,2,\n3,4,\n", {}, ["a", "b"], [("1", "2", 2), ("3", "4", 3)]),
    ("nulls", 'a,b\n"",NA\nx,\n', {"null_values": ["NA"]}, ["a", "b"], [("", None, 2), ("x", "", 3)]),
    ("blank lines", "a,b\n\n1,2\n\n,\n3,4\n\n", {}, ["a", "b"], [("1", "2", 3), (None, None, 5), ("3", "4", 6)]),
    ("quotes within words", 'a,b\n5" pipe,x\n37.8"N,y\n', {}, ["a", "b"], [('5" pipe', "x", 2), ('37.8"N', "y", 3)]),
    ("padded", "a,b\n1,2\n", {"ragged": "pad"}, ["a", "b"], [("1", "2", 2)]),
    # What looks like a comment, a rule or a footer and has all its delimiters is a record.
    (
        "hash first",
        "name,total\n#1001,10.50\n#1002,3\n",
        {},
        ["name", "total"],
        [("#1001", "10.50", 2), ("#1002", "3", 3)],
    ),
    ("dashes first", "opt,what\n--all,x\n--none,y\n", {}, ["opt", "what"], [("--all", "x", 2), ("--none", "y", 3)]),
    ("slashes first", "path,n\n//nas/x,1\n//nas/y,2\n", {}, ["path", "n"], [("//nas/x", "1", 2), ("//nas/y", "2", 3)]),
    (
        "words of a footer",
        "what,n,p\nchair,1,2\nEnd of line chair,4,12.50\nTotal rows,9,9\n",
        {},
        ["what", "n", "p"],
        [("chair", "1", "2", 2), ("End of line chair", "4", "12.50", 3), ("Total rows", "9", "9", 4)],
    ),
    ("only comments", "a\n# x\n-----\n(2 rows)\n", {}, ["a"], [("# x", 2), ("-----", 3), ("(2 rows)", 4)]),
    ("note in a cell", 'a,b\n1,"x\n# y"\n', {}, ["a", "b"], [("1", "x\n# y", 2)]),
    ("note that may be padded", "a,b\n1,2\n# x\n", {"ragged": "pad"}, ["a", "b"], [("1", "2", 2), ("# x", None, 3)]),
    (
        "sparse first record",
        "1,,,\n2,3,4,5\n6,7,8,9\n",
        {},
        ["column_1", "column_2", "column_3", "column_4"],
        [("1", None, None, None, 1), ("2", "3", "4", "5", 2), ("6", "7", "8", "9", 3)],
    ),
    ("title with delimiters", "Report,,,\na,b,c,d\n1,2,3,4\n", {}, ["a", "b", "c", "d"], [("1", "2", "3", "4", 3)]),
    (
        "preamble one field narrower",
        "Vendor;Test\nFrom;06/02/2024\nTo;06/29/2024\nWhen;Settled;Ref\n06/01/2024;06/22/2024;1\n06/02/2024;06/23/2024;2\n",
        {},
        ["When", "Settled", "Ref"],
        [("06/01/2024", "06/22/2024", "1", 5), ("06/02/2024", "06/23/2024", "2", 6)],
    ),
    (
        "first record of non-detects",
        "site,pb,cd,zn\nA,n.d.,<LOD,<0.5\n" + "B,1.0,2,3\n" * 9,
        {},
        ["site", "pb", "cd", "zn"],
        [("A", "n.d.", "<LOD", "<0.5", 2), *(("B", "1.0", "2", "3", line) for line in range(3, 12))],
    ),
    (
        "first record of other words",
        "site,pb,cd,zn\nA,error,hidden,late\n" + "B,1.0,2,3\n" * 9,
        {},
        ["site", "pb", "cd", "zn"],
        [("A", "error", "hidden", "late", 2), *(("B", "1.0", "2", "3", line) for line in range(3, 12))],
    ),
    (
        "units in brackets",
        "t,p,v\n(s),(bar),(m/s)\n" + "1,2,3\n" * 5,
        {},
        ["t (s)", "p (bar)", "v (m/s)"],
        [("1", "2", "3", line) for line in range(3, 8)],
    ),
    (
        "years as names",
        "name,2019,2020,2021\nx,1.5,2,3\ny,4,5,6\n",
        {},
        ["name", "2019", "2020", "2021"],
        [("x", "1.5", "2", "3", 2), ("y", "4", "5", "6", 3)],
    ),
    (
        "years as values",
        "x,2019,2020\ny,2018,2021\nz,2017,2022\n",
        {},
        ["column_1", "column_2", "column_3"],
        [("x", "2019", "2020", 1), ("y", "2018", "2021", 2), ("z", "2017", "2022", 3)],
    ),
    (
        "R's row names",
        '"mpg" "cyl"\n' + "".join(f'"Mazda RX{number}" 21 6\n' for number in range(9)),
        {},
        ["column_1", "mpg", "cyl"],
        [(f"Mazda RX{number}", "21", "6", number + 2) for number in range(9)],
    ),
    (
        "R's row names, quoted numbers",
        '"mpg" "cyl"\n' + "".join(f'"{3 * number}" 21 6\n' for number in range(9)),
        {},
        ["column_1", "mpg", "cyl"],
        [(str(3 * number), "21", "6", number + 2) for number in range(9)],
    ),
    (
        "dates as names",
        "name,2020-01-31,2020-02-29\nx,1.5,2\ny,4,5\n",
        {},
        ["name", "2020-01-31", "2020-02-29"],
        [("x", "1.5", "2", 2), ("y", "4", "5", 3)],
    ),
    (
        "preamble longer than the table",
        "By;Ann\nOn;May\nIn;Rome\nTo;Bob\nid;day;n\n1;x;2\n2;y;3\n",
        {},
        ["id", "day", "n"],
        [("1", "x", "2", 6), ("2", "y", "3", 7)],
    ),
    ("Excel's delimiter line", "sep=;\na;b\n1;2,5\n", {}, ["a", "b"], [("1", "2,5", 3)]),
    (
        "backslashes outside of quotes",
        "1\tx\\\ty\t2\n2\ta\\\nb\t3\n3\tz\t4\n",
        {},
        ["column_1", "column_2", "column_3"],
        [("1", "x\ty", "2", 1), ("2", "a\nb", "3", 2), ("3", "z", "4", 4)],
    ),
    # A newline in a cell keeps its own form, whatever ends the file's lines.
    ("unix in windows", 'a,b\r\n1,"x\ny"\r\n2,z\r\n', {}, ["a", "b"], [("1", "x\ny", 2), ("2", "z", 4)]),
    ("windows in unix", 'a,b\n1,"x\r\ny"\n2,z\n', {}, ["a", "b"], [("1", "x\r\ny", 2), ("2", "z", 4)]),
    ("unix in old mac", 'a,b\r1,"x\ny"\r2,z\r', {}, ["a", "b"], [("1", "x\ny", 2), ("2", "z", 3)]),
    (
        "unix in windows, utf-16",
        'a,b\r\n1,"x\ny"\r\n'.encode("utf-16"),
        {},
        ["a", "b"],
        [("1", "x\ny", 2)],
    ),
]


@pytest.mark.parametrize(
    ("content", "told", "columns", "rows"), [case[1:] for case in DIALECTS], ids=[c[0] for c in DIALECTS]
)
def test_what_lands(
    tmp_path: Path, content: bytes | str, told: dict[str, Any], columns: list[str], rows: Landed
) -> None:
    read = reading(tmp_path, content, **told)
    assert landed(read) == (columns, rows)
    assert refused(read) == []


GOOD = "a,b,c\n1,2,3\n4,5,6\n7,8,9\n"

TROUBLES: list[tuple[str, bytes | str, dict[str, Any], list[int], list[tuple[int, str, str]]]] = [
    ("too many", GOOD + "1,2,3,4\n5,6,7\n", {}, [2, 3, 4, 6], [(5, "1,2,3,4", "wanted 3 fields, got 4")]),
    ("too few", GOOD + "1,2\n5,6,7\n", {}, [2, 3, 4, 6], [(5, "1,2", "wanted 3 fields, got 2")]),
    ("padded", GOOD + "1,2\n5,6,7\n", {"ragged": "pad"}, [2, 3, 4, 5, 6], []),
    ("ragged over lines", GOOD + '1,"x\ny"\n5,6,7\n', {}, [2, 3, 4, 7], [(5, '1,"x\ny"', "wanted 3 fields, got 2")]),
    ("unclosed quote", GOOD + '1,"2,3\n5,6,7\n', {}, [2, 3, 4, 5, 6], []),
    ("unclosed and ragged", GOOD + '1,"2\n5,6,7\n', {}, [2, 3, 4, 6], [(5, '1,"2', "unbalanced")]),
    ("swallowing", GOOD + '1,"2\n5,6,7\n8,9",0\n5,6,7\n', {}, [2, 3, 4, 5, 8], []),
    ("torn", GOOD + '1,x"y, z",3\n5,6,7\n', {}, [2, 3, 4, 6], [(5, '1,x"y, z",3', "unbalanced")]),
    ("NUL", GOOD + "1,\0,3\n5,6,7\n", {}, [2, 3, 4, 6], [(5, "1,\0,3", "it holds a NUL character")]),
    (
        "bytes",
        (GOOD + "é,ü,3\n").encode() + b"1,\xff,3\n5,6,7\n",
        {},
        [2, 3, 4, 5, 7],
        [(6, "1,\\xff,3", "its bytes are no utf-8")],
    ),
    (
        "wrong encoding",
        (GOOD + "1,é,3\n").encode("cp1252"),
        {"encoding": "utf-8"},
        [2, 3, 4],
        [(5, "1,\\xe9,3", "its bytes are no utf-8")],
    ),
    (
        "told ascii",
        (GOOD + "1,é,3\n").encode(),
        {"encoding": "ascii"},
        [2, 3, 4],
        [(5, "1,\\xc3\\xa9,3", "its bytes are no ascii")],
    ),
    ("header again", GOOD + GOOD, {}, [2, 3, 4, 6, 7, 8], [(5, "a,b,c", "it repeats the header")]),
    ("cut off", GOOD + "1,2", {}, [2, 3, 4], [(5, "1,2", "wanted 3 fields, got 2")]),
]


@pytest.mark.parametrize(
    ("content", "told", "rows", "wanted"), [case[1:] for case in TROUBLES], ids=[c[0] for c in TROUBLES]
)
def test_nothing_is_lost(
    tmp_path: Path, content: bytes | str, told: dict[str, Any], rows: list[int], wanted: list[tuple[int, str, str]]
) -> None:
    read = reading(tmp_path, content, **told)
    assert [row[-1] for row in landed(read)[1]] == rows
    got = refused(read)
    assert [line[:2] for line in got] == [line[:2] for line in wanted]
    for (_, _, why), (_, _, part) in zip(got, wanted, strict=True):
        assert part in why


def test_files_with_other_columns_come_together(tmp_path: Path) -> None:
    (tmp_path / "1.csv").write_text("a,b\n1,2\n")
    (tmp_path / "2.csv").write_text("c;a\n3;4\n")
    with gzip.open(tmp_path / "3.csv.gz", "wt") as packed:
        packed.write("b\tc\n5\t6\n")
    (tmp_path / "4.csv").write_text("a,b\n")
    source = Csv(type="csv", path=str(tmp_path / "*.csv*"))
    rows = source.read(source.inputs()).landed.collect(engine="streaming")
    assert rows.columns == ["a", "b", "c", "_source", "_row"]
    assert rows.drop("_source").rows() == [("1", "2", None, 2), ("4", None, "3", 2), (None, "5", "6", 2)]
    assert [Path(name).name for name in rows["_source"]] == ["1.csv", "2.csv", "3.csv.gz"]


@pytest.mark.parametrize("content", [b"", b"\n\n", b"\xef\xbb\xbf"])
def test_an_empty_file_is_one_sentence(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(SourceError, match=r"f\.csv is empty: wanted a header line, got "):
        reading(tmp_path, content)
    assert landed(reading(tmp_path, content, column_names=["a"])) == (["a"], [])
    assert landed(reading(tmp_path, content, header_rows=0)) == ([], [])


def test_no_inputs_is_an_empty_reading(tmp_path: Path) -> None:
    source = Csv(type="csv", path=str(tmp_path / "*.csv"))
    read = source.read(source.inputs())
    assert landed(read) == ([], [])
    assert refused(read) == []


def test_a_file_that_changes_is_refused(tmp_path: Path) -> None:
    (tmp_path / "f.csv").write_text(GOOD)
    source = Csv(type="csv", path=str(tmp_path / "f.csv"))
    inputs = source.inputs()
    (tmp_path / "f.csv").write_text(GOOD + "1,2,3\n")
    with pytest.raises(SourceError, match="changed while it was read"):
        source.read(inputs)


@pytest.mark.parametrize(
    ("told", "says"),
    [
        ({"encoding": "utf-9"}, "unknown encoding 'utf-9'"),
        ({"quote": '""'}, "wanted one character, none or auto"),
        ({"delimiter": ""}, "wanted one or more characters"),
        ({"header_rows": -1}, "wanted at least 0, got -1"),
        ({"delimeter": ","}, "unknown key 'delimeter' (nearest: delimiter)"),
    ],
)
def test_settings_are_checked(told: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Csv.model_validate({"type": "csv", "path": "f.csv", **told})
    assert says in str(caught.value)


CELL = st.text(st.sampled_from("ab1 ,;\"\n'|é.\\"), max_size=6)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(CELL, CELL, CELL), max_size=12), st.sampled_from(["\n", "\r\n"]), st.booleans())
def test_what_a_writer_wrote_is_read(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str, str]], newline: str, quoted: bool
) -> None:
    """Whatever Python's own writer writes is read as it was, each record under the line it starts on."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator=newline, quoting=csv.QUOTE_ALL if quoted else csv.QUOTE_MINIMAL)
    lines = []
    for row in [("x", "y", "z"), *rows]:
        lines.append(out.getvalue().count("\n") + 1)
        writer.writerow([cell.replace("\n", newline) for cell in row])
    folder = tmp_path_factory.getbasetemp()
    told = {"delimiter": ",", "quote": '"', "escape": "", "header_rows": 1, "skip_rows": 0, "skip_footer": 0}
    read = reading(folder, out.getvalue(), f"{next(_numbers)}.csv", newline=newline, **told)
    assert refused(read) == []
    wanted = [
        (*(cell.replace("\n", newline) or None for cell in row), line)
        for row, line in zip(rows, lines[1:], strict=True)
    ]
    assert landed(read)[1] == wanted


@settings(max_examples=200, deadline=None)
@given(st.text(st.sampled_from('ab1,,""\n\n;\' '), min_size=1, max_size=60))
def test_every_line_has_one_place(tmp_path_factory: pytest.TempPathFactory, body: str) -> None:
    """Header, landed, unreadable, or blank: the text of what was set aside is the text of the file."""
    content = "x,y\n" + body
    told = {"delimiter": ",", "quote": '"', "header_rows": 1, "skip_rows": 0, "skip_footer": 0}
    read = reading(tmp_path_factory.getbasetemp(), content, f"{next(_numbers)}.csv", **told)
    lines = content.split("\n")
    starts = {row[-1] for row in landed(read)[1]}
    for line, text, _ in refused(read):
        assert text.split("\n") == lines[line - 1 : line - 1 + text.count("\n") + 1]
        assert line not in starts
        starts |= set(range(line, line + text.count("\n") + 1))
    at = 2
    while at <= len(lines):
        if at not in starts and lines[at - 1].strip():
            # Not set aside, so it continues a quoted field that was opened above.
            assert any('"' in one for one in lines[1 : at - 1])
        at += 1


def test_a_cell_of_a_million_lines_is_one_record(tmp_path: Path) -> None:
    """Each line of it is looked at once: this took the square of its length, and never ended."""
    cell = "ab\n\n" * 500_000
    read = reading(tmp_path, f'id,v\n1,"{cell}"\n2,"{cell[:-1]},"\n3,x\n')
    assert landed(read) == (["id", "v"], [("1", cell, 2), ("2", f"{cell[:-1]},", 1_000_003), ("3", "x", 2_000_003)])
    assert refused(read) == []


@pytest.mark.parametrize("lines", [60, 400, 4_000, 9_000])
def test_cells_of_many_lines_do_not_mislead_the_dialect(tmp_path: Path, lines: int) -> None:
    """Lines of a cell look like a table of their own: commas and spaces, the same in each."""
    cell = "\n".join(f"it's line {line}, of 'many', and; so on" for line in range(lines))
    records = [(str(number), cell, "ok") for number in range(9)]
    body = "".join(f'{number},"{text}",{state}\n' for number, text, state in records)
    columns, rows = landed(reading(tmp_path, "id,text,state\n" + body))
    assert columns == ["id", "text", "state"]
    assert [row[:-1] for row in rows] == records


def test_many_odd_lines_in_a_big_file(tmp_path: Path) -> None:
    """Line numbers hold over every block that a parallel reader cuts a file into."""
    lines, wanted, bad = ["id,text,n"], [], []
    for number in range(60_000):
        at = len(lines) + 1
        if number % 997 == 0:
            lines.append(f"{number},short")
            bad.append(at)
        elif number % 101 == 0:
            lines += [f'{number},"two', 'lines ""quoted""",7']
            wanted.append((str(number), 'two\nlines "quoted"', "7", at))
        else:
            lines.append(f"{number},some text that is as long as a line of text usually is,{number % 7}")
            wanted.append((str(number), "some text that is as long as a line of text usually is", str(number % 7), at))
    read = reading(tmp_path, "\n".join(lines) + "\n")
    assert landed(read)[1] == wanted
    assert [line for line, _, _ in refused(read)] == bad
