"""`dq report` as JSON, for programs, and as a page; and what all forms tell of inputs and columns."""

from __future__ import annotations

import gzip
import json
import re
from datetime import timedelta
from pathlib import Path

import pytest

from dq_pipelines.history.store.verdicts import History
from dq_pipelines_tests.cli.conftest import Dq
from dq_pipelines_tests.cli.report.conftest import MEAN, NOW, NULLS, PASSED, TOLERATED, result, verdict
from dq_pipelines_tests.workshop import Workshop

pytestmark = pytest.mark.slow


def test_json_is_a_list_of_the_latest_results(dq: Dq, history: History) -> None:
    history.record(verdict("silver/sales", TOLERATED, MEAN))
    found = json.loads(dq("report", "--json", DQ_LAKE="lake").stdout)
    assert {each["rule"]: each for each in found} == {
        TOLERATED.rule: {
            "table": "silver/sales", "partition": None, "rule": TOLERATED.rule, "column": "shop",
            "check": TOLERATED.check, "severity": "warning", "success": True, "blocks": False, "element_count": 100,
            "missing_count": 50, "unexpected_count": 5, "unexpected_percent": 10.0, "observed_value": None, "remark": None,
            "error": None,
            "batch": "b-1", "run_id": "run", "judged_at": (NOW - timedelta(minutes=5)).isoformat(), "recheck": False, "open_count": None,
            "table_status": "warning",
        },
        MEAN.rule: {
            "table": "silver/sales", "partition": None, "rule": MEAN.rule, "column": "amount",
            "check": MEAN.check, "severity": "warning", "success": False, "blocks": False, "element_count": None,
            "missing_count": None, "unexpected_count": None, "unexpected_percent": None, "observed_value": 12.5, "remark": None,
            "error": None, "batch": "b-1", "run_id": "run", "judged_at": (NOW - timedelta(minutes=5)).isoformat(), "recheck": False, "open_count": None,
            "table_status": "warning",
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


def test_the_page_says_the_same_and_needs_nothing_else(dq: Dq, history: History, tmp_path: Path) -> None:
    history.record(verdict("silver/sales", PASSED, MEAN, NULLS, TOLERATED))
    odd = result("expect_column_values_to_be_in_set", "<b>&", success=False, unexpected_count=1)
    history.record(verdict("gold/value", odd))
    ran = dq("report", "--html", "out/r.html", DQ_LAKE="lake", DQ_CONFIG="none")
    assert (ran.returncode, ran.stdout) == (0, "")
    assert ran.stderr.splitlines()[-1] == "wrote out/r.html"
    page = (tmp_path / "out" / "r.html").read_text(encoding="utf-8")
    for said in ("silver/sales", "2 of 100 rows (2.00 %)", "observed 12.5", "within mostly", "2 of 4 rules not met"):
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
    found, attempt = sorted(json.loads(report("--json")), key=lambda each: each["rule"] == "attempt")
    assert (attempt["rule"], attempt["table_status"]) == ("attempt", "error")
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
