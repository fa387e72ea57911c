"""Progress: what a run tells of itself while it goes on, as its event log has it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import dagster as dg
import polars as pl
import pytest

from dq_pipelines.orchestration.steps.progress_events import progress_of
from dq_pipelines.pipeline.runtime import progress
from dq_pipelines.pipeline.runtime.progress import EVERY, Progress
from dq_pipelines_tests.workshop import Ran, Workshop

ROWS = 1_500_000

WIDE = """
    source: {type: csv, path: "{landing}/wide.csv"}
    silver:
      columns: {id: int64, text: string}
STEPS      rules:
        - {type: expect_column_values_to_be_unique, column: id, on_failure: warn}
        - {type: expect_column_values_to_be_between, column: id, max_value: 1400000, on_failure: quarantine, mostly: 0.5}
REGEXES
"""
REGEXES = "\n".join(
    f'        - {{type: expect_column_values_to_not_match_regex, column: text, regex: "(a|b+)([0-9]x?){{{n}}}$"}}'
    for n in range(1, 12)
)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workshop]:
    workshop = Workshop(tmp_path_factory.mktemp("progress"))
    rows = pl.select(id=pl.int_range(ROWS)).lazy().with_columns(text="text-" + pl.col("id").cast(pl.String))
    workshop.landing.mkdir()
    rows.sink_csv(workshop.landing / "wide.csv")
    workshop.table("wide", WIDE.replace("REGEXES", REGEXES).replace("STEPS", ""))
    workshop.table("staged", WIDE.replace("REGEXES", "").replace("STEPS", '      transform: [{filter: "id >= 0"}]\n'))
    workshop.table("small", 'source: {type: csv, path: "{landing}/small.csv"}\nsilver: {columns: {n: int64}}')
    workshop.table(
        "pairs",
        "gold: {sql: 'select count(*) as n from silver.small a, silver.small b where hash(a.n * b.n) % 99 = 7'}",
    )
    workshop.land("small.csv", "n\n" + "".join(f"{n}\n" for n in range(10_000)))
    with workshop.instance:
        yield workshop


@pytest.fixture(scope="module")
def wide(shop: Workshop) -> Ran:
    ran = shop.run("wide")
    assert ran.success
    return ran


def told(shop: Workshop, ran: Ran) -> list[Progress]:
    entries = shop.instance.all_logs(ran.run_id)
    return [found for entry in entries if (found := progress_of(entry)) is not None]


@pytest.mark.slow
def test_a_long_run_tells_once_a_second_how_far_it_has_come(shop: Workshop, wide: Ran) -> None:
    progress = told(shop, wide)
    judging = [one for one in progress if one.stage == "judge" and one.rows and not one.note]
    assert len(judging) >= 1, f"the run was too short to tell: {progress}"
    for one in judging:
        assert one.total_rows is not None
        assert abs(one.total_rows - ROWS) < 0.1 * ROWS
        assert one.percent is not None
        assert 0 < one.percent < 100
        assert one.rows_per_second is not None
        assert one.rows_per_second > 0
    rows = [one.rows for one in judging]
    assert rows == sorted(rows)
    # Apart from the beginning of a stage, of looking beside the scan, and the end: a second.
    same = [(a, b) for a, b in pairwise(progress) if (a.stage, a.note) == (b.stage, b.note)]
    assert all((b.at - a.at).total_seconds() > EVERY - 0.1 for a, b in same)
    assert len(progress) < progress[-1].seconds + 12


def test_the_last_word_says_what_every_rule_and_stage_did(shop: Workshop, wide: Ran) -> None:
    ran, last = wide, told(shop, wide)[-1]
    assert (last.stage, last.percent, last.rows) == ("done", 100, ROWS)
    assert (last.rules_done, last.rules_total) == (13, 13)
    unexpected = {name.partition(":")[2]: count for name, count in ran.unexpected().items()}
    assert last.failing == {name: count for name, count in unexpected.items() if name in last.passed}
    assert last.failing == {"id__between": ROWS - 1_400_001}
    checks = {name.partition(":")[2]: check.passed for name, check in ran.checks.items()}
    assert last.passed == {name: checks[name] for name in last.passed}
    assert last.refused == ROWS - 1_400_001
    assert [one.stage for one in last.stages] == ["read", "judge", "land", "quarantine", "publish"]


@pytest.mark.slow
def test_a_batch_that_is_staged_first_is_counted_on_its_way_to_bronze(shop: Workshop) -> None:
    ran = shop.run("staged")
    last = told(shop, ran)[-1]
    stages = {one.stage: one.rows for one in last.stages}
    assert list(stages) == ["read", "land", "judge", "quarantine", "publish"]
    assert [one.rows for one in last.stages if one.stage == "land"] == [ROWS, 0]
    assert stages["judge"] == ROWS
    only_bronze = Workshop(shop.root / "bronze", shop.instance)
    only_bronze.table("alone", 'source: {type: csv, path: "{landing}/*.csv"}')
    only_bronze.land("a.csv", "n\n1\n2\n")
    landed = told(shop, only_bronze.run("bronze/alone"))[-1]
    assert [(one.stage, one.rows) for one in landed.stages] == [("read", 0), ("land", 2)]


def test_a_run_within_the_interval_tells_that_it_began_and_ended(
    shop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "EVERY", 600)  # so that no machine is too slow
    ran = shop.run("small")
    assert [one.stage for one in told(shop, ran)] == ["read", "done"]
    again = shop.run("small")
    assert [one.stage for one in told(shop, again)] == ["read", "done"]
    alone = shop.run(checks=["silver/small:rows_accounted_for"])
    assert [one.stage for one in told(shop, alone)] == ["judge", "done"]


def test_gold_tells_of_its_query(shop: Workshop) -> None:
    shop.run("small")
    progress = told(shop, shop.run("pairs"))
    assert progress[0].stage == "query"
    assert [one.stage for one in progress[-1].stages] == ["query", "judge", "publish"]


def test_nothing_else_is_in_the_log_for_it(shop: Workshop) -> None:
    """No asset has another entry than what was materialized and checked."""
    ran = shop.run("small", mode="rerun")
    events = [entry.dagster_event for entry in shop.instance.all_logs(ran.run_id) if entry.dagster_event]
    kinds = {event.event_type for event in events if event.asset_key is not None}
    assert dg.DagsterEventType.ASSET_OBSERVATION not in kinds
    assert len([event for event in events if event.event_type is dg.DagsterEventType.ASSET_MATERIALIZATION]) == 3
    engine = [event for event in events if event.event_type is dg.DagsterEventType.ENGINE_EVENT and event.step_key]
    assert {event.step_key for event in engine} == {"small"}


def test_repeated_keys_that_refuse_are_told_as_a_pass_of_its_own(tmp_path: Path, shop: Workshop) -> None:
    own = Workshop(tmp_path, shop.instance)
    own.table(
        "keys",
        """
        source: {type: csv, path: "{landing}/k.csv"}
        silver: {rules: [{type: expect_column_values_to_be_unique, column: n, mostly: 0.1}]}
        """,
    )
    own.land("k.csv", "n\n1\n2\n2\n3\n")
    last = told(shop, own.run("keys"))[-1]
    assert [(one.stage, one.rows) for one in last.stages if one.stage == "judge"] == [("judge", 4), ("judge", 4)]
    assert last.failing == {"n__unique": 2}
    assert last.refused == 2


def test_what_is_written_can_be_read(shop: Workshop) -> None:
    for one in told(shop, shop.run("small", mode="rerun")):
        assert Progress.of_json(one.to_json()) == one
        assert str(one).startswith("silver/small: ")
