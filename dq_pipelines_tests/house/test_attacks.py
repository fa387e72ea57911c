"""docs/attacks.md: the tests that it names are there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[2]
_ROWS = [line for line in (_ROOT / "docs" / "attacks.md").read_text("utf-8").splitlines() if line.startswith("| ")][1:]


@pytest.mark.parametrize("row", _ROWS, ids=lambda row: row[2:50])
def test_each_attack_has_a_test(row: str) -> None:
    held = row.rstrip(" |").rpartition(" | ")[2]
    assert "`" in held or held.startswith("the same"), "a row says which test holds it"
    file = None
    for name in re.findall(r"`([^`]+)`", held):
        path, _, test = name.partition("::") if ".py" in name else ("", "", name)
        if path:
            file = _ROOT / "dq_pipelines_tests" / path
            assert file.is_file(), path
        if test and test.startswith("test_"):
            assert file is not None, f"{test} of which file?"
            assert f"def {test}(" in file.read_text("utf-8"), f"{test} in {file.name}"
