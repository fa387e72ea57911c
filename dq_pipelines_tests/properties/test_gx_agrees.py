"""Great Expectations itself, on its pandas engine, is the oracle: the same rule on the same data, the same result."""

from __future__ import annotations

import math
from collections import Counter
from datetime import datetime
from typing import Any

import pandas as pd
import pytest
from hypothesis import HealthCheck, assume, given, seed, settings
from hypothesis import strategies as st

from dq_pipelines.engine.results.result_format import Format
from dq_pipelines.engine.validate import validate
from dq_pipelines_tests.properties.gx_arguments import Drawn
from dq_pipelines_tests.properties.gx_frames import Frame, frames
from dq_pipelines_tests.properties.gx_oracle import Oracle, oracle, raised
from dq_pipelines_tests.properties.gx_rules import FORMATS, RULES


@pytest.fixture(scope="module")
def gx() -> Oracle:
    return oracle()


#: What GX says of rules and data that it cannot judge; ours can. See docs/differences.md.
RAISES = {"expect_column_pair_values_to_be_in_set": "is not JSON serializable"}

COUNTS = (
    "element_count", "missing_count", "missing_percent", "unexpected_count", "unexpected_percent",
    "unexpected_percent_total", "unexpected_percent_nonmissing",
)  # fmt: skip

#: The torture profile asks for 2,000 examples of a test: 6 shards of them are 12,000. `make test` runs 250 in all.
SHARDS = 6
TORTURE = settings().max_examples >= 1_000


@pytest.mark.slow
@pytest.mark.parametrize("shard", range(SHARDS if TORTURE else 1))
def test_gx_says_the_same(gx: Oracle, shard: int) -> None:
    compared: Counter[str] = Counter()

    @settings(max_examples=settings().max_examples if TORTURE else 250, suppress_health_check=list(HealthCheck))
    @given(frame=frames(), rule=RULES, result_format=FORMATS, on_pandas=st.booleans())
    def agrees(frame: Frame, rule: Drawn, result_format: Any, on_pandas: bool) -> None:
        compare(gx, frame, rule, result_format, on_pandas=on_pandas)
        compared[rule[0]] += 1

    (agrees if TORTURE else seed(shard)(agrees))()
    print(f"{compared.total()} cases compared, {len(compared)} expectations")  # noqa: T201 - what torture reached
    assert compared.total() >= (1_900 if TORTURE else 240)


def compare(gx: Oracle, frame: Frame, rule: Drawn, result_format: Any, *, on_pandas: bool) -> None:
    name, kwargs = rule
    if result_format == "BOOLEAN_ONLY" and kwargs.get("column") == "t":
        result_format = "BASIC"  # which tells whether GX took NaT for a value
    theirs = gx(frame, name, kwargs, result_format)
    problem = raised(theirs)
    assert problem is None or RAISES.get(name, "\0") in problem, f"GX cannot judge {name}({kwargs}): {problem}"
    assume(problem is None and theirs["result"].get("observed_value") != "NaT")
    rows = frame.pandas() if on_pandas or wants_pandas(name, kwargs) else frame.polars()
    verdict = validate(rows, [{"type": name, "kwargs": kwargs}], result_format=result_format)
    (ours,) = verdict.to_json_dict()["results"]
    assert verdict.results[0].error is None
    assert ours["success"] == theirs["success"]
    found, wanted = ours["result"], theirs["result"]
    for count in COUNTS:
        assert (count in found) == (count in wanted), count
        if count in wanted:
            assert found[count] == pytest.approx(wanted[count]), count
    for listed in ("partial_unexpected_list", "unexpected_list"):
        assert len(found.get(listed) or ()) == len(wanted.get(listed) or ()), listed
    for listed in ("partial_unexpected_index_list", "unexpected_index_list"):
        if listed not in found and Format.of(result_format).name == "SUMMARY" and not isinstance(rows, pd.DataFrame):
            continue  # the places of rows in a file would cost a second look at it
        assert keys(found.get(listed)) == keys(wanted.get(listed)), listed
    if "observed_value" in wanted and not name.startswith("expect_column_distinct"):
        assert comparable(found["observed_value"]) == comparable(wanted["observed_value"])


def wants_pandas(name: str, kwargs: dict[str, Any]) -> bool:
    """Whether the rule is about what only pandas has: its types, and a column of its objects."""
    return (
        "_type_" in f"{name}_"
        or name.startswith(("expect_table_column", "expect_column_to_exist"))
        or ("o" in (kwargs.get("column"), *kwargs.get("column_list", ())))
    )


def keys(listed: list[Any] | None) -> list[Any]:
    """Which rows are listed, by their key or their place."""
    return sorted(row["key"] if isinstance(row, dict) else row for row in listed or ())


def comparable(observed: Any) -> Any:
    """An observed value as both worlds' JSON can agree on it."""
    if observed is None or isinstance(observed, list):
        return observed
    if isinstance(observed, dict):
        return {
            name: [None if value is None or math.isnan(value) else round(float(value), 9) for value in values]
            for name, values in observed.items()
        }
    if isinstance(observed, str):
        try:
            return datetime.fromisoformat(observed)
        except ValueError:
            return observed
    return pytest.approx(float(observed), nan_ok=True, abs=1e-12)
