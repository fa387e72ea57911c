"""The words for runs: every status has a word, filters and statuses share it, and a run says what it does."""

from __future__ import annotations

from typing import Any

import dagster as dg
import pytest

from dq_pipelines.web.dashboard.run_words import GROUPS, STATUSES, does, status_words


def test_every_status_of_dagster_has_a_word_and_a_filter() -> None:
    known = {status for status in dg.DagsterRunStatus if status.value not in ("MANAGED", "SUSPENDED")}
    assert STATUSES.keys() == {status.value for status in known}
    assert {status for group in GROUPS.values() for status in group} == known


def test_a_filter_is_named_as_the_statuses_that_it_shows() -> None:
    for group, statuses in GROUPS.items():
        words = {status_words(status)[1] for status in statuses} - {"being cancelled"}
        assert words == ({group} if statuses else set())


def run(job: str = "__ASSET_JOB", **config: Any) -> dg.DagsterRun:
    return dg.DagsterRun(job_name=job, run_config={"ops": {"one": {"config": config}}} if config else {})


@pytest.mark.parametrize(
    ("one", "word"),
    [
        (run(), "load"),
        (run(mode="incremental"), "load"),
        (run(mode="rerun"), "judge all again"),
        (run("checks__sales"), "rules"),
        (run("quarantine_replay", table="silver/sales"), "replay"),
        (run("quarantine_replay", table="silver/sales", dry_run=True), "try replay"),
        (run("quarantine_import", path="a.xlsx", dry_run=False), "import"),
        (run("upkeep"), "upkeep"),
    ],
)
def test_a_run_says_what_it_does(one: dg.DagsterRun, word: str) -> None:
    assert does(one) == word
