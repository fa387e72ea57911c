"""The bench runs, and what is installed of its tools finds what was seeded. How fast they are is no test."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from dq_pipelines_tests.benchmarks import (
    column,
    judging,
    many_batches,
    many_partitions,
    page_times,
    planted,
    project_size,
)
from dq_pipelines_tests.benchmarks.comparison import Goal
from dq_pipelines_tests.benchmarks.measure import ROOT, Measurement, measured
from dq_pipelines_tests.benchmarks.page import merged
from dq_pipelines_tests.benchmarks.path import by_hand, environment, ours, sections
from dq_pipelines_tests.benchmarks.path.outcome import expected
from dq_pipelines_tests.benchmarks.suite import COLUMNS, RULES, truth
from dq_pipelines_tests.benchmarks.table_project import write_project

pytestmark = pytest.mark.slow

#: Of TPC-H: 10,000 rows or so.
SCALE = 0.0017


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("lineitem")


@pytest.fixture(scope="module")
def rows(folder: Path) -> int:
    return int(measured("lineitem", str(folder), str(SCALE)).found[0])


@pytest.mark.parametrize("faulty", [True, False], ids=["faulty", "clean"])
@pytest.mark.parametrize("tool", judging.installed())
def test_a_tool_finds_what_was_seeded(tool: str, faulty: bool, folder: Path, rows: int) -> None:
    path = folder / ("lineitem_faulty.parquet" if faulty else "lineitem.parquet")
    assert measured("run", tool, str(path)).found == truth(rows, faulty=faulty)


@pytest.mark.parametrize("file", [sections.CSV, sections.PARQUET])
@pytest.mark.parametrize("tool", sections.installed(ROOT / ".bench"))
def test_a_path_keeps_and_refuses_what_was_seeded(tool: str, file: str, folder: Path, rows: int) -> None:
    described = sections.TOOLS[tool]
    if file not in described.files:
        pytest.skip(f"{described.title} does not read {file}")
    python = environment.python(ROOT / ".bench") if tool == "lakelogic" else None
    found = measured("path", tool, str(folder / file), python=python).found
    assert found == expected(rows, described.judged)[: len(found)]
    counts = {"copy": 1, "lakelogic": 2}
    assert len(found) == counts.get(tool, 2 + len(described.judged))


@pytest.mark.parametrize("without", ["sketches", "metrics", "quarantine", "rules", "rules_and_metrics", "casts_too"])
def test_a_path_without_a_stage_loses_no_row(without: str, folder: Path, rows: int) -> None:
    found = measured("path", "ours", str(folder / sections.CSV), without).found
    assert found == (expected(rows) if without in {"sketches", "metrics", "quarantine"} else [rows, 0])


@pytest.mark.usefixtures("rows")
def test_a_query_by_hand_writes_what_the_tables_hold(folder: Path, tmp_path: Path) -> None:
    by_hand.refine(folder / sections.CSV, tmp_path)
    ours.refine(folder / sections.CSV, tmp_path)
    key = ("l_orderkey", "l_linenumber", "l_comment")
    silver = pl.read_parquet(tmp_path / "lake" / "silver" / "lineitem" / "**" / "*.parquet")
    assert_frame_equal(pl.read_parquet(tmp_path / "silver.parquet").sort(key), silver.sort(key))
    for layer in ("bronze", "quarantine"):
        landed = pl.read_parquet(tmp_path / "lake" / layer / "lineitem" / "**" / "*.parquet").select(COLUMNS)
        written = pl.read_parquet(tmp_path / f"{layer}.parquet").select(COLUMNS)
        assert_frame_equal(written, landed, check_row_order=False)


def test_a_missed_goal_is_told() -> None:
    def run(cpu: float) -> Measurement:
        return Measurement(1, 1, cpu, 1, [])

    goal = Goal("ours", 1.35)
    assert goal.line(run(2.7), run(2)) == "Goal, ours: at most 1.35 × by CPU. Met: 1.35 ×.\n"
    assert goal.line(run(3), run(2)) == "Goal, ours: at most 1.35 × by CPU. Missed: 1.50 ×.\n"


def test_a_run_replaces_its_own_sections_of_the_page() -> None:
    page = "# Page\n\nHead\n\n## A: 6 rows\n\nold\n\n## By hand\n\nkept\n"
    text = "## A: 1,000 rows\n\nnew\n\n## B\n\nadded\n"
    assert merged(page, text) == "# Page\n\nHead\n\n## A: 1,000 rows\n\nnew\n\n## B\n\nadded\n\n## By hand\n\nkept\n"
    assert merged(page, "# Page\n\nNew head\n").startswith("# Page\n\nNew head\n\n## A: 6 rows")


@pytest.mark.parametrize("tool", column.TOOLS)
def test_a_tool_measures_a_column(tool: str, folder: Path) -> None:
    csv = folder / "column.csv"
    column.write(csv, 1_000)
    assert column.same(measured("column", tool, str(csv)).found, list(column.pandas(str(csv))))


@pytest.mark.skipif(not planted.is_installed(), reason="dqbench is not installed: it comes with the extra `bench`")
def test_suggested_rules_find_the_planted_errors_of_the_first_tier(tmp_path: Path) -> None:
    tier, line = planted.scored(1, tmp_path)
    assert (tier.precision, tier.recall) == (1.0, 1.0), line


def test_the_suite_is_of_the_size_it_says() -> None:
    assert len(RULES) == len(truth(1, faulty=False)) == len(truth(1, faulty=True)) == 39


@pytest.mark.parametrize(("most", "runs"), [(0, 1), (30, 4)])
def test_many_files_lose_no_row(most: int, runs: int) -> None:
    assert measured("many_files", "100", str(most)).found == [200, runs]


@pytest.mark.parametrize(("verb", "wanted"), [("run", 2), ("load", 12)])
def test_a_run_and_a_load_of_many_tables_do_their_work(verb: str, wanted: int, tmp_path: Path) -> None:
    write_project(tmp_path / "p", 12)
    assert measured("project_size", str(tmp_path / "p"), verb).found == [wanted]


def test_a_run_after_many_batches_does_its_work(tmp_path: Path) -> None:
    write_project(tmp_path / "p", 1)
    found = [measured("project_size", str(tmp_path / "p"), verb).found for verb in ("grow", "later", "later")]
    assert found == [[2 * batches] for batches in range(project_size.BATCHES, project_size.BATCHES + 3)]


def test_pages_about_many_tables_are_right(tmp_path: Path) -> None:
    write_project(tmp_path, 60)
    lines = list(page_times.sections(tmp_path, tables=60, verdicts=180))
    assert all(is_right for _, is_right in lines), lines
    assert len(lines) > 5


@pytest.mark.parametrize("verb", ["export", "import"])
def test_a_workbook_loses_no_row(verb: str) -> None:
    assert measured("workbooks", "50", verb).found == [50]


@pytest.mark.parametrize("mode", ["append", "merge"])
def test_batches_are_timed_one_by_one(tmp_path: Path, mode: str) -> None:
    seconds = list(many_batches.seconds_by_batch(tmp_path, 3, mode))
    assert len(seconds) == 3
    assert len(list(many_batches.windows(seconds * 60))) == 6


@pytest.mark.parametrize("mode", ["append", "merge"])
def test_a_file_of_one_partition_lands_among_others(tmp_path: Path, mode: str) -> None:
    assert len(list(many_partitions.seconds_by_run(tmp_path, 2, mode))) == many_partitions.RUNS
