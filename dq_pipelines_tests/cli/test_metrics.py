"""`dq metrics`: batches together, one after the other, and one partition against another."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from dq_pipelines_tests.workshop import Workshop

from .conftest import Dq

RUNS = """
    source: {type: csv, path: "{landing}/runs/*.csv"}
    partitions: {type: dynamic}
    silver: {columns: {value: float64}}
"""


Ask = Callable[..., str]


@pytest.fixture
def ask(dq: Dq, shop: Workshop) -> Ask:
    """What `dq metrics` says of two partitions that were run."""
    shop.table("runs", RUNS)
    shop.instance.add_dynamic_partitions("runs_files", ["one", "two"])
    for name, shift in (("one", 0), ("two", 100)):
        shop.land(f"runs/{name}.csv", "value\n" + "".join(f"{shift + number}\n" for number in range(50)))
        shop.run("runs", partition=name)

    def said(*arguments: str) -> str:
        ran = dq("metrics", *arguments, DQ_HISTORY_URL=shop.history.url)
        return ran.stdout or ran.stderr

    return said


def test_together(ask: Ask) -> None:
    found = json.loads(ask("runs", "--json"))
    assert (found["table"], found["batches"]) == ("silver/runs", 2)
    (value,) = found["columns"]
    assert (value["count"], value["mean"], value["min"], value["max"]) == (100, 74.5, 0, 149)
    assert "state" not in value
    assert "100 rows" in ask("silver/runs")


def test_one_partition_against_another(ask: Ask) -> None:
    (value,) = json.loads(ask("runs", "--partition", "two", "--against", "one", "--json"))["columns"]
    assert value["count"] == 50
    assert value["population_stability_index"] > 1
    (same,) = json.loads(ask("runs", "--partition", "two", "--against", "two", "--json"))["columns"]
    assert same["population_stability_index"] == 0
    assert "PSI" in ask("runs", "--against", "one")


def test_batch_by_batch(ask: Ask) -> None:
    points = json.loads(ask("runs", "--metric", "mean", "--column", "value", "--json"))
    assert [(point["value"], point["partition"]) for point in points] == [(24.5, "one"), (124.5, "two")]
    assert len(ask("runs", "--metric", "row_count").splitlines()) == 2
    assert ask("runs", "--metric", "row_count", "--until", "2001-01-01") == ""
    # a day is meant to its end
    today = points[0]["at"][:10]
    assert (
        len(ask("runs", "--metric", "row_count", "--since", today, "--until", points[1]["at"][:10]).splitlines()) == 2
    )
    assert ask("runs", "--metric", "row_count", "--until", f"{today}T00:00:00") == ""
    assert "wanted a day or a moment such as 2026-01-31" in ask("runs", "--until", "yesterday")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["rums"], "dq metrics: unknown table 'rums' (nearest: runs)"),
        (["runs", "--metric", "meen"], "dq metrics --metric: unknown metric 'meen' (nearest: mean)"),
        (
            ["runs", "--metric", "mean"],
            "dq metrics --metric: mean is a metric of a column: name the column with --column",
        ),
    ],
)
def test_what_is_not_there_is_told(ask: Ask, arguments: list[str], said: str) -> None:
    assert said in ask(*arguments)
