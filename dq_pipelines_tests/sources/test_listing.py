"""Which paths a pattern means: the law is a plain regex, and no pattern takes long."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dq_pipelines.errors import SourceError
from dq_pipelines.sources.listing import Glob

NAMES = st.text("ab.~$_", max_size=5)
PATHS = st.lists(NAMES, min_size=1, max_size=4).map("/".join)
PARTS = st.sampled_from(["*", "?", "a", "b", ".", "_", "~", "[ab]", "[!a]", "[^b]", "[a-b]", "[", "]", "**"])
LEVELS = st.just("**") | st.lists(PARTS, max_size=5).map("".join)
PATTERNS = st.lists(LEVELS, min_size=1, max_size=4).map("/".join)


def regex(pattern: str) -> str:
    """All of a pattern below `/in` as one regex, which tries every way there is."""
    names, found = pattern.split("/"), "/in"
    for place, name in enumerate(names):
        if name == "**":
            found += "(?:/[^/._][^/]*)*" + ("/[^/._][^/]*" if place == len(names) - 1 else "")
            continue
        found += "/" + ("" if name.startswith((".", "~")) else r"(?!\.|~\$)")
        for part in re.findall(r"\[[!^]?[^!^][^]]*\]|.", name, re.DOTALL):
            inside = re.sub(r"[\\[]", r"\\\g<0>", part[1:-1])
            if inside:
                found += f"(?!/)[^{inside[1:]}]" if inside[0] in "!^" else f"[{inside}]"
            else:
                found += {"*": "[^/]*", "?": "[^/]"}.get(part, re.escape(part))
    return found


@given(pattern=PATTERNS, path=PATHS)
@example("**/*a/**/b", "ba/_a/b")
@example("**/*.b", "a/a.b.b")
@example("a*b*ab", "abaab")
@example("**", "a/_b")
def test_a_pattern_means_what_its_regex_means(pattern: str, path: str) -> None:
    glob = Glob.of(f"/in/{pattern}")
    if glob.base == glob.path:
        assert bool(glob.matches(f"/in/{path}")) == (pattern == path)
    else:
        assert bool(glob.matches(f"/in/{path}")) == bool(re.fullmatch(regex(pattern), f"/in/{path}", re.DOTALL))


@pytest.mark.parametrize(
    ("pattern", "start", "end"),
    [
        ("?*" * 100 + ".zzz", "a" * 250, ".zzz"),
        ("*a" * 100 + "b", "a" * 250, "b"),
        ("*[ab]" * 100 + "?c", "a" * 250, "c"),
        ("**/" * 60 + "x", "/".join("a" * 100), "/x"),
        ("**/a*/" * 40 + "x", "/".join("a" * 100), "/x"),
    ],
)
def test_a_pattern_with_more_ways_than_can_be_tried_ends(pattern: str, start: str, end: str) -> None:
    """A regex that tries one way after another would try more than 2**60 of them here."""
    glob = Glob.of(f"/in/{pattern}")
    assert not glob.matches(f"/in/{start}{end[:-1]}-")
    assert glob.matches(f"/in/{start}{end}")


def test_a_set_of_characters_that_is_none_is_refused_in_a_sentence() -> None:
    with pytest.raises(
        SourceError, match=r"^/in/a\[z-a\]: wanted \*, \? and sets such as \[a-z\], got 'a\[z-a\]': bad"
    ):
        Glob.of("/in/a[z-a]")
    assert Glob.of("/in/*[!]").matches("/in/a[!]")
    assert Glob.of("/in/[a&&b[|~]").matches("/in/&")
