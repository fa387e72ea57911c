"""What of a CSV file's characters separates or quotes, and what is a part of a value."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dq_pipelines_tests.sources.test_csv import landed, reading, refused


@pytest.mark.parametrize(
    "values",
    [
        ["std::map", "std::vector", "std::set"],
        ["std::map", "int", "std::set"],
        ["12|3", "12", "15|4", "9|1", "7"],
        ["hello, world", "yes", "no", "fine, thanks"],
        ["12 345 678"] * 30,
        ["a~b", "c~d"],
        ["a^b", "c", "d^e"],
    ],
)
def test_marks_within_the_values_of_one_column_separate_nothing(tmp_path: Path, values: list[str]) -> None:
    read = reading(tmp_path, "\n".join(["name", *values]) + "\n")
    assert landed(read) == (["name"], [(value, row) for row, value in enumerate(values, 2)])
    assert refused(read) == []


_PART = st.text("ab", max_size=3)
_VALUE = st.tuples(_PART, st.sampled_from(["", "::", "~", "^", "§", "¦"]), _PART).map("".join).filter(bool)


@given(st.lists(_VALUE, min_size=1, max_size=30))
def test_rare_marks_that_the_header_has_not_are_parts_of_values(
    tmp_path_factory: pytest.TempPathFactory, values: list[str]
) -> None:
    read = reading(tmp_path_factory.mktemp("x"), "\n".join(["name", *values]) + "\n")
    columns, rows = landed(read)
    assert columns == ["name"]
    assert [value for value, _ in rows] == values


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        ("Report of May\n\na,b\n1,2\n3,4\n", ["a", "b"]),
        ("Report of May\na|b\n1|2\n3|4\n", ["a", "b"]),
        ("a::b\n1::2\n3::4\n", ["a", "b"]),
    ],
)
def test_a_title_above_a_table_makes_no_column_of_it(tmp_path: Path, text: str, columns: list[str]) -> None:
    read = reading(tmp_path, text)
    assert landed(read)[0] == columns
    assert [row[:2] for row in landed(read)[1]] == [("1", "2"), ("3", "4")]


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        # a part of the value
        ("id,name\n1,'quoted'\n2,plain\n", [("1", "'quoted'"), ("2", "plain")]),
        ("id,name\n1,'quoted'\n", [("1", "'quoted'")]),
        ("id,name\n1,'quoted'\n2,\"pl,ain\"\n", [("1", "'quoted'"), ("2", "pl,ain")]),
        ("name\n'quoted'\nplain\n", [("'quoted'",), ("plain",)]),
        # quotes
        ("id,name\n1,'a'\n2,\n3,'c'\n4,NULL\n", [("1", "a"), ("2", None), ("3", "c"), ("4", "NULL")]),
        ("'id','name'\n1,'a'\n2,b\n", [("1", "a"), ("2", "b")]),
        ("id,name\n1,'quo,ted'\n2,plain\n", [("1", "quo,ted"), ("2", "plain")]),
    ],
)
def test_apostrophes_are_quotes_of_a_column_or_parts_of_a_value(
    tmp_path: Path, text: str, rows: list[tuple[str | None, ...]]
) -> None:
    assert [row[:-1] for row in landed(reading(tmp_path, text))[1]] == rows


@pytest.mark.parametrize("quote", ["auto", ""])
@given(st.lists(st.tuples(*[st.sampled_from(["\ufeff1", "\ufeff", "x\ufeff", "x", "\ufeffy\ufeff"])] * 2), max_size=5))
def test_a_byte_order_mark_in_a_cell_stays(
    tmp_path_factory: pytest.TempPathFactory, quote: str, rows: list[tuple[str, str]]
) -> None:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows([("a", "b"), *rows])
    read = reading(tmp_path_factory.mktemp("x"), out.getvalue(), quote=quote, delimiter=",", header_rows=1)
    assert [row[:-1] for row in landed(read)[1]] == rows


@pytest.mark.parametrize("first", ["x396,b,985957", "7,b,2024-01-02"])
@pytest.mark.parametrize("wide", [["1,a,2,3", "2,b,3,4"], ["1,a,2,", "2,b,3,", "3,c,4,5"]])
def test_a_record_with_fewer_fields_than_most_is_no_header(first: str, wide: list[str], tmp_path: Path) -> None:
    read = reading(tmp_path, "\n".join(["id,kind,amount", first, *wide]) + "\n")
    assert landed(read) == (["id", "kind", "amount"], [(*first.split(","), 2)])
    assert [row[1] for row in refused(read)] == wide
