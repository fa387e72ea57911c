"""`dq report` in the terminal: what stands in a real history store, by table and partition."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest

from dq_pipelines.history.queries.table_status import latest_statuses
from dq_pipelines.history.queries.wording import NOTHING_YET, age
from dq_pipelines.history.store.verdicts import History
from dq_pipelines_tests.cli.conftest import Dq
from dq_pipelines_tests.cli.report.conftest import MEAN, NOW, NULLS, PASSED, TOLERATED, result, verdict
from dq_pipelines_tests.workshop import Workshop


def lines(text: str) -> list[list[str]]:
    return [line.split() for line in text.splitlines()]


@pytest.mark.parametrize(
    "arguments", [[], ["--strict"], ["--table", "sales"], ["--json"], ["--html", "r.html"]], ids=" ".join
)
def test_without_a_history_it_says_so_and_makes_none(arguments: list[str], dq: Dq, tmp_path: Path) -> None:
    ran = dq("report", *arguments, DQ_LAKE="lake", DQ_CONFIG="none")
    assert ran.returncode == 0
    wanted = {"--json": "[]\n", "--html": ""}.get((arguments or [""])[0], f"{NOTHING_YET}\n")
    assert (ran.stdout, (tmp_path / "lake").exists()) == (wanted, False)
    if arguments == ["--html", "r.html"]:
        assert NOTHING_YET in (tmp_path / "r.html").read_text(encoding="utf-8")


@pytest.mark.slow
@pytest.mark.parametrize("is_there", [True, False], ids=["an empty file", "no file"])
def test_a_lost_history_is_told_and_stays_empty(dq: Dq, tmp_path: Path, *, is_there: bool) -> None:
    shop = Workshop(tmp_path)
    shop.table("orders", 'source: {type: csv, path: "{landing}/*.csv"}')
    pl.DataFrame({"id": [1]}).write_delta(shop.lake.table("silver/orders").uri)
    path = tmp_path / "history.db"
    if is_there:
        path.write_bytes(b"")
    where = {"DQ_LAKE": str(tmp_path / "lake"), "DQ_CONFIG": str(tmp_path / "assets_config")}
    where["DQ_HISTORY_URL"] = f"sqlite:///{path}"
    told = "the history is empty, though the lake holds 1 published table (silver/orders, say)"
    ran = dq("report", **where)
    assert (ran.returncode, ran.stdout.startswith(told)) == (0, True), ran
    assert "dq doctor --repair" in ran.stdout
    assert dq("report", "--strict", **where).returncode == 1
    ran = dq("report", "--html", "r.html", "--json", **where)
    assert told in ran.stderr
    assert json.loads(ran.stdout) == []
    assert told in (tmp_path / "r.html").read_text(encoding="utf-8")
    dq("alert", "list", **where)
    if is_there:
        assert path.read_bytes() == b""
        assert "the history has 0 bytes" in dq("doctor", **where).stdout
    assert "the history is empty" in dq("report", **where).stdout
    assert path.exists() == is_there
    assert not is_there or path.read_bytes() == b""


def test_a_line_for_each_table_and_for_each_rule_that_found_something(dq: Dq, history: History) -> None:
    history.record(verdict("silver/sales", PASSED, MEAN, NULLS, TOLERATED))
    history.record(verdict("gold/value", PASSED, published=100, refused=0, dropped=0))
    ran = dq("report", DQ_LAKE="lake")
    said = lines(ran.stdout)
    when = (NOW - timedelta(minutes=5)).astimezone().strftime("%Y-%m-%d %H:%M,").split()
    assert ran.returncode == 0
    assert [
        "gold/value",
        "healthy",
        *when,
        "5",
        "min",
        "ago",
        "100.00",
        "0/1",
        "100",
        "100",
        "0",
        "0",
        "published",
    ] in said
    assert [
        "silver/sales",
        "warning",
        *when,
        "5",
        "min",
        "ago",
        "100.00",
        "2/4",
        "100",
        "97",
        "2",
        "1",
        "published",
    ] in said
    assert said[said.index(["silver/sales", "2", "of", "4", "rules", "not", "met"]) + 1 :] == [
        ["warning", "critical", "customer:", "not", "null", "2", "of", "100", "rows", "(2.00", "%)"],
        [NULLS.rule, "of", "customer"],
        ["warning", "warning", "amount:", "mean", "between", "observed", "12.5"],
        [MEAN.rule, "of", "amount"],
        ["passed", "warning", "shop:", "exist", "in", "5", "of", "50", "rows", "(10.00", "%),", "within", "mostly"],
        [TOLERATED.rule, "of", "shop"],
    ]


def test_only_the_latest_verdict_counts(dq: Dq, history: History) -> None:
    history.record(verdict("silver/sales", NULLS, run_id="one"))
    history.record(verdict("silver/sales", PASSED, run_id="two", batch="b-2"))
    ran = dq("report", DQ_LAKE="lake")
    assert NULLS.rule not in ran.stdout
    assert "0/1" in ran.stdout


def test_what_a_blocked_batch_brought_is_held_and_not_published(dq: Dq, history: History) -> None:
    rows = result(
        "expect_table_row_count_to_equal", success=False, blocks=True, unexpected_count=None, observed_value=3
    )
    history.record(verdict("silver/sales", rows, blocked=True, rows_in=4216, published=4000, refused=200, dropped=16))
    ran = dq("report", DQ_LAKE="lake")
    said = lines(ran.stdout)
    overview, told = said[1], said[-1]
    assert overview[7:] == ["100.00", "1/1", "4,216", "0", "0", "0", "blocked,", "4,216", "rows", "held"]
    assert told == ["blocked", "critical", rows.rule, "observed", "3"]
    assert dq("report", "--strict").returncode == 1


def test_a_published_table_that_was_judged_again_stays_published(dq: Dq, history: History) -> None:
    history.record(verdict("silver/sales", NULLS, batch="", blocked=True, published=100, refused=0, dropped=0))
    (table,) = latest_statuses(history)
    assert (table.published, table.held, table.as_it_stands, table.status) == (0, 0, True, "failing")
    history.record(verdict("silver/sales", PASSED, batch="", run_id="two"))
    assert dq("report", DQ_LAKE="lake").stdout.splitlines()[1].endswith("judged as it stands")


def test_checks_that_run_alone_do_not_hide_a_blocked_batch(history: History) -> None:
    history.record(verdict("silver/sales", NULLS, blocked=True, rows_in=4216))
    history.record(verdict("silver/sales", PASSED, batch="", run_id="checks"))
    (table,) = latest_statuses(history)
    assert (table.held, table.published, len(table.blocked)) == (4216, 0, 1)
    history.record(verdict("silver/sales", PASSED, batch="b-2", run_id="mended"))
    (table,) = latest_statuses(history)
    assert (table.held, table.published, len(table.blocked)) == (0, 97, 0)


def test_an_error_of_a_rule_is_told(dq: Dq, history: History) -> None:
    wrong = result("expect_column_values_to_be_unique", "x", success=False, error="no column 'x' (nearest: [y])")
    history.record(verdict("silver/sales", wrong))
    assert "no column 'x' (nearest: [y])" in dq("report", DQ_LAKE="lake").stdout


def test_a_small_share_does_not_read_as_none(dq: Dq, history: History) -> None:
    few = result("expect_column_values_to_not_be_null", "x", success=False, element_count=10**6, unexpected_count=1)
    history.record(verdict("silver/sales", few))
    assert "1 of 1,000,000 rows (under 0.01 %)" in dq("report", DQ_LAKE="lake").stdout


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (-5, "just now"),
        (59, "just now"),
        (60, "1 min ago"),
        (7_199, "1 h ago"),
        (86_400, "1 day ago"),
        (260_000, "3 days ago"),
    ],
)
def test_age(seconds: int, said: str) -> None:
    assert age(NOW - timedelta(seconds=seconds), NOW) == said


@pytest.mark.usefixtures("partitioned")
def test_a_table_is_all_of_its_partitions(dq: Dq) -> None:
    said = lines(dq("report", DQ_LAKE="lake").stdout)
    assert said[1][4:] == [
        "10", "min", "ago", "100.00", "2/2", "300", "291", "6", "3", "published", "(3", "partitions,", "run_1", "to", "run_3)",
    ]  # fmt: skip
    assert said[-4:] == [
        [
            "warning",
            "critical",
            "value:",
            "not",
            "null",
            "3",
            "of",
            "200",
            "rows",
            "(1.50",
            "%)",
            "in",
            "run_2,",
            "run_3",
        ],
        [NULLS.rule, "of", "value"],
        ["warning", "warning", "value:", "mean", "between", "run_2:", "observed", "22"],
        [MEAN.rule, "of", "value"],
    ]


def test_a_partition_that_ran_again_counts_once(partitioned: History) -> None:
    partitioned.record(verdict("silver/readings", PASSED, partition="run_2", run_id="again", rows_in=50))
    (table,) = latest_statuses(partitioned)
    assert (table.rows_in, table.partitions) == (250, ("run_1", "run_2", "run_3"))


def test_a_recheck_of_the_whole_table_replaces_no_verdict_on_a_partition(partitioned: History) -> None:
    partitioned.record(verdict("silver/readings", PASSED, run_id="whole", batch="", rows_in=300, minutes=2))
    (table,) = latest_statuses(partitioned)
    assert (table.rows_in, len(table.partitions), [each.run_id for each in table.rechecks]) == (300, 3, ["whole"])
    assert table.status == "warning"
    partitioned.record(verdict("silver/readings", PASSED, partition="run_4", run_id="r-4", minutes=1))
    (table,) = latest_statuses(partitioned)
    assert (table.rows_in, len(table.partitions)) == (400, 4)


def test_a_blocked_partition_is_not_hidden_by_a_look_at_the_whole_table(partitioned: History) -> None:
    partitioned.record(verdict("silver/readings", NULLS, partition="run_2", run_id="r-5", batch="b-5", blocked=True))
    partitioned.record(verdict("silver/readings", PASSED, run_id="whole", batch=""))
    (table,) = latest_statuses(partitioned)
    assert ([each.partition for each in table.blocked], len(table.partitions)) == (["run_2"], 3)


@pytest.mark.parametrize("name", ["sales", "silver/sales"])
def test_one_table(name: str, dq: Dq, history: History) -> None:
    history.record(verdict("silver/sales", NULLS))
    history.record(verdict("gold/value", PASSED))
    ran = dq("report", "--table", name, DQ_LAKE="lake")
    assert ("silver/sales" in ran.stdout, "gold/value" in ran.stdout) == (True, False)
    assert dq("report", "--strict", "--table", "gold/value").returncode == 0
    assert dq("report", "--strict").returncode == 1


def test_unknown_table(dq: Dq, history: History) -> None:
    history.record(verdict("silver/sales", NULLS))
    ran = dq("report", "--table", "slaes", DQ_LAKE="lake", DQ_CONFIG="none")
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr.splitlines()[-1] == "dq report --table: unknown table 'slaes' (nearest: sales)"


def test_tables_of_the_project_without_a_verdict_are_named(dq: Dq, history: History, checkout: Path) -> None:
    history.record(verdict("silver/sales", PASSED))
    environment = {"DQ_LAKE": "lake", "DQ_CONFIG": str(checkout / "assets_config")}
    last = dq("report", **environment).stdout.splitlines()[-1]
    assert last.startswith("Never run: gold/carrier_delays, ")
    assert "silver/sales" not in last
    assert dq("report", "--table", "flights", **environment).stdout == "Never run: silver/flights.\n"


def test_a_faulty_project_hides_no_verdict(dq: Dq, history: History, tmp_path: Path) -> None:
    history.record(verdict("silver/sales", PASSED))
    (tmp_path / "c" / "shop").mkdir(parents=True)
    (tmp_path / "c" / "shop" / "sales.yaml").write_text("surce: {}\n", encoding="utf-8")
    ran = dq("report", DQ_LAKE="lake", DQ_CONFIG="c")
    assert (ran.returncode, "silver/sales" in ran.stdout) == (0, True)
    assert "the table is left out: c/shop/sales.yaml:1:" in " ".join(ran.stdout.split())
    strict = dq("report", "--strict", DQ_LAKE="lake", DQ_CONFIG="c")
    assert strict.returncode == 1
    (found,) = [
        one
        for one in json.loads(dq("report", "--json", DQ_LAKE="lake", DQ_CONFIG="c").stdout)
        if one["rule"] == "attempt"
    ]
    assert (found["table"], found["success"]) == ("silver/sales", False)
    (tmp_path / "c" / "project.yaml").write_text("nam: x\n", encoding="utf-8")
    ran = dq("report", DQ_LAKE="lake", DQ_CONFIG="c")
    assert ran.stderr.startswith("tables without a verdict are not listed: c/project.yaml:1: ")


def test_a_history_that_cannot_be_read_is_one_sentence(dq: Dq, tmp_path: Path) -> None:
    (tmp_path / "h.db").write_bytes(b"no database, but long enough to look at" * 100)
    ran = dq("report", DQ_HISTORY_URL=f"sqlite:///{tmp_path}/h.db")
    assert (ran.returncode, ran.stdout, "Traceback" in ran.stderr) == (2, "", False)
    assert len([line for line in ran.stderr.splitlines() if line.startswith("history at ")]) == 1
