"""`type: python`: the user's function is imported, checked before data are seen, and judged like any other rule."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import dq_pipelines as dq
from dq_pipelines.errors import ConfigError

MODULE = """
import narwhals as nw

LIMIT = 3

def within(value, *, limit):
    return value <= limit

def ordered(*values):
    return nw.all_horizontal(*(a <= b for a, b in zip(values, values[1:])), ignore_nulls=False)

def own_columns():
    return nw.col("a") != nw.col("b")

def number(value):
    return value + 1

def nothing(value):
    return True

def raises(value):
    raise KeyError("no such thing")

def other_column(value):
    return nw.col("nowhere") > value

def words(value):
    return value.str.len_chars() > 1
"""

FRAME = pl.DataFrame({"a": [1, 5, None, 2], "b": [1, 6, 3, 1], "f": [1.0, float("nan"), None, 9.0]})


@pytest.fixture(autouse=True)
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    (tmp_path / "shop_rules.py").write_text(MODULE, encoding="utf-8")
    (tmp_path / "broken_rules.py").write_text("import nothing_of_that_name\n", encoding="utf-8")
    (tmp_path / "halved_rules.py").write_text("def f(:\n", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    for name in ("shop_rules", "broken_rules", "halved_rules"):
        sys.modules.pop(name, None)


def rule(function: str, **given: Any) -> dict[str, Any]:
    return {"type": "python", "function": f"shop_rules:{function}", **given}


@pytest.mark.parametrize(
    ("given", "counts"),
    [
        (rule("within", column="a", arguments={"limit": 3}), (4, 1, 1)),
        (rule("within", column="f", arguments={"limit": 3}), (4, 2, 1)),  # NaN is missing, as everywhere
        (rule("within", column="a", arguments={"limit": 3}, row_condition="b > 1"), (2, 1, 1)),
        (rule("ordered", column_list=["a", "b"]), (4, 0, 1)),  # null is no failure
        (rule("own_columns"), (4, 0, 1)),
        (rule("own_columns", row_condition="b < 2"), (2, 0, 1)),
    ],
)
def test_it_judges_rows_as_other_rules_do(given: dict[str, Any], counts: tuple[int, int, int]) -> None:
    (result,) = dq.validate(FRAME, [given]).results
    assert result.error is None
    assert (result.element_count, result.missing_count, result.unexpected_count) == counts


def test_policy_is_that_of_other_rules() -> None:
    given = rule("within", column="a", arguments={"limit": 3})
    verdict = dq.validate(FRAME, [given])
    (refused,) = verdict.refused.collect().to_dicts()
    assert refused["_reasons"] == [{"rule": "python", "column": "a", "value": "5"}]
    assert dq.validate(FRAME, [{**given, "mostly": 0.6}]).success
    assert dq.validate(FRAME, [{**given, "severity": "warning"}]).refused.collect().is_empty()
    own = dq.validate(FRAME, [rule("own_columns")]).refused.collect()
    assert own["_reasons"].to_list() == [[{"rule": "python", "column": None, "value": None}]]


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (
            {"type": "python", "function": "shop_rule:within"},
            "shop_rule:within: no module 'shop_rule' (nearest: shop_rules)",
        ),
        (rule("withn", column="a"), "shop_rules:withn: module 'shop_rules' has no 'withn' (nearest: within)"),
        (rule("LIMIT", column="a"), "shop_rules:LIMIT: wanted a function, got int"),
        (rule("within", column="a", arguments={"limt": 3}), "(nearest: limit)"),
        (rule("within", arguments={"limit": 3}), "missing a required argument: 'value'"),
        (rule("ordered", column="a", column_list=["b"]), "wanted one of column and column_list, got both"),
        ({"type": "python", "function": "os.system('x')"}, "wanted package.module:name, got \"os.system('x')\""),
        ({"type": "python", "function": "broken_rules:f"}, "importing broken_rules raised ModuleNotFoundError"),
        ({"type": "python", "function": "halved_rules:f"}, "importing halved_rules raised SyntaxError"),
        ({"type": "python"}, "missing key 'function'"),
    ],
)
def test_what_is_wrong_is_said_when_the_rule_is_read(given: dict[str, Any], sentence: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        dq.validate(FRAME, [given])
    assert sentence in str(caught.value)
    (tmp_path / "rules.yaml").write_text(f"# rules\n- {given!r}\n", encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        dq.validate(FRAME, tmp_path / "rules.yaml")
    assert str(caught.value).startswith(f"{tmp_path / 'rules.yaml'}:2: ")


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (rule("number", column="a"), "shop_rules:number: wanted a Boolean expression, got one of Int64"),
        (rule("nothing", column="a"), "shop_rules:nothing: wanted a Narwhals expression, got bool"),
        (rule("raises", column="a"), "shop_rules:raises raised KeyError: 'no such thing'"),
        (rule("words", column="a"), "shop_rules:words: "),
        (rule("other_column", column="a"), "nowhere"),
        (rule("within", column="c", arguments={"limit": 1}), "no column 'c'"),
    ],
)
def test_what_does_not_fit_the_data_is_the_results_error(given: dict[str, Any], sentence: str) -> None:
    other = {"type": "expect_column_values_to_not_be_null", "column": "b"}
    broken, sound = dq.validate(FRAME, [given, other]).results
    assert broken.error is not None
    assert sentence in broken.error
    assert (broken.success, sound.success) == (False, True)
