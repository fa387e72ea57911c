"""A run over a range of partitions: each has its batch, its verdict and its events; one that fails keeps no other from being done."""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from dq_pipelines.history.queries import wording
from dq_pipelines.history.queries.table_status import latest_status
from dq_pipelines.history.store.attempts import Attempts
from dq_pipelines.orchestration.runs.ended_runs import RunLog
from dq_pipelines.orchestration.sensors.findings import RunFindings
from dq_pipelines.orchestration.sensors.killed_attempts import missed_attempts
from dq_pipelines.orchestration.steps.progress_events import progress_of
from dq_pipelines_tests.forks import fork
from dq_pipelines_tests.workshop import Ran, Workshop

DAYS = """
    source: {type: csv, path: "{landing}/days/*.csv"}
    partitions: {type: daily, start: 2024-01-01, in_path: "%Y-%m-%d"}
    silver:
      columns: {id: int64}
      rules:
        - {type: expect_column_values_to_be_between, column: id, min_value: 0}
        - {type: expect_table_row_count_to_be_between, max_value: 3}
    """
WHOLE = """
    source: {type: csv, path: "{landing}/whole/*.csv"}
    silver: {columns: {id: int64}}
    """
MANY = "gold: {sql: select count(*) as many from silver.days}\n"

pytestmark = pytest.mark.slow


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Workshop]:
    workshop = Workshop(tmp_path)
    workshop.table("days", DAYS)
    workshop.table("whole", WHOLE)
    workshop.table("many", MANY)
    workshop.land("whole/w.csv", "id\n7\n")
    with workshop.instance:
        yield workshop


def land(shop: Workshop, day: int, *ids: int) -> None:
    shop.land(f"days/2024-01-{day:02}.csv", "id\n" + "".join(f"{each}\n" for each in ids))


def over(start: int, end: int) -> dict[str, str]:
    """The tags of a run over these days of January."""
    return {
        "dagster/asset_partition_range_start": f"2024-01-{start:02}",
        "dagster/asset_partition_range_end": f"2024-01-{end:02}",
    }


def materialized(ran: Ran, key: str) -> dict[str | None, object]:
    """How many rows each materialization of an asset says that it has published, by partition; exactly one for each."""
    events = [
        event.step_materialization_data.materialization for event in ran.result.get_asset_materialization_events()
    ]
    found = [(one.partition, one.metadata) for one in events if one.asset_key.to_user_string() == key]
    assert max(Counter(partition for partition, _ in found).values(), default=0) <= 1
    name = "published" if key.startswith("silver") else "dagster/row_count"
    return {partition: metadata[name].value if name in metadata else None for partition, metadata in found}


def passed(ran: Ran, check: str) -> dict[str | None, bool]:
    """By partition, how a check went."""
    return {one.partition: one.passed for one in ran.result.get_asset_check_evaluations() if one.check_name == check}


def outcomes(shop: Workshop, ran: Ran) -> dict[str | None, str]:
    of_run = Attempts(shop.history).of_run(ran.run_id)
    return {one.partition: one.outcome for one in of_run if one.table == "silver/days"}


def findings(shop: Workshop, ran: Ran) -> dict[str | None, bool]:
    """Whether the run went well for each partition, as alerts are told."""
    record = shop.instance.get_run_record_by_id(ran.run_id)
    assert record is not None
    found = RunFindings(RunLog(shop.instance, record), shop.project, shop.history, lambda _: None, {}).findings()
    return {one.partition: one.is_well for one in found if (one.event, one.about) == ("run_failed", "silver/days")}


def test_each_partition_is_a_batch_of_its_own_and_what_is_downstream_runs(shop: Workshop) -> None:
    for day, ids in {1: (1,), 2: (2, 3), 4: (4, -5)}.items():
        land(shop, day, *ids)
    ran = shop.run(tags=over(1, 4))
    assert ran.success
    days = [f"2024-01-0{day}" for day in (1, 2, 3, 4)]
    assert materialized(ran, "silver/days") == dict(zip(days, (1, 2, None, 1), strict=True))
    assert list(materialized(ran, "bronze/days")) == list(materialized(ran, "quarantine/days")) == days
    assert list(materialized(ran, "silver/whole")) == list(materialized(ran, "gold/many")) == [None]
    between = "expect_column_values_to_be_between__id"
    assert passed(ran, between) == {"2024-01-01": True, "2024-01-02": True, "2024-01-04": False}
    targets = {
        one.partition: one.target_materialization_data.storage_id
        for one in ran.result.get_asset_check_evaluations()
        if one.check_name == between and one.target_materialization_data is not None
    }
    for partition, storage_id in targets.items():
        wanted = dg.AssetRecordsFilter(asset_key=dg.AssetKey(["silver", "days"]), asset_partitions=[str(partition)])
        assert [one.storage_id for one in shop.instance.fetch_materializations(wanted, limit=9).records] == [storage_id]
    assert len(targets) == 3
    verdicts = [one for one in shop.history.of_run(ran.run_id) if one.table == "silver/days"]
    assert [(one.partition, one.rows_in, one.published) for one in verdicts] == [
        ("2024-01-01", 1, 1), ("2024-01-02", 2, 2), ("2024-01-04", 2, 1)
    ]  # fmt: skip
    assert outcomes(shop, ran) == dict(zip(days, ("published", "published", "nothing_new", "published"), strict=True))
    told = [progress for entry in shop.instance.all_logs(ran.run_id) if (progress := progress_of(entry)) is not None]
    notes = dict.fromkeys(one.note for one in told if one.table == "silver/days")
    assert list(notes) == [f"partition {day}, {number} of 4" for number, day in enumerate(days, start=1)]
    assert findings(shop, ran) == dict.fromkeys([None, *days], True)
    assert shop.rows("silver/days", "id", "_partition") == [
        (1, days[0]), (2, days[1]), (3, days[1]), (4, days[3])
    ]  # fmt: skip
    assert shop.rows("gold/many", "many") == [4]
    again = shop.run("days", tags=over(1, 4), mode="rerun")
    assert again.success
    assert materialized(again, "silver/days") == dict(zip(days, (1, 2, None, 1), strict=True))
    assert len(shop.rows("silver/days")) == 4
    assert shop.leftovers() == []


def test_one_that_is_blocked_or_fails_keeps_no_other_from_being_done(shop: Workshop) -> None:
    land(shop, 1, 1)
    land(shop, 2, 1, 2, 3, 4)
    shop.land("days/2024-01-03.csv", b"PK\x03\x04 no text")
    land(shop, 4, 4)
    ran = shop.run("days", "many", tags=over(1, 4))
    [said] = ran.failures.values()
    assert said.startswith(
        "silver/days: 2 of 4 partitions were not published: 2024-01-02 (nothing was published, batch b-"
    )
    assert "is blocked by expect_table_row_count_to_be_between (observed 4)), 2024-01-03 (" in said
    assert said.endswith("; 2024-01-01, 2024-01-04 are done")
    assert "\n" not in said
    assert list(materialized(ran, "silver/days")) == ["2024-01-01", "2024-01-04"]
    assert materialized(ran, "gold/many") == {}
    rows = "expect_table_row_count_to_be_between"
    assert passed(ran, rows) == {"2024-01-01": True, "2024-01-02": False, "2024-01-04": True}
    wanted = {"2024-01-01": "published", "2024-01-02": "blocked", "2024-01-03": "failed", "2024-01-04": "published"}
    assert outcomes(shop, ran) == wanted
    well = {day: outcome == "published" for day, outcome in wanted.items()}
    assert findings(shop, ran) == well | {None: True}, "a run that named no partition before is made up for"
    land(shop, 2, 1, 2)
    land(shop, 3, 3)
    before = shop.versions()["silver/days"]
    again = shop.run("days", "many", tags=over(1, 4))
    assert again.success
    assert shop.versions()["silver/days"] == before + 2, "what is published already is not published again"
    assert shop.rows("silver/days", "id") == [1, 1, 2, 3, 4]
    assert shop.rows("gold/many", "many") == [5]


#: Runs a range of days in a process of its own, and ends it, or has Dagster cancel the run, before the n-th commit.
CHILD = """
import os, signal, sys
from pathlib import Path
import dagster as dg
from dq_pipelines.pipeline.silver import commit
from dq_pipelines_tests.workshop import Workshop

root, how, calls = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
asked, publish = 0, commit.publish

def ending(*args, **kwargs):
    global asked
    asked += 1
    if asked == calls and how == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if asked == calls:
        [run] = instance.get_runs()
        instance.report_run_canceling(run)
    return publish(*args, **kwargs)

commit.publish = ending
with dg.DagsterInstance.local_temp(str(root / "dagster")) as instance:
    tags = {"dagster/asset_partition_range_start": "2024-01-01", "dagster/asset_partition_range_end": "2024-01-04"}
    Workshop(root, instance).run("days", tags=tags)
"""


@pytest.mark.parametrize("how", ["kill", "cancel"])
def test_a_range_that_is_broken_off_goes_on_where_it_was(tmp_path: Path, how: str) -> None:
    (tmp_path / "dagster").mkdir()
    with dg.DagsterInstance.local_temp(str(tmp_path / "dagster")) as instance:
        shop = Workshop(tmp_path, instance)
        shop.table("days", DAYS)
        for day in (1, 2, 3, 4):
            land(shop, day, day)
        # The 4th commit is of the second day's rows: its quarantine is written then.
        child = fork(CHILD, tmp_path, how, 4)
        status = child.ended()
        assert status == (-signal.SIGKILL if how == "kill" else status)
        done = ["2024-01-01"] if how == "kill" else ["2024-01-01", "2024-01-02"]
        assert sorted({row["_partition"] for row in shop.rows("silver/days")}) == done, child.said
        [run] = instance.get_runs()
        told = instance.fetch_materializations(dg.AssetKey(["silver", "days"]), limit=9).records
        assert [one.partition_key for one in told][::-1] == done
        if how == "kill":
            instance.report_run_failed(run)
        record = instance.get_run_record_by_id(run.run_id)
        assert record is not None
        missed = missed_attempts(RunLog(instance, record), shop.project, Attempts(shop.history).of_run(run.run_id))
        assert [one.partition for one in missed] == ["2024-01-03", "2024-01-04"]
        again = shop.run("days", tags=over(1, 4))
        assert again.success
        assert materialized(again, "silver/days") == {
            "2024-01-01": None, "2024-01-02": 1 if how == "kill" else None, "2024-01-03": 1, "2024-01-04": 1
        }  # fmt: skip
        assert shop.rows("silver/days", "id") == [1, 2, 3, 4]
        assert shop.leftovers() == []


BETWEEN, ROWS = "expect_column_values_to_be_between__id", "expect_table_row_count_to_be_between"


def test_checks_alone_judge_each_partition_of_a_range(shop: Workshop) -> None:
    for day in (1, 2, 4):
        land(shop, day, *range(day))
    assert shop.run("days", tags=over(1, 2)).success
    shop.table(
        "days", DAYS.replace("min_value: 0", "min_value: 1, severity: warning").replace("max_value: 3", "max_value: 1")
    )
    versions = shop.versions()
    ran = shop.run_job("checks__days", tags=over(1, 4))
    [said] = ran.failures.values()
    assert said == (
        "silver/days: 1 of 2 partitions does not pass: 2024-01-02 "
        "(expect_table_row_count_to_be_between: observed 2); 2024-01-01 passes"
    )
    assert passed(ran, BETWEEN) == {"2024-01-01": False, "2024-01-02": False}
    assert passed(ran, ROWS) == {"2024-01-01": True, "2024-01-02": False}
    assert ran.materialized == {}
    assert shop.versions() == versions
    log = [entry.user_message for entry in shop.instance.all_logs(ran.run_id)]
    assert any(
        "silver/days has no published rows of 2024-01-03, 2024-01-04, which are not judged" in said for said in log
    )
    verdicts = [one for one in shop.history.of_run(ran.run_id) if one.table == "silver/days"]
    assert [(one.partition, one.batch, one.blocked) for one in verdicts] == [
        ("2024-01-01", "", False), ("2024-01-02", "", True)
    ]  # fmt: skip
    assert outcomes(shop, ran) == {"2024-01-01": "checked", "2024-01-02": "checked"}
    alone = shop.run(checks=[f"silver/days:{BETWEEN}"], partition="2024-01-02")
    assert alone.number(f"silver/days:{BETWEEN}", "unexpected_count") == 1, "as in the range"
    stands = latest_status(shop.history, "silver/days")
    assert stands is not None
    assert [one.partition for one in stands.rechecks] == ["2024-01-01", "2024-01-02"]
    assert wording.recheck(stands) == ("a re-check of published rows found 2 rules failing in 2024-01-01, 2024-01-02")
    rows = stands.rule(ROWS)
    assert rows is not None
    assert rows.fails_in("2024-01-02")
    assert not rows.fails_in("2024-01-01")
    assert wording.found(rows).endswith("; re-check: 2024-01-02: observed 2")


def test_a_check_that_warns_fails_no_run_over_a_range(shop: Workshop) -> None:
    for day in (1, 2):
        land(shop, day, day)
    assert shop.run("days", tags=over(1, 2)).success
    shop.table("days", DAYS.replace("min_value: 0", "min_value: 2, severity: warning"))
    ran = shop.run(checks=[f"silver/days:{BETWEEN}"], tags=over(1, 2))
    assert ran.success
    assert passed(ran, BETWEEN) == {"2024-01-01": False, "2024-01-02": True}
    assert set(ran.checks) == {f"silver/days:{BETWEEN}"}


def test_checks_alone_of_what_is_not_published_are_refused(shop: Workshop) -> None:
    land(shop, 1, 1)
    assert shop.run("days", tags=over(1, 1)).success
    for tags, which in (
        (over(3, 3), "2024-01-03: nothing was judged; materialize it first"),
        (over(3, 4), "2024-01-03, 2024-01-04: nothing was judged; materialize them first"),
    ):
        [said] = shop.run(checks=[f"silver/days:{BETWEEN}"], tags=tags).failures.values()
        assert said == f"silver/days has no published rows of {which}"
    assert shop.run(checks=[f"silver/days:{BETWEEN}"]).success
