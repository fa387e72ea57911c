"""JSON and NDJSON: what was written comes back as text, and what is no JSON never gets in."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dq_pipelines.errors import SourceError
from dq_pipelines.sources import Reading, read
from dq_pipelines.sources import ndjson as ndjson_module
from dq_pipelines.sources.names import named


def reading(kind: str, path: Path, content: str | bytes, **options: Any) -> Reading:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read({"type": kind, "path": str(path), **options})


def cells(found: Reading) -> list[dict[str, Any]]:
    return found.rows.collect().to_dicts()


#: what stands in the file, what lands
TEXTS = [
    ('"a\\u0041\\n"', "aA\n"),
    ("1.10", "1.10"),
    ("1e400", "1e400"),
    ("-0", "-0"),
    ("-0.0E+2", "-0.0E+2"),
    ("12345678901234567890123", "12345678901234567890123"),
    ("true", "true"),
    ("false", "false"),
    ("null", None),
    ('""', ""),
    ('[ 1.10, "1", {"b" : [] , "c":null} ]', '[1.10,"1",{"b":[],"c":null}]'),
    ('{ "x" : 1e5, "é" : "\\"\\u0001" }', '{"x":1e5,"é":"\\"\\u0001"}'),
]


@pytest.mark.parametrize(("written", "landed"), TEXTS)
@pytest.mark.parametrize("kind", ["json", "ndjson"])
def test_a_value_lands_as_it_was_written(tmp_path: Path, kind: str, written: str, landed: str | None) -> None:
    line = f'{{"a": {written}}}'
    found = reading(kind, tmp_path / "x", f"[{line}]" if kind == "json" else line + "\n")
    assert cells(found) == [{"a": landed}]
    assert found.unreadable.collect().is_empty()


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
RECORDS = st.lists(
    st.dictionaries(st.text() | st.sampled_from(["_row", "_source", "_id", "a", "A", "_id_2"]), VALUES, max_size=4),
    max_size=8,
)


def as_text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


@given(records=RECORDS, ascii_only=st.booleans())
@pytest.mark.parametrize("kind", ["json", "ndjson"])
def test_any_records_come_back_as_text(
    tmp_path_factory: pytest.TempPathFactory, kind: str, records: list[dict[str, Any]], ascii_only: bool
) -> None:
    lines = [json.dumps(record, ensure_ascii=ascii_only) for record in records]
    content = "\n".join(lines) + "\n" if kind == "ndjson" else f"[{','.join(lines)}]"
    found = reading(kind, tmp_path_factory.mktemp("x") / "records", content)
    keys = list(dict.fromkeys(key for record in records for key in record))
    assert found.unreadable.collect().is_empty()
    names = found.rows.collect_schema().names()
    assert names == [name for _, name in named(keys)]
    assert found.landed.collect().height == len(records)
    rows = found.rows.collect()
    for key, name in zip(keys, names, strict=True):
        assert rows[name].to_list() == [as_text(record.get(key)) for record in records]


@pytest.mark.parametrize("kind", ["json", "ndjson"])
def test_a_key_that_comes_twice_loses_no_value(tmp_path: Path, kind: str) -> None:
    line = '{"a": 1, "a": 2, "b": {"c": 1, "c": [2]}, "d": 1, "d": 1}'
    found = reading(kind, tmp_path / "x", f"[{line}]" if kind == "json" else line + "\n")
    assert cells(found) == [{"a": "2", "b": '{"c":1,"c":[2]}', "d": "1", "a_2": "1"}]


#: lines that are no record, and a part of the reason
BAD_LINES = [
    ("{'a': 1}", "property name"),
    ('{"a": 1', "delimiter, got the end"),
    ('{"a": 1}}', "got more after it"),
    ('{"a": 1},', "got more after it"),
    ('{"a": 01}', "delimiter"),
    ('{"a": NaN}', "NaN"),
    ('{"a": -Infinity}', "Infinity"),
    ('{"a": "\t"}', "control character"),
    ("[1]", "wanted a JSON object, got an array"),
    ("5", "wanted a JSON object"),
    ('{"a": "\\ud800"}', "surrogate"),
    ('{"a": [{"b": "\\udc00x"}]}', "surrogate"),
    ('{"a": ' + "[" * 100_000, "nested"),
    ('{"a": ' + "[" * 700 + "]" * 700 + "}", ""),
]


@pytest.mark.parametrize(("line", "why"), BAD_LINES)
def test_a_bad_line_is_kept_apart_and_its_neighbours_go_on(tmp_path: Path, line: str, why: str) -> None:
    found = reading("ndjson", tmp_path / "x", f'{{"n": 1}}\n\n{line}\r\n{{"n": 2, "m": "é"}}')
    bad = found.unreadable.collect()
    if why:
        assert bad.select("_row", "_text").rows() == [(3, line + "\r")]
        assert why in bad["_why"][0]
    assert {1, 4} <= set(found.landed.collect()["_row"])
    assert [row["n"] for row in cells(found) if row.get("n")] == ["1", "2"]


def test_lines_that_are_json_only_together_are_bad(tmp_path: Path) -> None:
    # Two halves of one record and two records in one line: as many values as lines, none of them a line's.
    lines = ['{"a":[{"b":1}', '{"c":2}]}', '{"x":1},{"y":2}']
    found = reading("ndjson", tmp_path / "x", "\n".join(lines))
    assert found.unreadable.collect()["_text"].to_list() == lines
    assert found.landed.collect().is_empty()


def test_bytes_that_are_no_utf8_are_shown_in_the_line(tmp_path: Path) -> None:
    found = reading("ndjson", tmp_path / "x", b'{"a":"\xff"}\n{"a":"\xc3\xa9"}\n')
    assert found.unreadable.collect().select("_row", "_text").rows() == [(1, '{"a":"\\xff"}')]
    assert cells(found) == [{"a": "é"}]


def test_columns_grow_and_rows_keep_their_lines_over_many_blocks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ndjson_module, "BLOCK", 64)  # a size, so that a small file has many blocks
    lines = [json.dumps({"n": number, f"k{number % 7}": "x" * (number % 90)}) for number in range(500)]
    lines[250] = "broken"
    found = reading("ndjson", tmp_path / "x", "\n".join(lines))
    table = found.landed.collect()
    assert table.columns == ["n", *[f"k{number}" for number in range(7)], "_source", "_row"]
    assert [int(n) + 1 for n in table["n"]] == table["_row"].to_list()
    assert found.unreadable.collect()["_row"].to_list() == [251]


def test_records_are_found_by_their_path_and_rows_are_their_numbers(tmp_path: Path) -> None:
    text = '{"meta": {"items": []},\n "data": {"items": [\n{"a": 1},\n\n{"b": [2]}\n]}, "more": [1]}\n'
    for path in ("data.items", "/data/items"):
        found = reading("json", tmp_path / "x.json", text, records=path)
        assert found.landed.drop("_source").collect().rows() == [("1", None, 1), (None, "[2]", 2)]
    with pytest.raises(SourceError, match=r"wanted the key 'itms' at /data, got: items \(nearest: items\)"):
        read({"type": "json", "path": str(tmp_path / "x.json"), "records": "data.itms"})


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("5.0", [{"value": "5.0"}]),
        (
            '[1, {"a": true}, null]',
            [{"value": "1", "a": None}, {"value": None, "a": "true"}, {"value": None, "a": None}],
        ),
        ('{"a": 1}', [{"a": "1"}]),
        ("[]", []),
        ('\ufeff{"a": 1}', [{"a": "1"}]),
        ('{"a": 1, "a": 2}', [{"a": "2", "a_2": "1"}]),
    ],
)
def test_a_document_of_any_shape_is_records(tmp_path: Path, text: str, rows: list[dict[str, Any]]) -> None:
    assert cells(reading("json", tmp_path / "x", text)) == rows


@pytest.mark.parametrize("padding", [0, 1, 4, 4 * 1024**2 - 40, 4 * 1024**2 - 20, 4 * 1024**2 - 7])
def test_a_value_may_lie_across_the_edge_of_what_was_read_ahead(tmp_path: Path, padding: int) -> None:
    records = "[" + " " * padding + ",".join(['{"a":-12345.5e+10,"b":"\\ud83d\\ude00"}'] * 5) + "]"
    assert cells(reading("json", tmp_path / "x", records)) == [{"a": "-12345.5e+10", "b": "😀"}] * 5


@pytest.mark.parametrize("text", ["", " ", "[1", "[1,]", "[1]x", '{"a" 1}', "[" * 100_000, "[NaN]", "\ufeff"])
def test_what_is_no_json_is_refused_whole(tmp_path: Path, text: str) -> None:
    with pytest.raises(SourceError, match="x:1: "):
        reading("json", tmp_path / "x", text)


def test_a_broken_archive_and_another_encoding_are_refused(tmp_path: Path) -> None:
    whole = gzip.compress(b'{"a": 1}\n' * 1000)
    assert len(cells(reading("ndjson", tmp_path / "x.ndjson.gz", whole))) == 1000
    with pytest.raises(SourceError, match="truncated"):
        reading("ndjson", tmp_path / "y.ndjson.gz", whole[:-20])
    with pytest.raises(SourceError, match="UTF-16"):
        reading("ndjson", tmp_path / "x.ndjson", '{"a": 1}\n'.encode("utf-16"))
