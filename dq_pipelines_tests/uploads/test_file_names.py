"""Names of uploads: what a person calls a file is taken, and what means another place or looks like another name is not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dq_pipelines.errors import ConfigError
from dq_pipelines.uploads.file_names import KINDS, kind_of_name, objection


@pytest.mark.parametrize("name", ["a.csv", "Umsätze März 2026.xlsx", "売上.parquet", "v1.2 (final).JSONL", "a-b_c.tsv"])
def test_names_that_people_give_are_taken(name: str) -> None:
    assert kind_of_name(name).source in {"csv", "excel", "ndjson", "parquet"}


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("../x.csv", "begins with '.'"),
        ("a/../../x.csv", "without a folder"),
        ("a\\x.csv", "without a folder"),
        ("/etc/passwd.csv", "without a folder"),
        ("C:x.csv", "without a folder"),
        ("a*.csv", "a pattern"),
        ("a[1].csv", "a pattern"),
        (".hidden.csv", "pass over"),
        ("_delta_log.csv", "pass over"),
        ("~$book.xlsx", "pass over"),
        ("CON", "device"),
        ("con.csv", "device"),
        ("LPT1.x.csv", "device"),
        ("a\x00.csv", "U+0000"),
        ("a\n.csv", "U+000A"),
        ("a\u202evsc.csv", "U+202E"),
        ("a\u200b.csv", "U+200B"),
        ("a\udc80.csv", "U+DC80"),
        (" a.csv", "blanks"),
        ("a.csv.", "a point"),
        ("", "blanks"),
        ("x" * 300 + ".csv", "at most 200 bytes"),
        ("ä" * 110 + ".csv", "at most 200 bytes"),
        ("a.csv.exe", "ending in"),
        ("a", "ending in"),
        ("a.xlsm", "ending in"),
        ("a.csv.gz", "ending in"),
    ],
)
def test_other_names_are_refused_with_the_reason(name: str, why: str) -> None:
    with pytest.raises(ConfigError, match="file: wanted") as refused:
        kind_of_name(name)
    assert why in str(refused.value)
    assert str(refused.value).isprintable()


@given(st.text(max_size=300))
def test_a_taken_name_is_one_name_that_is_shown_as_it_is(name: str) -> None:
    if objection(name) or not any(name.lower().endswith(ending) for ending in KINDS):
        with pytest.raises(ConfigError):
            kind_of_name(name)
    else:
        assert name.isprintable() or "\xa0" in name or any(letter.isspace() for letter in name)
        assert not set(name) & set("/\\\x00*?[")
        assert name[0] not in "._~"
        assert len(name.encode()) <= 200
