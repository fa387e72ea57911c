"""A pattern that is translated finds in every engine what Python's `re.search` finds; the others are Python's own."""

from __future__ import annotations

import re

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dq_pipelines.rules.core.regex import translated

#: Letters on which dialects differ: final newlines, separators, digits and letters of other scripts, marks,
#: case pairs outside ASCII, characters that mean something in a pattern.
LETTERS = "aAbBiIkKsS019_- .\n\r\t\x1c\x85\xa0\u2028é\u0301\u0131İ\u212a\u017fßµμΣς²½٣日\U0001f600$^\\|[](){}*+?/#&~'\""
TEXTS = st.lists(st.text(LETTERS, max_size=6), min_size=1, max_size=20)

ATOMS = [
    "a", "B", "k", "é", "\u0131", "µ", ".", r"\d", r"\D", r"\w", r"\W", r"\s", r"\S", "[ab]", "[^ab]", "[a-z]", "[A-K0-9_]",
    r"[\w-]", r"[^\w\s]", r"[\d.]", r"[^\S\n]", r"[\W_]", "[é-ü]", "[]a]", r"[\]\\^-]", "^", "$", r"\A", r"\Z", r"\b",
    r"\.", r"\n", r"\x41", r"\u00e9", "#", " ", "&&", "[a&&b]", "[[a]", "~", "(?=a)", r"(a)\1", "(?!b)", "(?<=a)",
    "(?i:k)", "(?-i:k)", "(?s:.)", "{", "a{,2}", "a{2}", "(?>a)", "a*+",
]  # fmt: skip
PATTERNS = st.recursive(
    st.sampled_from(ATOMS),
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=4).map("".join),
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: f"(?:{'|'.join(parts)})"),
        inner.map(lambda part: f"({part})"),
        st.tuples(inner, st.sampled_from(["*", "+", "?", "{2}", "{1,3}", "{,2}", "*?", "+?"])).map(
            lambda pair: f"(?:{pair[0]}){pair[1]}"
        ),
    ),
    max_leaves=6,
)
FLAGS = st.sampled_from(["", "", "(?i)", "(?m)", "(?s)", "(?a)", "(?im)", "(?x)", "(?ia)"])


def found_by_python(pattern: str, texts: list[str]) -> list[bool]:
    return [re.search(pattern, text) is not None for text in texts]


@pytest.mark.filterwarnings("ignore:Possible (nested set|set):FutureWarning")
@given(FLAGS, PATTERNS, TEXTS)
def test_a_translated_pattern_finds_what_python_finds(flags: str, body: str, texts: list[str]) -> None:
    pattern = flags + body
    try:
        expected = found_by_python(pattern, texts)
    except re.error:
        return
    native = translated(pattern)
    if native is not None:
        assert pl.Series(texts).str.contains(native).to_list() == expected, (pattern, native)


@pytest.mark.parametrize(
    "pattern",
    [r"^[a-z ]+$", r"^\d{4}-\d{2}-\d{2}$", r"^[\w.+-]+@[\w-]+\.[\w.-]+$", r"^(N|S)\d+[A-Z]{0,2}$", "(?i)^usd|eur$"],
)
def test_everyday_patterns_run_in_the_engine(pattern: str) -> None:
    assert translated(pattern) is not None


@pytest.mark.parametrize(
    "pattern", [r"(.)\1", r"(?=.*\d)a", r"(?<!a)b", r"\bword\b", r"a$\n", "(?>a+)b", "(?i)É", r"\w{400}", r"[\W\d]"]
)
def test_patterns_without_an_equal_are_left_to_python(pattern: str) -> None:
    assert translated(pattern) is None


@pytest.mark.parametrize("pattern", [r"^\w{1,90}$", r"^\d{1000}$", r"^[^\n]{0,1000}$", r"^(\w+\s){1,40}\w+$"])
def test_what_is_translated_is_not_too_large_for_the_engine(pattern: str) -> None:
    native = translated(pattern)
    assert native is None or pl.Series(["a"]).str.contains(native).to_list() in ([True], [False])
