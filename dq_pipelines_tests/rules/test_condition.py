from __future__ import annotations

from typing import Any

import narwhals as nw
import polars as pl
import pytest

from dq_pipelines.errors import RuleError
from dq_pipelines.rules.core.columns import Columns
from dq_pipelines.rules.core.condition import Condition, condition_text

ROWS = pl.DataFrame(
    {
        "x": [1, 2, 3, None],
        "y": [3, 2, 1, 0],
        "s": ["a", "b", None, "a b"],
        "on": [True, False, None, True],
        "f": [1.0, float("nan"), None, 4.0],
        "day": pl.Series(["2026-01-01", "2026-01-02", None, "2026-01-04"]).str.to_date(),
        "Sold to": [1, 2, 3, 4],
        "or": [1, 1, 2, 2],
    }
)

MEANS: list[tuple[str, list[int]]] = [
    ("x > 1", [1, 2]),
    ("1 < x", [1, 2]),
    ('col("x") > 1', [1, 2]),
    ("0 < x <= 2", [0, 1]),
    ("x != 1", [1, 2, 3]),
    ("not x == 1", [1, 2, 3]),
    ("~(x > 1)", [0, 3]),
    ("x > 1 & y > 1", [1]),
    ("x == 1 | y == 0", [0, 3]),
    ("x == 1 or (y < 2 and s == 'a b')", [0, 3]),
    ("x in [1, 3]", [0, 2]),
    ("x == [1, 3]", [0, 2]),
    ("x not in [1, 3]", [1, 3]),
    ("x.isin([1, 3])", [0, 2]),
    ("col('x').is_not_in([1, 3])", [1, 3]),
    ("x is None", [3]),
    ("x is not None", [0, 1, 2]),
    ("x.isnull()", [3]),
    ('col("x").notnull()', [0, 1, 2]),
    ("f.isna()", [1, 2]),
    ("x > y", [2]),
    ("`Sold to` > 3", [3]),
    ("`or` == 2", [2, 3]),
    ('col("Sold to") > 3', [3]),
    ("s == 'a b'", [3]),
    ('s == "a" or s == "x & y"', [0]),
    ("on", [0, 3]),
    ("not on", [1, 2]),
    ("on == True", [0, 3]),
    ("day >= '2026-01-02'", [1, 3]),
    ('col("day") > date("2026-01-02")', [3]),
    ("x == 'a'", []),
    ("x != 'a'", [0, 1, 2, 3]),
    ("s == 1 or day == 'soon'", []),
]


def picked(text: str) -> list[int]:
    rows = nw.from_native(ROWS.with_row_index("row"))
    found: list[int] = rows.filter(Condition.parse(text).expr(Columns(rows.schema)))["row"].to_list()
    return found


@pytest.mark.parametrize(("text", "rows"), MEANS)
def test_a_condition_picks_the_rows_that_it_says(text: str, rows: list[int]) -> None:
    assert picked(text) == rows


@pytest.mark.parametrize(("text", "rows"), MEANS)
def test_a_condition_is_never_null(text: str, rows: list[int]) -> None:
    found = nw.from_native(ROWS).select(found=Condition.parse(text).expr(Columns(nw.from_native(ROWS).schema)))["found"]
    assert found.null_count() == 0
    assert found.sum() == len(rows)


@pytest.mark.parametrize(
    ("text", "columns"),
    [("x > 1 and `Sold to` < y", ("x", "Sold to", "y")), ("not col('a b').isnull()", ("a b",)), ("on", ("on",))],
)
def test_a_condition_knows_its_columns(text: str, columns: tuple[str, ...]) -> None:
    assert Condition.parse(text).columns() == columns


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("x >", "does not parse"),
        ("", "does not parse"),
        ("import os", "does not parse"),
        ("__import__('os').system('true')", "wanted a comparison"),
        ("x.map(print)", "wanted a comparison"),
        ("f(x) > 1", "wanted a comparison"),
        ("1 > 2", "wanted a comparison"),
        ("x + 1 > 2", "wanted a comparison"),
        ("x > @limit", "does not parse"),
        ("x == None", "nothing equals None, write x.isnull() or .notnull()"),
        ("x in y", "wanted a comparison"),
        ("x is 1", "wanted a comparison"),
        ("x > [1, 2]", "wanted a comparison"),
    ],
)
def test_what_is_no_condition_is_refused_in_one_sentence(text: str, sentence: str) -> None:
    with pytest.raises(ValueError, match="row_condition") as caught:
        Condition.parse(text)
    assert sentence in str(caught.value)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("Sold_to > 1", "no column 'Sold_to' (nearest: Sold to)"),
        ("x < 'a'", "column 'x' is Int64: cannot be compared with 'a'"),
        ("s > 1", "column 's' is String: cannot be compared with 1"),
        ("day > 'soon'", "column 'day' is Date: 'soon' is not one"),
        ("x > s", "cannot be compared"),
    ],
)
def test_a_condition_that_does_not_fit_the_data_says_so(text: str, sentence: str) -> None:
    with pytest.raises(RuleError) as caught:
        picked(text)
    assert sentence in str(caught.value)


def of(name: str, operator: str, parameter: Any) -> dict[str, Any]:
    return {"type": "comparison", "column": {"name": name}, "operator": operator, "parameter": parameter}


@pytest.mark.parametrize(
    ("saved", "rows"),
    [
        (of("x", ">", 1), [1, 2]),
        (of("x", "IN", [1, 3]), [0, 2]),
        (of("Sold to", "NOT_IN", [1, 3]), [1, 3]),
        (of("s", "==", "a b"), [3]),
        ({"type": "nullity", "column": {"name": "x"}, "is_null": True}, [3]),
        ({"type": "and", "conditions": [of("x", ">", 1), of("y", ">", 1)]}, [1]),
        ({"type": "or", "conditions": [of("x", "==", 1), of("y", "==", 0)]}, [0, 3]),
        ({"type": "pass_through", "pass_through_filter": "x > 1 and y > 1"}, [1]),
    ],
)
def test_a_condition_as_gx_saves_it_is_read(saved: dict[str, Any], rows: list[int]) -> None:
    assert picked(condition_text(saved)) == rows


def test_a_mapping_that_is_no_condition_is_refused() -> None:
    with pytest.raises(ValueError, match="wanted text or a condition as GX saves it"):
        condition_text({"type": "sometimes"})
