"""docs/asvs.md: each requirement of levels 1 and 2 stands there once, and what it names is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[2]
_ROWS = [
    [cell.strip() for cell in line.strip("|").split(" | ")]
    for line in (_ROOT / "docs" / "asvs.md").read_text("utf-8").splitlines()
    if re.match(r"\| [0-9]+\.[0-9]+\.[0-9]+ ", line)
]

#: The levels of each section's requirements in their order, from the standard's own list (OWASP ASVS 5.0.0, CC BY-SA 4.0).
LEVELS = {
    "1.1": "22", "1.2": "1111122223", "1.3": "112222222223", "1.4": "222", "1.5": "123", "2.1": "122", "2.2": "112",
    "2.3": "12223", "2.4": "23", "3.1": "3", "3.2": "113", "3.3": "12223", "3.4": "11222233", "3.5": "11122333",
    "3.6": "3", "3.7": "22333", "4.1": "12233", "4.2": "23333", "4.3": "22", "4.4": "1222", "5.1": "2",
    "5.2": "112333", "5.3": "113", "5.4": "222", "6.1": "122", "6.2": "111111112222", "6.3": "11223333",
    "6.4": "112233", "6.5": "22222333", "6.6": "2223", "6.7": "33", "6.8": "2222", "7.1": "222", "7.2": "1111",
    "7.3": "22", "7.4": "11222", "7.5": "223", "7.6": "22", "8.1": "1233", "8.2": "1123", "8.3": "133", "8.4": "23",
    "9.1": "111", "9.2": "1222", "10.1": "22", "10.2": "223", "10.3": "22223", "10.4": "1111122222233333",
    "10.5": "22222", "10.6": "22", "10.7": "222", "11.1": "2233", "11.2": "22233", "11.3": "11233", "11.4": "1222",
    "11.5": "23", "11.6": "23", "11.7": "33", "12.1": "12233", "12.2": "11", "12.3": "22223", "13.1": "2333",
    "13.2": "222223", "13.3": "2233", "13.4": "1222233", "14.1": "22", "14.2": "12223333", "14.3": "122",
    "15.1": "12233", "15.2": "12233", "15.3": "1222222", "15.4": "3333", "16.1": "2", "16.2": "22222",
    "16.3": "2222", "16.4": "222", "16.5": "2223", "17.1": "23", "17.2": "22223333", "17.3": "22",
}  # fmt: skip
WANTED = {
    f"{section}.{number}": level
    for section, levels in LEVELS.items()
    for number, level in enumerate(levels, start=1)
    if level in "12"
}


def test_each_requirement_of_levels_1_and_2_stands_there_once_with_its_level() -> None:
    assert [(row[0], row[1]) for row in _ROWS] == list(WANTED.items())
    assert len(WANTED) == 253


@pytest.mark.parametrize("row", _ROWS, ids=lambda row: str(row[0]))
def test_what_is_met_names_a_test_or_a_page_and_what_is_not_says_why(row: list[str]) -> None:
    _, _, asked, standing, why = row
    assert asked
    assert standing in ("met", "not applicable", "not met")
    tests, pages = (
        re.findall(r"`([a-z_/0-9]+\.py)(?:::(test_\w+))?`", why),
        re.findall(r"\b(?:docs|deploy)/\w+\.md", why),
    )
    for path, test in tests:
        file = _ROOT / "dq_pipelines_tests" / path
        assert file.is_file(), path
        assert not test or f"def {test}(" in file.read_text("utf-8"), f"{test} in {path}"
    assert all((_ROOT / page).is_file() for page in pages), pages
    named = tests or pages or "this page" in why
    assert named if standing == "met" else len(why) > 8


def test_the_counts_are_those_of_the_rows() -> None:
    text = (_ROOT / "docs" / "asvs.md").read_text("utf-8")
    met, without, missing = ([row[3] for row in _ROWS].count(word) for word in ("met", "not applicable", "not met"))
    assert f"{met} are met, {without} do not apply, {missing} are not met." in text
