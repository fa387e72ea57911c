"""What the editor of YAML proposes at each place of a text, as data: `|` is the caret."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page

from dq_pipelines.web.dashboard.files import SCHEMA, content
from dq_pipelines_tests.chromium import chromium

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.xdist_group("browser")]

_RULE = "silver:\n  columns:\n    amount: double\n  rules:\n"
#: Text -> the place of the caret, whether a value is typed there, and words that are proposed first or among others.
CASES: list[tuple[str, str, bool, list[str]]] = [
    ("des|", "", False, ["description"]),
    ("source: {ty|", "source", False, ["type"]),
    ("source: {type: |", "source/type", True, ["csv", "delta", "excel"]),
    ("source: {type: csv, del|", "source", False, ["delimiter"]),
    ("source:\n  type: csv\n  del|", "source", False, ["delimiter"]),
    ("source:\n  hea|\n  type: excel", "source", False, ["header_row"]),
    ("silver:\n  |", "silver", False, ["keys", "write", "columns", "rules"]),
    ("silver:\n  columns:\n    id: |", "silver/columns/id", True, ["string", "int64"]),
    ("silver:\n  columns:\n    id: {type: in|", "silver/columns/id/type", True, ["int64"]),
    ("silver: {columns: {id: in|", "silver/columns/id", True, ["int64"]),
    ("silver: {columns: {id: int64}, ru|", "silver", False, ["rules"]),
    (f"{_RULE}    - {{ty|", "silver/rules/[]", False, ["type"]),
    (f"{_RULE}    - ty|", "silver/rules/[]", False, ["type"]),
    (
        f"{_RULE}  - type: expect_column_values_to_be_b|",
        "silver/rules/[]/type",
        True,
        ["expect_column_values_to_be_between"],
    ),
    (f"{_RULE}    - {{type: expect_column_values_to_be_between, mi|", "silver/rules/[]", False, ["min_value"]),
    (f"{_RULE}    - type: expect_column_values_to_be_between\n      mi|", "silver/rules/[]", False, ["min_value"]),
    (
        f"{_RULE}    - {{type: expect_column_values_to_not_be_null, severity: w|",
        "silver/rules/[]/severity",
        True,
        ["warning"],
    ),
    (
        f"{_RULE}    - {{type: expect_column_values_to_be_in_set, column: |, value_set: [a]}}",
        "silver/rules/[]/column",
        True,
        [],
    ),
    (
        f"{_RULE}    - {{type: expect_column_values_to_be_unique, column: a}}\n    - |",
        "silver/rules/[]",
        False,
        ["type"],
    ),
    ("silver:\n  keys: [i|", "silver/keys/[]", True, []),
    ("silver:\n  transform:\n    - deduplicate: {by: [a], ke|", "silver/transform/[]/deduplicate", False, ["keep"]),
    ("on_arrival: |", "on_arrival", True, ["true", "false"]),
    ("gold:\n  s|", "gold", False, ["sql"]),
]


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    with chromium() as browser:
        made = browser.new_page()
        for name in ("yaml_schema.js", "yaml_place.js"):
            made.add_script_tag(content=content(name).decode())
        made.evaluate("(text) => { window.root = JSON.parse(text); }", content(SCHEMA).decode())
        yield made


def asked(page: Page, text: str) -> Any:
    return page.evaluate(
        """([text, caret]) => { const at = dqYamlPlace.of(text, caret);
        if (at === null) return null;
        const words = (at.value ? dqYaml.listed : dqYaml.keys)(root, at.path, at.types).map((one) => one.text);
        return { path: at.path.join('/'), value: at.value, words: words.filter((one) => one.startsWith(at.word)) }; }""",
        [text.replace("|", ""), text.index("|")],
    )


@pytest.mark.parametrize(("text", "path", "value", "words"), CASES)
def test_what_is_proposed_where(page: Page, text: str, path: str, value: bool, words: list[str]) -> None:
    found = asked(page, text)
    assert (found["path"], found["value"]) == (path, value)
    assert set(words) <= set(found["words"])


@pytest.mark.parametrize("text", ["# comm|", "silver: {}  # wri|"])
def test_nothing_is_proposed_in_a_comment(page: Page, text: str) -> None:
    assert asked(page, text) is None


def test_options_of_another_type_are_not_proposed(page: Page) -> None:
    assert asked(page, "source: {type: excel, del|")["words"] == []
    assert "min_value" not in asked(page, f"{_RULE}    - {{type: expect_column_values_to_not_be_null, mi|")["words"]


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        ('silver:\n  columns:\n    id: int64\n    "a b": {type: string}\n    # x\n  rules: []\n', ["id", "a b"]),
        ("silver: {columns: {id: int64, name: string}}", ["id", "name"]),
        ("silver: {}", []),
    ],
)
def test_declared_columns_are_found(page: Page, text: str, columns: list[str]) -> None:
    assert page.evaluate("(text) => dqYamlPlace.columns(text)", text) == columns
