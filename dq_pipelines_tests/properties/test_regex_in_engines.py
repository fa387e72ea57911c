"""A pattern that is translated finds in every engine what Python's `re.search` finds; many pairs in one query."""

from __future__ import annotations

import re

import narwhals as nw
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dq_pipelines.rules.core.regex import translated
from dq_pipelines_tests.contracts.backends import NAMES, query_engine
from dq_pipelines_tests.properties.test_regex_means_what_python_means import (
    FLAGS,
    LETTERS,
    PATTERNS,
    TEXTS,
    found_by_python,
)

#: Those that are servers take their time.
ENGINES = [pytest.param(name, marks=pytest.mark.slow) if name in ("spark", "postgresql") else name for name in NAMES]

#: Many at a time: what costs is the query, not the pair.
MANY = st.lists(st.tuples(FLAGS, PATTERNS).map("".join), min_size=20, max_size=40, unique=True)


def _reads(pattern: str) -> bool:
    try:
        re.compile(pattern)
    except re.error:
        return False
    return True


@pytest.mark.parametrize("name", ENGINES)
@pytest.mark.filterwarnings("ignore:Possible (nested set|set):FutureWarning")
@settings(max_examples=max(10, settings().max_examples // 10))
@given(patterns=MANY, texts=TEXTS)
def test_every_engine_finds_what_python_finds(name: str, patterns: list[str], texts: list[str]) -> None:
    engine = query_engine(name)
    known = [(pattern, translated(pattern, engine.dialect.regex)) for pattern in patterns if _reads(pattern)]
    native = {pattern: there for pattern, there in known if there is not None}
    frame = engine.open(pl.LazyFrame({"row": range(len(texts)), "text": texts}))
    flags = {f"p{place}": nw.col("text").str.contains(there) for place, there in enumerate(native.values())}
    if not flags:
        return
    found = sorted(engine.records(frame.select("row", **flags)), key=lambda row: int(row["row"]))
    for place, (pattern, there) in enumerate(native.items()):
        assert [row[f"p{place}"] for row in found] == found_by_python(pattern, texts), (pattern, there)


@pytest.mark.parametrize("name", ENGINES)
def test_every_letter_is_of_the_classes_that_python_has_it_in(name: str) -> None:
    engine = query_engine(name)
    texts = [*LETTERS, *(chr(code) for code in range(1, 0x3000, 7)), *(chr(code) for code in range(0x1D7C0, 0x1D800))]
    if engine.dialect.regex == "java":  # Java 17 is of Unicode 13, Python 3.11 of Unicode 14: see docs/differences.md
        texts = [text for text in texts if not 0x870 <= ord(text) < 0x8A0 and text not in "\u08c8\u0c5d"]
    patterns = [r"^\d$", r"^\D$", r"^\w$", r"^\W$", r"^\s$", r"^\S$", r"^.$", r"^[^\W\d]$", "^[é-ü]$"]
    there = [translated(pattern, engine.dialect.regex) for pattern in patterns]
    flags = {f"p{place}": nw.col("text").str.contains(one) for place, one in enumerate(there) if one is not None}
    frame = engine.open(pl.LazyFrame({"row": range(len(texts)), "text": texts}))
    found = sorted(engine.records(frame.select("row", **flags)), key=lambda row: int(row["row"]))
    for flag in flags:
        pattern = patterns[int(flag[1:])]
        wrong = [
            hex(ord(text))
            for text, row in zip(texts, found, strict=True)
            if row[flag] != (re.search(pattern, text) is not None)
        ]
        assert wrong == [], pattern
