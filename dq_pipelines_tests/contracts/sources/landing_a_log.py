"""A log of a new source lands, run by run: `python -m` runs it where the source is one of the project's."""

from __future__ import annotations

import sys
from pathlib import Path

import dagster as dg

from dq_pipelines.doctor.accounting import account
from dq_pipelines.lake.ledger import transactions
from dq_pipelines.pipeline.bronze.ingest import land
from dq_pipelines.pipeline.bronze.new_inputs import new_inputs
from dq_pipelines.pipeline.runtime.table_run import TableRun
from dq_pipelines_tests.workshop import Workshop

TABLE = """
    source: {type: offset_log, path: "{landing}/events.jsonl"}
    on_arrival: true
    silver:
      columns: {id: int64, at: string}
      rules: [{type: expect_column_values_to_be_between, column: id, min_value: 0, on_failure: quarantine}]
"""


def main(root: Path) -> None:
    """Raises AssertionError where a line is lost, or comes twice."""
    shop = Workshop(root)
    shop.table("events", TABLE)
    with shop.instance:
        run_by_run(shop)


def run_by_run(shop: Workshop) -> None:
    text = ""

    def append(more: str) -> None:
        nonlocal text
        text += more
        shop.land("events.jsonl", text)

    def ids() -> list[int]:
        return sorted(shop.rows("silver/events", "id"))

    work = TableRun(shop.project.tables["events"], shop.lake)
    append('{"id": 1, "at": "a"}\n{"id": -1, "at": "b"}\n')
    first = len(text)
    assert isinstance(shop.tick("events_arrivals"), dg.SensorResult)
    assert shop.run("events").success
    assert ids() == [1]
    assert new_inputs(work.table, work.lake) == []
    assert isinstance(shop.tick("events_arrivals"), dg.SkipReason)
    assert transactions(shop.lake.table("bronze/events"))["input:" + str(shop.landing / "events.jsonl")] == first

    append('{"id": 2, "at": "a"}\n{"id": 3')  # the last line is not whole yet
    (item,) = new_inputs(work.table, work.lake)
    assert (item.size, item.version.number) == (21, first + 21)
    assert shop.run("events").success
    assert ids() == [1, 2]

    append(', "at": "c"}\n')
    assert land(work) is not None
    append('{"id": 4, "at": "d"}\n')
    assert land(work) is not None, "two ranges wait, and neither takes the place of the other"
    assert land(work) is None
    assert shop.run("events").success
    assert ids() == [1, 2, 3, 4]
    path = str(shop.landing / "events.jsonl")
    assert {source.removeprefix(path) for source in shop.rows("bronze/events", "_source")} == {
        "#0",
        "#43",
        "#64",
        "#85",
    }

    assert shop.run("events", mode="rerun").success
    assert ids() == [1, 2, 3, 4]
    assert shop.rows("quarantine/events", "id") == ["-1"]
    found = account(work, shop.history)
    assert (found.nowhere, found.twice, found.unlanded) == ([], [], [])

    shop.land("events.jsonl", text[:first])
    ran = shop.run("events")
    assert "wanted at least the 106 bytes that have landed, got 43" in "".join(ran.failures.values())


if __name__ == "__main__":
    main(Path(sys.argv[1]).absolute())
