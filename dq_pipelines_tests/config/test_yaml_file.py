"""One YAML file: what it gives, where it says it, and one located sentence for everything that can be wrong."""

from __future__ import annotations

import datetime as dt
import math
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from dq_pipelines.config.yaml_file import MAX_DEPTH, YamlFile, read_yaml
from dq_pipelines.errors import ConfigError


def reading(folder: Path, content: str | bytes, **environment: str) -> YamlFile:
    path = folder / "a.yaml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_yaml(path, "a.yaml", environment)


def problems(folder: Path, content: str | bytes, **environment: str) -> list[str]:
    try:
        return [str(problem) for problem in reading(folder, content, **environment).problems]
    except ConfigError as error:
        return [str(problem) for problem in error.problems]


BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 10)}]\n" for level in range(1, 8)
)

WRONG: dict[str, tuple[str | bytes, list[str]]] = {
    "empty": ("", ["a.yaml: wanted a mapping, got an empty file"]),
    "comments only": ("# nothing\n", ["a.yaml: wanted a mapping, got an empty file"]),
    "a list": ("# x\n- 1\n", ["a.yaml:2: wanted a mapping, got a list"]),
    "a scalar": ("just text\n", ["a.yaml:1: wanted a mapping, got a single value"]),
    "two documents": ("a: 1\n---\nb: 2\n", ["a.yaml:2: wanted one YAML document, got a second one"]),
    "duplicate": ("a: 1\nb: 2\na: 3\n", ["a.yaml:3: duplicate key 'a': it stands in line 1 already"]),
    "two duplicates": (
        "a: {x: 1, x: 2}\nb: [{y: 1,\n y: 2}]\n",
        ["a.yaml:1: duplicate key 'x': it stands in line 1 already", "a.yaml:3: duplicate key 'y': it stands in line 2 already"],
    ),
    "duplicate, once quoted": ("a: 1\n'a': 2\n", ["a.yaml:2: duplicate key 'a': it stands in line 1 already"]),
    "tab": ("a:\n\tb: 1\n", ["a.yaml:2: wanted spaces to indent, got a tab"]),
    "latin-1": (b"a: 1\nb: caf\xe9\n", ["a.yaml:2: wanted UTF-8, got the byte 0xe9"]),
    "UTF-16": ("a: 1\n".encode("utf-16"), ["a.yaml:1: wanted UTF-8, got UTF-16"]),
    "control character": ("a: 1\nb: é\nc: \x01\n", ["a.yaml:3: wanted printable text, got the character U+0001"]),
    "unclosed list": ("a: [1,\n  2\nb: 3\n", ["a.yaml:3: wanted ',' or ']' to go on with or close what line 1 opened"]),
    "unclosed quote": ("a: 'x\nb: 1\n", ["a.yaml:3: wanted the closing quote of the text that begins in line 1, got the end"]),
    "second colon": ("a: b: c\n", ["a.yaml:1: wanted no second ':' here (quote the text, or indent as the lines above)"]),
    "bad indent": ("a:\n  b: 1\n c: 2\n", ["a.yaml:3: wanted a key, indented as the others of its mapping"]),
    "an at": ("a: @x\n", ["a.yaml:1: wanted a value, got '@' (quote it, if it is text)"]),
    "bad escape": ('a: "\\d+"\n', ["a.yaml:1: wanted an escape that YAML knows (use single quotes for a regex)"]),
    "unknown alias": ("a: 1\nb: *x\n", ["a.yaml:2: wanted an anchor &x above, found none"]),
    "contains itself": ("a: &x [1, *x]\n", ["a.yaml:1: wanted a value, got *x, which contains itself"]),
    "bomb": (BOMB, ["a.yaml:1: wanted at most 100,000 values, got aliases that make more"]),
    "deep": ("a: " + "[" * 5_000, [f"a.yaml:1: wanted at most {MAX_DEPTH} levels, got deeper nesting"]),
    "deep by aliases": (
        "a0: &a0 [" + "[" * 40 + "]" * 41 + "\nb: &b " + "[" * 30 + "*a0" + "]" * 30 + "\n",
        [f"a.yaml:1: wanted at most {MAX_DEPTH} levels, got aliases that nest deeper"],
    ),
    "long": ("a:\n" + "- 1\n" * 100_001, ["a.yaml:99999: wanted at most 100,000 values, got more"]),
    "code": (
        "a: !!python/object/apply:os.system [ls]\n",
        ["a.yaml:1: wanted no tag, got !!python/object/apply:os.system"],
    ),
    "code in a scalar": (
        "a: !env HOME\n",
        ["a.yaml:1: wanted no tag but !!str, !!int, !!float, !!bool, !!null or !!timestamp, got !env"],
    ),
    "a tag that lies": ("a: !!int x\n", ["a.yaml:1: wanted !!int, got 'x'"]),
    "octal": ("a: [1,\n 0123]\n", ["a.yaml:2: wanted '0123' in quotes or a number without leading zeros, got 0123"]),
    "no such day": (
        "a: 2026-02-30\n",
        ["a.yaml:1: wanted a date, or text in quotes, got 2026-02-30: day is out of range for month"],
    ),
    "a list as a key": ("? [a]\n: 1\n", ["a.yaml:1: wanted text as a key, got a list or a mapping"]),
    "merge of text": ("a:\n  <<: x\n", ["a.yaml:2: wanted a mapping behind <<, got something else"]),
    "no such variable": (
        "a: 1\nb: ${DQ_LANDNG}/x\n",
        ["a.yaml:2: wanted the environment variable DQ_LANDNG, found none (nearest: DQ_LANDING)"],
    ),
    "foreign names stay unsaid": ("a: ${AWS_SECRT}\n", ["a.yaml:1: wanted the environment variable AWS_SECRT, found none"]),
    "no name": (
        "a: ${1}\n",
        ["a.yaml:1: wanted ${NAME} or ${NAME:-default}, got '${1}' (write $${ for the characters ${)"],
    ),
    "nested default": (
        "a: ${A:-${B}}\n",
        ["a.yaml:1: wanted ${NAME} or ${NAME:-default}, got '${A:-${B}' (write $${ for the characters ${)"],
    ),
    "everything at once": (
        "a: 0123\nb: ${NOPE}\nb: 1\n",
        [
            "a.yaml:1: wanted '0123' in quotes or a number without leading zeros, got 0123",
            "a.yaml:2: wanted the environment variable NOPE, found none",
            "a.yaml:3: duplicate key 'b': it stands in line 2 already",
        ],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_said_with_its_line(name: str, tmp_path: Path) -> None:
    content, expected = WRONG[name]
    assert problems(tmp_path, content, AWS_SECRET="x") == expected


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"^gone: wanted to read the file, got: No such file or directory$"):
        read_yaml(tmp_path / "gone", "gone")


UTC = dt.UTC
SCALARS: tuple[tuple[str, Any], ...] = (
    ("no", "no"), ("NO", "NO"), ("yes", "yes"), ("on", "on"), ("off", "off"), ("y", "y"),
    ("true", True), ("False", False), ("TRUE", True), ("tRUE", "tRUE"),
    ("null", None), ("~", None), ("", None), ("None", "None"),
    ("12", 12), ("-7", -7), ("+7", 7), ("0", 0), ("0o17", 15), ("0x1F", 31), ("1_000", "1_000"),
    ("12:30", "12:30"), ("1:2:3", "1:2:3"), ("12e", "12e"), ("1e3", 1000.0), ("-.5", -0.5), ("1.", 1.0), ("1.5E-2", 0.015),
    (".inf", math.inf), ("-.INF", -math.inf), ("inf", "inf"), ("nan", "nan"), ("1.2.3", "1.2.3"), ("+", "+"),
    ("2026-10-01", dt.date(2026, 10, 1)), ("2026-1-1", "2026-1-1"), ("20261001", 20261001),
    ("2026-10-01T12:30:00", dt.datetime(2026, 10, 1, 12, 30)),  # noqa: DTZ001 - as it stands
    ("2026-10-01 12:30:00Z", dt.datetime(2026, 10, 1, 12, 30, tzinfo=UTC)),
    ("'2026-10-01'", "2026-10-01"), ("'0123'", "0123"), ("'true'", "true"), ('"1"', "1"),
    ("!!str 0123", "0123"), ("!!str true", "true"), ("!!float 1", 1.0), ("!!int 0x10", 16), ("! 12", "12"),
    ("9" * 500, "9" * 500),
)  # fmt: skip


@pytest.mark.parametrize(("text", "value"), SCALARS)
def test_scalars_follow_yaml_1_2(text: str, value: Any, tmp_path: Path) -> None:
    found = reading(tmp_path, f"a: {text}\n").value["a"]
    assert (found, type(found)) == (value, type(value))


def test_nan_is_a_number(tmp_path: Path) -> None:
    assert math.isnan(reading(tmp_path, "a: .nan\n").value["a"])


def test_keys_are_text(tmp_path: Path) -> None:
    assert reading(tmp_path, "2024: 1\nno: 2\ntrue: 3\n~: 4\n0123: 5\n").value == {
        "2024": 1,
        "no": 2,
        "true": 3,
        "~": 4,
        "0123": 5,
    }


def test_anchors_aliases_and_merges(tmp_path: Path) -> None:
    text = "a: &money {type: decimal, x: 1}\nb: *money\nc:\n  <<: *money\n  x: 2\nd: {<<: [{p: 1}, {p: 2, q: 3}]}\n"
    money = {"type": "decimal", "x": 1}
    assert reading(tmp_path, text).value == {"a": money, "b": money, "c": {**money, "x": 2}, "d": {"p": 1, "q": 3}}


def test_lines_of_keys_items_and_blocks(tmp_path: Path) -> None:
    found = reading(tmp_path, "a: 1\nb:\n  - x: 1\n  - y: |\n      select 1\n      from t\n    z: [1,\n 2]\n")
    assert [found.line(place) for place in [("a",), ("b",), ("b", 0), ("b", 0, "x"), ("b", 1), ("b", 1, "z", 1)]] == [
        1,
        2,
        3,
        3,
        4,
        8,
    ]
    assert found.line(("b", 1, "nowhere", 5)) == 4
    assert found.line(("nowhere",)) == 1
    assert found.blocks == {("b", 1, "y"): 5}


INTERPOLATED: tuple[tuple[str, dict[str, str], str], ...] = (
    ("${DQ_LANDING}/x", {}, "landing/x"),
    ("${DQ_LANDING}/x", {"DQ_LANDING": ""}, "landing/x"),
    ("${DQ_LANDING}/x", {"DQ_LANDING": "/in"}, "/in/x"),
    ("${DQ_LAKE}", {}, "lake"),
    ("${A}${B}", {"A": "1", "B": "2"}, "12"),
    ("${A}", {"A": "true"}, "true"),
    ("${A}", {"A": ""}, ""),
    ("${A:-x y}", {}, "x y"),
    ("${A:-x}", {"A": ""}, "x"),
    ("${A:-}", {}, ""),
    ("$${A} $A {A}", {"A": "1"}, "${A} $A {A}"),
    ("^a$", {}, "^a$"),
)


@pytest.mark.parametrize(("text", "environment", "value"), INTERPOLATED)
@pytest.mark.parametrize("style", ["a: {}", "a: '{}'", 'a: "{}"', "a: |-\n  {}"])
def test_interpolation(text: str, environment: dict[str, str], value: str, style: str, tmp_path: Path) -> None:
    assert reading(tmp_path, style.replace("{}", text) + "\n", **environment).value == {"a": value}


def test_keys_are_not_interpolated(tmp_path: Path) -> None:
    assert reading(tmp_path, "'${A}': 1\n", A="x").value == {"${A}": 1}


SECRET = "hunter2-and-more"
MESSAGES = (
    (f"wanted a number, got '{SECRET}'", "wanted a number, got '${PASSWORD}'"),
    (f"wanted a number, got '{SECRET[:9]}...", "wanted a number, got '${PASSWORD}'"),
    (f"unknown type '{SECRET}'", "unknown type '${PASSWORD}'"),
    (f"no {SECRET[3:12]} here", "wanted another value than '${PASSWORD}' gives"),
    ("wanted a number, got a list", "wanted a number, got a list"),
)


@pytest.mark.parametrize(("message", "said"), MESSAGES)
def test_what_a_variable_gives_is_never_said(message: str, said: str, tmp_path: Path) -> None:
    found = reading(tmp_path, "a:\n  b: '${PASSWORD}'\n", PASSWORD=SECRET)
    assert found.problem(("a", "b"), message).message == said
    assert found.problem(("a",), message).message == said
    assert SECRET not in repr(found.problems)


@given(secret=st.text(min_size=6, max_size=80), cut=st.integers(1, 80))
def test_no_telling_piece_of_a_secret_is_said(secret: str, cut: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    if "\x00" in secret or not secret.isprintable():
        secret = "a" + secret.encode("unicode_escape").decode()
    found = reading(tmp_path_factory.getbasetemp(), "a: '${S}'\n", S=secret)
    for message in (
        f"wanted x, got {secret!r}",
        f"wanted x, got {secret!r:.{cut}}...",
        f"no {secret} there",
        f"{secret[:cut]}",
    ):
        said = found.problem(("a",), message).message.replace("${S}", "")
        assert not any(
            secret[at : at + 6] in said.replace("wanted another value than '' gives", "")
            for at in range(len(secret) - 5)
        )


@given(content=st.binary(max_size=200))
def test_any_bytes_end_in_a_mapping_or_a_sentence(content: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    assert all(problem.startswith("a.yaml") for problem in problems(tmp_path_factory.getbasetemp(), content))


PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text("abc$:#'\" \n-{}é", max_size=8)
    | st.dates(),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text("abcé -", min_size=1, max_size=5), inner, max_size=3)
    ),
    max_leaves=10,
)


@given(value=st.dictionaries(st.text("abc", min_size=1), PLAIN, min_size=1))
def test_what_yaml_writes_is_read_back(value: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> None:
    text = yaml.safe_dump(value, allow_unicode=True)
    if "${" not in text:
        assert reading(tmp_path_factory.getbasetemp(), text).value == value
