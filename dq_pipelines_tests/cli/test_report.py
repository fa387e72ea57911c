"""`dq report`: what stands in a real history store, for people, for programs, and as a page."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from dq_pipelines.history.records import ResultRecord, VerdictRecord
from dq_pipelines.history.standing import standings
from dq_pipelines.history.store import History
from dq_pipelines.history.wording import NOTHING_YET, age
from dq_pipelines.rules import clock
from dq_pipelines_tests.workshop import Workshop

from .conftest import Dq

NOW = datetime.now(UTC)


@pytest.fixture(autouse=True)
def _the_clock_stands() -> Iterator[None]:
    with clock.at(NOW):
        yield


def result(rule: str, column: str | None = None, *, severity: str = "critical", **more: Any) -> ResultRecord:
    given = {"success": True, "blocks": False, "element_count": 100, "missing_count": 0, "unexpected_count": 0, **more}
    return ResultRecord(f"{rule}__{column}" if column else rule, rule, column, severity, **given)


def verdict(table: str, *results: ResultRecord, minutes: float = 5, **more: Any) -> VerdictRecord:
    given: dict[str, Any] = {
        "batch": "b-1", "run_id": "run", "duration_seconds": 1.0, "rows_in": 100, "published": 97, "refused": 2,
        "dropped": 1, "blocked": False, **more,
    }  # fmt: skip
    return VerdictRecord(table, started_at=NOW - timedelta(minutes=minutes), results=results, **given)


NULLS = result("expect_column_values_to_not_be_null", "customer", success=False, missing_count=0, unexpected_count=2)
MEAN = result(
    "expect_column_mean_to_be_between", "amount", severity="warning", success=False, element_count=None,
    missing_count=None, unexpected_count=None, observed_value=12.5,
)  # fmt: skip
TOLERATED = result("expect_column_values_to_exist_in", "shop", severity="warning", missing_count=50, unexpected_count=5)
PASSED = result("expect_column_values_to_be_unique", "id")


@pytest.fixture
def history(tmp_path: Path) -> History:
    return History(f"sqlite:///{tmp_path}/lake/history.db")


def lines(text: str) -> list[list[str]]:
    return [line.split() for line in text.splitlines()]


# --- the terminal ----------------------------------------------------------------------------------


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


def test_a_line_for_each_table_and_for_each_rule_that_found_something(dq: Dq, history: History) -> None:
    history.record(verdict("silver/sales", PASSED, MEAN, NULLS, TOLERATED))
    history.record(verdict("gold/value", PASSED, published=100, refused=0, dropped=0))
    ran = dq("report", DQ_LAKE="lake")
    said = lines(ran.stdout)
    when = (NOW - timedelta(minutes=5)).astimezone().strftime("%Y-%m-%d %H:%M,").split()
    assert ran.returncode == 0
    assert ["gold/value", *when, "5", "min", "ago", "100.00", "0/1", "100", "100", "0", "0", "published"] in said
    assert ["silver/sales", *when, "5", "min", "ago", "100.00", "2/4", "100", "97", "2", "1", "published"] in said
    assert said[said.index(["silver/sales", "2", "of", "4", "rules", "failed"]) :] == [
        ["silver/sales", "2", "of", "4", "rules", "failed"],
        ["fail", "critical", NULLS.rule, "customer", "2", "of", "100", "rows", "(2.00", "%)"],
        ["warn", "warning", MEAN.rule, "amount", "observed", "12.5"],
        ["ok", "warning", TOLERATED.rule, "shop", "5", "of", "50", "rows", "(10.00", "%),", "within", "mostly"],
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
    assert overview[6:] == ["100.00", "1/1", "4,216", "0", "0", "0", "blocked,", "4,216", "rows", "held"]
    assert told == ["block", "critical", rows.rule, "observed", "3"]
    assert dq("report", "--strict").returncode == 1


def test_a_published_table_that_was_judged_again_stays_published(dq: Dq, history: History) -> None:
    history.record(verdict("silver/sales", NULLS, batch="", blocked=True, published=100, refused=0, dropped=0))
    (table,) = standings(history)
    assert (table.published, table.held, table.as_it_stands) == (100, 0, True)
    history.record(verdict("silver/sales", PASSED, batch="", run_id="two"))
    assert dq("report", DQ_LAKE="lake").stdout.splitlines()[1].endswith("judged as it stands")


def test_checks_that_run_alone_do_not_hide_a_blocked_batch(history: History) -> None:
    history.record(verdict("silver/sales", NULLS, blocked=True, rows_in=4216))
    history.record(verdict("silver/sales", PASSED, batch="", run_id="checks"))
    (table,) = standings(history)
    assert (table.held, table.published, len(table.blocked)) == (4216, 0, 1)
    history.record(verdict("silver/sales", PASSED, batch="b-2", run_id="mended"))
    (table,) = standings(history)
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


# --- partitions ------------------------------------------------------------------------------------


@pytest.fixture
def partitioned(history: History) -> History:
    for number, minutes in ((1, 30), (2, 20), (3, 10)):
        mean = result(
            MEAN.rule,
            "value",
            severity="warning",
            success=number != 2,
            unexpected_count=None,
            observed_value=20.0 + number,
        )
        nulls = result(NULLS.rule, "value", success=number == 1, unexpected_count=number - 1)
        part = {"partition": f"run_{number}", "batch": f"b-{number}", "run_id": f"r-{number}"}
        history.record(verdict("silver/readings", mean, nulls, minutes=minutes, **part))
    return history


@pytest.mark.usefixtures("partitioned")
def test_a_table_is_all_of_its_partitions(dq: Dq) -> None:
    said = lines(dq("report", DQ_LAKE="lake").stdout)
    assert said[1][3:] == [
        "10", "min", "ago", "100.00", "2/2", "300", "291", "6", "3", "published", "(3", "partitions,", "run_1", "to", "run_3)",
    ]  # fmt: skip
    assert said[-2:] == [
        ["fail", "critical", NULLS.rule, "value", "3", "of", "300", "rows", "(1.00", "%)", "in", "run_2,", "run_3"],
        ["warn", "warning", MEAN.rule, "value", "run_2:", "observed", "22"],
    ]


def test_a_partition_that_ran_again_counts_once(partitioned: History) -> None:
    partitioned.record(verdict("silver/readings", PASSED, partition="run_2", run_id="again", rows_in=50))
    (table,) = standings(partitioned)
    assert (table.rows_in, table.partitions) == (250, ("run_1", "run_2", "run_3"))


def test_a_verdict_on_the_whole_table_stands_until_a_partition_runs(partitioned: History) -> None:
    partitioned.record(verdict("silver/readings", PASSED, run_id="whole", batch="", rows_in=300, minutes=2))
    (table,) = standings(partitioned)
    assert (table.rows_in, table.partitions) == (300, ())
    partitioned.record(verdict("silver/readings", PASSED, partition="run_4", run_id="r-4", minutes=1))
    (table,) = standings(partitioned)
    assert (table.rows_in, len(table.partitions)) == (400, 4)


def test_a_blocked_partition_is_not_hidden_by_a_look_at_the_whole_table(partitioned: History) -> None:
    partitioned.record(verdict("silver/readings", NULLS, partition="run_2", run_id="r-5", batch="b-5", blocked=True))
    partitioned.record(verdict("silver/readings", PASSED, run_id="whole", batch=""))
    (table,) = standings(partitioned)
    assert ([each.partition for each in table.blocked], len(table.partitions)) == (["run_2"], 3)


# --- which tables ----------------------------------------------------------------------------------


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
    assert last.startswith("No verdict yet: gold/carrier_delays, ")
    assert "silver/sales" not in last
    assert dq("report", "--table", "flights", **environment).stdout == "No verdict yet of silver/flights.\n"


def test_a_faulty_project_hides_no_verdict(dq: Dq, history: History, tmp_path: Path) -> None:
    history.record(verdict("silver/sales", PASSED))
    (tmp_path / "c" / "shop").mkdir(parents=True)
    (tmp_path / "c" / "shop" / "sales.yaml").write_text("surce: {}\n", encoding="utf-8")
    ran = dq("report", DQ_LAKE="lake", DQ_CONFIG="c")
    assert (ran.returncode, "silver/sales" in ran.stdout) == (0, True)
    assert ran.stderr.startswith("tables without a verdict are not listed: c/shop/sales.yaml:1: ")


def test_a_history_that_cannot_be_read_is_one_sentence(dq: Dq, tmp_path: Path) -> None:
    (tmp_path / "h.db").write_bytes(b"no database, but long enough to look at" * 100)
    ran = dq("report", DQ_HISTORY_URL=f"sqlite:///{tmp_path}/h.db")
    assert (ran.returncode, ran.stdout, "Traceback" in ran.stderr) == (2, "", False)
    assert len([line for line in ran.stderr.splitlines() if line.startswith("history at ")]) == 1


# --- programs --------------------------------------------------------------------------------------


def test_json_is_a_list_of_the_latest_results(dq: Dq, history: History) -> None:
    history.record(verdict("silver/sales", TOLERATED, MEAN))
    found = json.loads(dq("report", "--json", DQ_LAKE="lake").stdout)
    assert {each["rule"]: each for each in found} == {
        TOLERATED.rule: {
            "table": "silver/sales", "partition": None, "rule": TOLERATED.rule, "column": "shop",
            "check": TOLERATED.check, "severity": "warning", "success": True, "blocks": False, "element_count": 100,
            "missing_count": 50, "unexpected_count": 5, "unexpected_percent": 10.0, "observed_value": None, "error": None,
            "batch": "b-1", "run_id": "run", "judged_at": (NOW - timedelta(minutes=5)).isoformat(),
        },
        MEAN.rule: {
            "table": "silver/sales", "partition": None, "rule": MEAN.rule, "column": "amount",
            "check": MEAN.check, "severity": "warning", "success": False, "blocks": False, "element_count": None,
            "missing_count": None, "unexpected_count": None, "unexpected_percent": None, "observed_value": 12.5,
            "error": None, "batch": "b-1", "run_id": "run", "judged_at": (NOW - timedelta(minutes=5)).isoformat(),
        },
    }  # fmt: skip


@pytest.mark.usefixtures("partitioned")
def test_json_has_an_entry_for_each_partition(dq: Dq) -> None:
    found = json.loads(dq("report", "--json", "--table", "readings", DQ_LAKE="lake").stdout)
    means = {each["partition"]: each["observed_value"] for each in found if each["rule"] == MEAN.rule}
    assert means == {"run_1": 21.0, "run_2": 22.0, "run_3": 23.0}


def test_json_is_json_whatever_was_observed(dq: Dq, history: History) -> None:
    odd = result(MEAN.rule, "x", unexpected_count=None, observed_value=[float("nan"), {"a": float("-inf")}])
    history.record(verdict("silver/sales", odd))
    text = dq("report", "--json", DQ_LAKE="lake").stdout
    assert json.loads(text, parse_constant=pytest.fail)[0]["observed_value"] == ["nan", {"a": "-inf"}]


# --- the page --------------------------------------------------------------------------------------


def test_the_page_says_the_same_and_needs_nothing_else(dq: Dq, history: History, tmp_path: Path) -> None:
    history.record(verdict("silver/sales", PASSED, MEAN, NULLS, TOLERATED))
    odd = result("expect_column_values_to_be_in_set", "<b>&", success=False, unexpected_count=1)
    history.record(verdict("gold/value", odd))
    ran = dq("report", "--html", "out/r.html", DQ_LAKE="lake", DQ_CONFIG="none")
    assert (ran.returncode, ran.stdout) == (0, "")
    assert ran.stderr.splitlines()[-1] == "wrote out/r.html"
    page = (tmp_path / "out" / "r.html").read_text(encoding="utf-8")
    for said in ("silver/sales", "2 of 100 rows (2.00 %)", "observed 12.5", "within mostly", "2 of 4 rules failed"):
        assert said in page
    assert "&lt;b&gt;&amp;" in page
    assert "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:" in page
    assert re.findall(r"<(?:link|img|iframe)\b|<script[^>]* src=", page) == []


def test_page_and_json_at_once(dq: Dq, history: History, tmp_path: Path) -> None:
    history.record(verdict("silver/sales", PASSED))
    ran = dq("report", "--html", "r.html", "--json", DQ_LAKE="lake")
    assert len(json.loads(ran.stdout)) == 1
    assert (tmp_path / "r.html").is_file()


def test_a_page_that_cannot_be_written_is_one_sentence(dq: Dq, history: History, tmp_path: Path) -> None:
    history.record(verdict("silver/sales", PASSED))
    (tmp_path / "file").touch()
    ran = dq("report", "--html", "file/r.html", DQ_LAKE="lake")
    assert ran.returncode == 2
    assert ran.stderr.splitlines()[-1].startswith("file")


def test_an_input_that_stands_aside_is_told_as_long_as_it_does(shop: Workshop, dq: Dq) -> None:

    def report(*arguments: str) -> str:
        root = shop.root
        places = {"DQ_LAKE": f"{root}/lake", "DQ_HISTORY_URL": f"sqlite:///{root}/history.db"}
        # A terminal breaks lines, and where it does depends on how long this test's paths are.
        return " ".join(dq("report", *arguments, DQ_CONFIG=f"{root}/assets_config", **places).stdout.split())

    shop.table("t", f'source: {{type: csv, path: "{shop.landing}/t/*"}}')
    shop.land("t/b.csv.gz", gzip.compress(b"id\n1\n2\n3\n")[:20])
    shop.run("t")
    assert "wanted a whole gzip archive, got a truncated one" in report()
    [found] = json.loads(report("--json"))
    assert (found["table"], found["rule"], found["success"]) == ("silver/t", "inputs_readable", False)
    shop.land("t/a.csv", "id\n1\n")
    shop.run("t")
    latest = shop.history.latest("silver/t")
    assert latest is not None
    assert [result.success for result in latest.results if result.check == "inputs_readable"] == [False]
    assert latest.score == 100
    assert "wanted a whole gzip archive, got a truncated one" in report()
    (shop.landing / "t/b.csv.gz").unlink()
    shop.run("t")  # nothing new: no verdict, and yet nothing stands aside any more
    assert "gzip archive" not in report()
    assert "inputs_readable" not in report("--json")


def test_columns_that_changed_are_told_in_words(dq: Dq, shop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    """What Dagster showed in the check `schema_drift` stands in the report too, blocked or taken on."""
    text = 'source: {type: csv, path: "{landing}/NAME/*.csv"}\nschema: POLICY\nsilver: {}\n'
    policies = {"kept": "strict", "grown": "add_columns"}
    for name, policy in policies.items():
        shop.table(name, text.replace("NAME", name).replace("POLICY", policy))
        shop.land(f"{name}/a.csv", "id\n1\n")
    assert shop.run().success
    for name in policies:
        shop.land(f"{name}/b.csv", "id,colour\n2,red\n")
    shop.run()
    monkeypatch.setenv("DQ_HISTORY_URL", shop.history.url)
    said = " ".join(dq("report").stdout.split())
    assert "new column 'colour' (to take it on, write schema: add_columns, or run with mode: rerun)" in said
    assert "colour new: taken on" in said
    found = {
        each["table"]: each for each in json.loads(dq("report", "--json").stdout) if each["rule"] == "schema_drift"
    }
    assert (found["silver/kept"]["blocks"], found["silver/grown"]["blocks"]) == (True, False)
    assert (found["silver/kept"]["success"], found["silver/grown"]["success"]) == (False, False)
    assert [row["column"] for row in found["silver/grown"]["observed_value"]] == ["colour"]
