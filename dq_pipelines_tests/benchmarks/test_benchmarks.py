"""The bench runs, and what is installed of its tools finds what was seeded. How fast they are is no test."""

from __future__ import annotations

from pathlib import Path

import pytest

from dq_pipelines_tests.benchmarks import __main__ as bench
from dq_pipelines_tests.benchmarks import column, many_batches, many_partitions, planted
from dq_pipelines_tests.benchmarks.measure import measured
from dq_pipelines_tests.benchmarks.suite import RULES, truth
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
@pytest.mark.parametrize("tool", bench.installed())
def test_a_tool_finds_what_was_seeded(tool: str, faulty: bool, folder: Path, rows: int) -> None:
    path = folder / ("lineitem_faulty.parquet" if faulty else "lineitem.parquet")
    assert measured("run", tool, str(path)).found == truth(rows, faulty=faulty)


@pytest.mark.parametrize("path", bench.PATHS)
def test_a_path_loses_no_row(path: str, folder: Path, rows: int) -> None:
    assert measured("path", path, str(folder / "lineitem.csv")).found == [rows]


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
