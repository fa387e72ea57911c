"""Rules whose arithmetic overflows, and rules that are suggested: the first fail alone, the second hold."""

from __future__ import annotations

import pytest

from dq_pipelines_tests.reports.conftest import Lay


@pytest.mark.report("26-sum-beyond-int64")
def test_a_sum_beyond_64_bits_is_right(lay: Lay) -> None:
    table = """
        source: {type: csv, path: "{landing}/*"}
        silver:
          columns: {id: int64, qty: int64}
          rules: [{type: expect_column_sum_to_be_between, column: qty, min_value: 0, severity: warning}]
        """
    report = lay({"x": table}, {"x.csv": "id,qty\n" + "".join(f"{n},4611686018427387904\n" for n in (1, 2, 3))})
    report.land()
    ran = report.shop.run("x")
    assert ran.success
    check = "silver/x:qty__sum_between"
    assert ran.checks[check].passed
    assert ran.number(check, "observed_value").replace(",", "") == str(3 * 4611686018427387904)


@pytest.mark.report("27-decimal-sum-overflow")
def test_a_sum_that_no_decimal_holds_is_one_rules_error(lay: Lay) -> None:
    table = """
        source: {type: csv, path: "{landing}/*"}
        silver:
          columns: {id: int64, amt: "decimal(38,2)"}
          rules: [{type: expect_column_sum_to_be_between, column: amt, min_value: 0, severity: warning}]
        """
    lines = "id,amt\n" + "".join(f"{n},{'9' * 36}.99\n" for n in (1, 2))
    report = lay({"x": table}, {"x.csv": lines})
    report.land()
    ran = report.shop.run("x")
    assert ran.success
    assert report.shop.rows("silver/x", "id") == [1, 2]
    check = ran.checks["silver/x:amt__sum_between"]
    assert check.passed or "error" in check.metadata
