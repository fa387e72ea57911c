"""SQL in steps and rules computes exactly: a number that does not fit its type is an error in a sentence, never a wrapped one."""

from __future__ import annotations

import pytest

from dq_pipelines_tests.workshop import Workshop

MOST = 2**63 - 1
NUMBERS = """
    source: {type: csv, path: "{landing}/numbers/*.csv"}
    silver:
      columns: {id: int64, x: int64}
      transform: [STEP]
      rules: [RULE]
"""
QUERY = (
    "{type: unexpected_rows_expectation, unexpected_rows_query: 'SELECT SUM(x) AS s FROM {batch} HAVING SUM(x) < 0'}"
)


def numbers(shop: Workshop, step: str = "", rule: str = "") -> None:
    shop.table("numbers", NUMBERS.replace("STEP", step).replace("RULE", rule))
    shop.land("numbers/a.csv", f"id,x\n1,{MOST}\n2,{MOST}\n")


def test_a_query_rule_sums_beyond_64_bits(shop: Workshop) -> None:
    numbers(shop, rule=QUERY)
    ran = shop.run("numbers")
    assert ran.success, "the sum is no negative number"
    assert shop.rows("silver/numbers", "x") == [MOST, MOST]


@pytest.mark.parametrize(
    "step", ["sql: SELECT SUM(x) AS s FROM self", "derive: {s: x * 2}"], ids=["sum of a step", "product of a column"]
)
def test_a_step_that_overflows_publishes_nothing(shop: Workshop, step: str) -> None:
    numbers(shop, step=f"{{{step}}}" if step.startswith("derive") else f"{{sql: '{step.removeprefix('sql: ')}'}}")
    ran = shop.run("numbers")
    (said,) = ran.failures.values()
    assert "\n" not in said
    assert "'s'" in said
    assert "silver/numbers" not in shop.versions()
