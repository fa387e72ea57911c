"""The status of a table: each transition of docs/statuses.md, by real runs."""

from __future__ import annotations

import signal
import subprocess
import sys

import dagster as dg
import pytest

from dq_pipelines.history.queries.rule_status import RuleState
from dq_pipelines.history.queries.table_status import TableStatus, latest_status
from dq_pipelines.history.queries.totals import rows_in_by_table
from dq_pipelines.history.queries.wording import attempt
from dq_pipelines.history.store.attempts import Attempts
from dq_pipelines.pipeline.current_status import table_status_now
from dq_pipelines.pipeline.quarantine.quarantine_status import RefusedRowFilter, set_status
from dq_pipelines.pipeline.replay.replay import replay
from dq_pipelines.pipeline.runtime.dead_attempts import record_dead_attempts
from dq_pipelines.pipeline.runtime.table_run import TableRun
from dq_pipelines_tests.workshop import Workshop

#: Each is several runs through Dagster.
pytestmark = pytest.mark.slow

BETWEEN = "amount__between"
ORDERS = """
    source: {type: csv, path: "{landing}/orders/*.csv"}
    MORE
    silver:
      WRITE
      columns: {id: int64, amount: int64}
      rules:
        - {type: expect_column_values_to_be_between, column: amount, min_value: LEAST RULE}
        - {type: expect_column_max_to_be_between, column: amount, max_value: 100, severity: warning}
"""


def orders(shop: Workshop, rule: str = "", least: int = 0, more: str = "", write: str = "") -> None:
    text = ORDERS.replace("RULE", rule and f", {rule}").replace("LEAST", str(least))
    shop.table("orders", text.replace("MORE", more).replace("WRITE", write))


def land(shop: Workshop, name: str, *amounts: object) -> None:
    shop.land(f"orders/{name}.csv", "id,amount\n" + "".join(f"{n},{amount}\n" for n, amount in enumerate(amounts)))


def now(shop: Workshop, table: str = "silver/orders") -> TableStatus:
    found = table_status_now(shop.stores, table)
    assert found is not None
    return found


def status(shop: Workshop, table: str = "silver/orders") -> str:
    found = table_status_now(shop.stores, table)
    return "never_run" if found is None else found.status


def rule(shop: Workshop, check: str = BETWEEN) -> RuleState:
    found = now(shop).rule(check)
    assert found is not None
    return found


def work(shop: Workshop, table: str = "orders") -> TableRun:
    return TableRun(shop.project.tables[table], shop.lake)


def outcomes(shop: Workshop, table: str = "silver/orders") -> list[str]:
    """Of the table's attempts, newest first."""
    return [one.outcome for one in Attempts(shop.history).last([table])]


@pytest.fixture
def refused(shop: Workshop) -> Workshop:
    """Two rows of a batch are refused."""
    orders(shop)
    assert status(shop) == "never_run"
    land(shop, "a", 1, -2, -3)
    assert shop.run("orders").success
    assert (status(shop), rule(shop).open_rows) == ("warning", 2)
    return shop


# --- by verdicts -----------------------------------------------------------------------------------


def test_healthy_and_warning_follow_the_last_batch(shop: Workshop) -> None:
    orders(shop)
    land(shop, "a", 1, 2)
    assert shop.run("orders").success
    assert (status(shop), outcomes(shop)) == ("healthy", ["published"])
    land(shop, "b", 500)
    ran = shop.run("orders")
    assert (status(shop), ran.materialized["silver/orders"]["status"]) == ("warning", "warning")
    land(shop, "c", 5)
    shop.run("orders")
    assert status(shop) == "healthy"
    shop.run("orders")
    assert (status(shop), outcomes(shop)[0]) == ("healthy", "nothing_new")


def test_a_blocked_batch_until_it_is_mended(shop: Workshop) -> None:
    orders(shop, "on_failure: block")
    land(shop, "a", -1)
    assert not shop.run("orders").success
    assert (status(shop), outcomes(shop), now(shop).held) == ("blocked", ["blocked"], 1)
    land(shop, "a", 1)
    assert shop.run("orders").success
    assert status(shop) == "healthy"


# --- by refused rows -------------------------------------------------------------------------------


def test_a_recheck_heals_no_batch(refused: Workshop) -> None:
    ran = refused.run_job("checks__orders")
    assert ran.success
    assert ran.checks[f"silver/orders:{BETWEEN}"].passed, "published rows are as they should be"
    assert status(refused) == "warning"
    found = rule(refused)
    assert (len(found.failed), found.rechecks_failed, found.open_rows) == (1, (), 2)
    assert [one.success for _, one in found.rechecks] == [True], "what the re-check found is told beside it"
    assert (
        ran.number(f"silver/orders:{BETWEEN}", "status"),
        ran.number(f"silver/orders:{BETWEEN}", "open_in_quarantine"),
    ) == ("warning", 2)
    assert now(refused).rows_in == 3, "a re-check brings no rows in"


def test_a_later_clean_batch_settles_no_refused_row(refused: Workshop) -> None:
    land(refused, "b", 7)
    assert refused.run("orders").success
    assert (status(refused), rule(refused).open_rows) == ("warning", 2)


def test_a_cast_of_an_earlier_batch_is_told_as_long_as_its_rows_wait(shop: Workshop) -> None:
    orders(shop)
    land(shop, "a", 1, "x")
    shop.run("orders")
    land(shop, "b", 2)
    shop.run("orders")
    assert (status(shop), [one.one.check for one in now(shop).failed]) == ("warning", ["amount__cast"])


def test_a_replay_settles_what_it_publishes(refused: Workshop) -> None:
    orders(refused, least=-9)
    replay(work(refused), by="ann")
    found = rule(refused)
    assert (status(refused), found.success, found.open_rows, len(found.settled)) == ("healthy", True, 0, 1)
    ran = refused.run("orders")
    assert ran.checks[f"silver/orders:{BETWEEN}"].passed, "Dagster's check says so from the next run on"


@pytest.mark.parametrize("settled", ["corrected", "dismissed", "rerun", "a later version"])
def test_refused_rows_are_settled(refused: Workshop, settled: str) -> None:
    ids = [row["_id"] for row in refused.rows("quarantine/orders")]
    match settled:
        case "corrected":
            replay(work(refused), by="ann", edits={one: {"amount": "5"} for one in ids})
        case "dismissed":
            set_status(work(refused), RefusedRowFilter(ids=ids[:1]), "dismissed", "ann")
            assert status(refused) == "warning", "one waits still"
            set_status(work(refused), RefusedRowFilter(ids=ids[1:]), "dismissed", "ann")
        case "rerun":
            orders(refused, least=-9)
            assert refused.run("orders", mode="rerun").success
        case "a later version":
            land(refused, "a", 1, 2, 3)
            assert refused.run("orders").success
    assert status(refused) == "healthy"


def test_rows_within_mostly_wait_and_make_no_table_failing(shop: Workshop) -> None:
    orders(shop, "mostly: 0.5")
    land(shop, "a", 1, 2, -3)
    shop.run("orders")
    land(shop, "b", 1)
    shop.run("orders")
    assert (status(shop), rule(shop).open_rows) == ("healthy", 1)


# --- by re-checks ----------------------------------------------------------------------------------


def test_a_recheck_that_finds_published_rows_failing(shop: Workshop) -> None:
    orders(shop)
    land(shop, "a", 1, 2)
    shop.run("orders")
    orders(shop, least=2)
    shop.run_job("checks__orders")
    assert (status(shop), len(rule(shop).rechecks_failed)) == ("failing", 1)
    land(shop, "b", 9)
    assert shop.run("orders").success
    assert status(shop) == "failing", "a later batch is no look at what was published before"
    assert shop.run("orders", mode="rerun").success
    assert [part.batch for part in now(shop).rechecks] == [], "the rerun has replaced what was judged"
    assert rule(shop).open_rows == 1


def test_the_next_recheck_counts(shop: Workshop) -> None:
    orders(shop)
    land(shop, "a", 1, 2)
    shop.run("orders")
    for least, wanted in ((2, "failing"), (0, "healthy")):
        orders(shop, least=least)
        shop.run_job("checks__orders")
        assert status(shop) == wanted


# --- by attempts -----------------------------------------------------------------------------------


def test_a_source_that_is_gone_is_an_error_until_an_attempt_succeeds(shop: Workshop) -> None:
    orders(shop, more="")
    land(shop, "a", 1)
    shop.run("orders")
    shop.table(
        "orders",
        ORDERS.replace("orders/*.csv", "b.csv")
        .replace("MORE", "")
        .replace("WRITE", "")
        .replace(" RULE", "")
        .replace("LEAST", "0"),
    )
    shop.land("b.csv", b"\x1f\x8b\x08 no archive").rename(shop.landing / "b.csv.gz")
    shop.table("orders", (shop.root / "assets_config/shop/orders.yaml").read_text().replace("b.csv", "b.csv.gz"))
    assert not shop.run("orders").success
    found = now(shop)
    assert (found.status, outcomes(shop)[0]) == ("error", "failed")
    assert found.attempt is not None
    assert "b.csv.gz" in found.attempt.said
    assert [result.success for result in found.verdicts[-1].results if result.check == BETWEEN] == [True]
    shop.run_job("checks__orders")
    assert status(shop) == "error", "a re-check is no attempt to publish"
    (shop.landing / "b.csv.gz").unlink()
    assert shop.run("orders").success
    assert status(shop) == "healthy"


def test_an_upstream_table_that_is_blocked(shop: Workshop) -> None:
    orders(shop, "on_failure: block")
    shop.table("daily", "gold:\n  sql: select count(*) as n from silver.orders\n")
    land(shop, "a", 1)
    assert shop.run("orders", "daily").success
    land(shop, "b", -1)
    shop.run("orders")
    assert (status(shop, "gold/daily"), status(shop)) == ("healthy", "blocked")
    shop.run("daily")
    found = now(shop, "gold/daily")
    assert (found.status, outcomes(shop, "gold/daily")[0]) == ("blocked", "waiting")
    assert found.attempt is not None
    assert "the last batch of silver/orders was blocked" in found.attempt.said
    land(shop, "b", 1)
    assert shop.run("orders").success
    found = now(shop, "gold/daily")
    assert (found.status, found.is_alarming) == ("healthy", False), "nothing holds it back, though it has not run yet"
    assert "no longer holds it back" in attempt(found)
    land(shop, "c", -1)
    shop.run("orders")
    assert status(shop, "gold/daily") == "blocked"
    land(shop, "c", 1)
    assert shop.run("orders", "daily").success
    assert status(shop, "gold/daily") == "healthy"


def test_a_row_with_two_reasons_waits_once(shop: Workshop) -> None:
    twice = "{type: expect_column_values_to_be_between, column: amount, min_value: -9, max_value: 9}"
    table = ORDERS.replace("RULE", "").replace("LEAST", "0").replace("MORE", "").replace("WRITE", "")
    shop.table("orders", f"{table.rstrip()}\n        - {twice}\n")
    land(shop, "a", 1, -20, "x")
    ran = shop.run("orders")
    assert ran.materialized["silver/orders"]["open_in_quarantine"] == 2
    assert now(shop).open_rows == 2
    assert rule(shop).open_rows == 1


def test_an_error_in_code_of_the_project(shop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    from dq_pipelines.pipeline import gold

    def broken(_: object) -> None:
        raise ZeroDivisionError("division by zero")

    orders(shop)
    shop.table("daily", "gold:\n  sql: select count(*) as n from silver.orders\n")
    land(shop, "a", 1)
    shop.run("orders")
    monkeypatch.setattr(gold, "compute", broken)
    with pytest.raises(AssertionError, match="nobody meant"):
        assert shop.run("daily").failures
    found = now(shop, "gold/daily")
    assert (found.status, found.verdicts) == ("error", ())
    assert found.attempt is not None
    assert found.attempt.said == "ZeroDivisionError: division by zero"


def test_each_partition_has_an_attempt_of_its_own(shop: Workshop) -> None:
    orders(shop, more="partitions: {type: dynamic}")
    shop.land("orders/mon.csv", b"\x00\x01\x02\xff\xfe\x00not a csv\x00")
    land(shop, "tue", 1)
    shop.instance.add_dynamic_partitions("orders_files", ["mon", "tue"])
    shop.run("orders", partition="mon")
    bad = status(shop)
    shop.run("orders", partition="tue")
    assert status(shop) == bad != "healthy", "what became of another partition heals none"


def test_cancelled_before_it_published_changes_nothing(refused: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    from dq_pipelines.pipeline.silver import commit

    def interrupted(*_: object) -> None:
        raise dg.DagsterExecutionInterruptedError("cancelled")

    land(refused, "b", 7)
    monkeypatch.setattr(commit, "_publish", interrupted)
    ran = refused.run("orders")
    assert not ran.result.success
    assert outcomes(refused)[0] == "cancelled"
    assert (status(refused), [one.outcome for one in now(refused).attempts]) == ("warning", ["published"])


def test_cancelled_right_after_its_commit_says_what_was_published(
    shop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dq_pipelines.pipeline.silver import commit

    publish = commit._publish

    def then_interrupted(*given: object) -> None:
        publish(*given)  # type: ignore[arg-type]
        raise dg.DagsterExecutionInterruptedError("cancelled")

    orders(shop)
    land(shop, "a", 1, 2, 3)
    monkeypatch.setattr(commit, "_publish", then_interrupted)
    ran = shop.run("orders")
    [verdict] = shop.history.of_run(ran.run_id)
    assert (verdict.published, verdict.rows_in) == (3, 3)
    [attempt] = Attempts(shop.history).of_run(ran.run_id)
    assert (attempt.outcome, attempt.said) == ("published", "the run ended after its commit: 3 rows are published")
    assert status(shop) == "healthy"


KILLED = """
import os, signal, sys
from pathlib import Path
from dq_pipelines.pipeline.silver import commit
from dq_pipelines_tests.workshop import Workshop

publish, after = commit._publish, sys.argv[2] == "after"

def killed(*given):
    if after:
        publish(*given)
    os.kill(os.getpid(), signal.SIGKILL)

commit._publish = killed
Workshop(Path(sys.argv[1])).run("orders")
"""


@pytest.mark.parametrize(("moment", "wanted"), [("before", "error"), ("after", "healthy")])
def test_a_process_that_was_killed(shop: Workshop, moment: str, wanted: str) -> None:
    orders(shop)
    land(shop, "a", 1, 2)
    done = subprocess.run([sys.executable, "-c", KILLED, str(shop.root), moment], capture_output=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()[-2000:]
    assert latest_status(shop.history, "silver/orders") is None, "nobody has looked yet"
    record_dead_attempts(shop.stores)
    assert status(shop) == wanted
    [attempt] = Attempts(shop.history).last(["silver/orders"])
    assert attempt.outcome == ("published" if moment == "after" else "failed")
    assert shop.run("orders").success
    assert status(shop) == "healthy"


def test_an_attempt_that_goes_on_is_left_alone(shop: Workshop) -> None:
    from datetime import UTC, datetime

    from dq_pipelines.history.store.attempts import Attempt
    from dq_pipelines.pipeline.runtime.processes import is_gone, this_process

    mine = this_process()
    assert not is_gone(mine)
    assert is_gone(f"{mine.rpartition(':')[0]}:1"), "the id belongs to a process that began later"
    assert not is_gone("another-machine/:1:1")
    Attempts(shop.history).record(Attempt("silver/orders", None, "r", datetime.now(UTC), process=mine))
    record_dead_attempts(shop.stores)
    assert [one.outcome for one in Attempts(shop.history).last()] == ["running"]


# --- counts ----------------------------------------------------------------------------------------


def test_each_row_came_in_once(refused: Workshop) -> None:
    """However often it is judged: by a rerun, by a re-check, after its batch was blocked."""
    assert rows_in_by_table(refused.history, None)["silver/orders"] == (3, 2)
    refused.run("orders", mode="rerun")
    refused.run_job("checks__orders")
    assert rows_in_by_table(refused.history, None)["silver/orders"] == (3, 2)
    orders(refused, "on_failure: block")
    land(refused, "b", 4, -4)
    assert not refused.run("orders").success
    assert rows_in_by_table(refused.history, None)["silver/orders"] == (5, 2)
    orders(refused)
    land(refused, "c", 5)
    assert refused.run("orders").success
    assert rows_in_by_table(refused.history, None)["silver/orders"] == (6, 3)
