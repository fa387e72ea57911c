"""Sums of a run: a rule counts once, whatever the number of its batches and partitions."""

from __future__ import annotations

from dq_pipelines.history.queries.run_totals import RunTotals, run_totals, totals_of_run
from dq_pipelines.history.store.verdicts import History
from dq_pipelines_tests.history.test_trend import result, verdict


def test_a_rule_counts_once_in_a_run_of_several_partitions(history: History) -> None:
    run = {"run_id": "range"}
    history.record(verdict(0, result("x", fails=1), result("y"), result("z"), partition="a", **run))
    history.record(verdict(1, result("x", fails=2), result("y"), result("z"), partition="b", **run))
    history.record(verdict(2, result("x"), result("y", fails=1), result("z"), partition="c", **run))
    assert run_totals(history, ["range"]) == {"range": RunTotals(30, 24, 3, 3, failed=2, rules=3)}


def test_rules_of_the_same_name_count_for_each_table(history: History) -> None:
    history.record(verdict(0, result("x", fails=1), result("y"), table="silver/t", run_id="both"))
    history.record(verdict(1, result("x", fails=1), table="silver/u", run_id="both", blocked=True))
    history.record(verdict(2, result("x"), table="silver/t", run_id="other"))
    assert run_totals(history, ["both", "other", "none"]) == {
        "both": RunTotals(20, 8, 1, 1, failed=2, rules=3),
        "other": RunTotals(10, 8, 1, 1, failed=0, rules=1),
    }
    assert run_totals(history, ["both"], ["silver/u"]) == {"both": RunTotals(10, 0, 0, 0, failed=1, rules=1)}
    assert totals_of_run(history, "both") == {
        "silver/t": RunTotals(10, 8, 1, 1, failed=1, rules=2),
        "silver/u": RunTotals(10, 0, 0, 0, failed=1, rules=1),
    }
