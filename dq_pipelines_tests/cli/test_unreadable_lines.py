"""`dq validate` and `dq suggest` on files of which not every line is a row: they say so, and exit 1 for unreadable ones."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

from dq_pipelines import suggest, validate
from dq_pipelines.engine.backends.frames import UnreadableLines
from dq_pipelines_tests.cli.conftest import Dq

BROKEN = "Sales of May\nid,amount\n" + "".join(f"{n},{n}\n" for n in range(20)) + "20,1,2\n21\n" + "22\n" * 6


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "d.csv").write_text(BROKEN, encoding="utf-8")
    (tmp_path / "good.csv").write_text("id,amount\n1,2\n\n", encoding="utf-8")
    (tmp_path / "n.ndjson").write_text('{"id": 1}\n{"id": \n', encoding="utf-8")
    (tmp_path / "r.yaml").write_text("- {type: expect_column_values_to_not_be_null, column: id}\n", encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize("engine", ["polars", "duckdb"])
def test_validate_counts_unreadable_lines_and_fails(dq: Dq, folder: Path, engine: str) -> None:
    ran = dq("validate", "d.csv", "r.yaml", "--engine", engine)
    assert ran.returncode == 1
    last = "1 of 1 rules passed, but 8 lines cannot be read, and no rule has judged them"
    assert ran.stdout.strip().splitlines()[-1] == last
    assert f"{folder}/d.csv: 28 records in 30 lines; no records: 1 preamble, 1 header" in ran.stderr
    assert "d.csv: 8 lines cannot be read:" in ran.stderr
    assert f"{folder}/d.csv:23: wanted 2 fields, got 3: '20,1,2'" in ran.stderr
    assert "and 3 more" in ran.stderr


@pytest.mark.usefixtures("folder")
def test_validate_tells_programs(dq: Dq) -> None:
    ran = dq("validate", "d.csv", "r.yaml", "--json")
    assert (ran.returncode, json.loads(ran.stdout)["meta"]["unreadable_lines"]) == (1, 8)
    assert dq("validate", "n.ndjson", "r.yaml").returncode == 1


def test_validate_passes_where_every_line_was_read(dq: Dq, folder: Path) -> None:
    ran = dq("validate", "good.csv", "r.yaml")
    assert ran.returncode == 0
    assert ran.stdout.strip().splitlines()[-1] == "1 of 1 rules passed"
    assert ran.stderr.strip() == f"{folder}/good.csv: 1 record in 3 lines; no records: 1 header, 1 blank"


def test_suggest_counts_unreadable_lines_and_fails(dq: Dq, folder: Path) -> None:
    ran = dq("suggest", "d.csv")
    assert ran.returncode == 1
    assert "amount" in ran.stdout, "what it suggests of the rows is printed all the same"
    assert "d.csv: 8 lines cannot be read:" in ran.stderr
    assert dq("suggest", "d.csv", "--apply").returncode == 1
    assert (folder / "assets_config").exists()
    assert dq("suggest", "good.csv").returncode == 0


@pytest.mark.parametrize("engine", ["polars", "duckdb"])
def test_python_is_warned_and_finds_the_count_in_the_verdict(folder: Path, engine: str) -> None:
    rules = [{"type": "expect_column_values_to_not_be_null", "column": "id"}]
    with pytest.warns(UnreadableLines, match=r"d\.csv: 8 lines cannot be read and are in none of its rows"):
        verdict = validate(folder / "d.csv", rules, engine=engine)
    assert verdict.success
    assert verdict.to_json_dict()["meta"]["unreadable_lines"] == 8
    with pytest.warns(UnreadableLines, match="8 lines cannot be read"):
        suggest(folder / "d.csv")
    assert "unreadable_lines" not in validate(folder / "good.csv", rules, engine=engine).meta


@pytest.mark.usefixtures("folder")
def test_suggest_names_the_nearest_file(dq: Dq) -> None:
    for name in ("goo.csv", "good"):
        ran = dq("suggest", name)
        assert (ran.returncode, len(ran.stderr.strip().splitlines())) == (2, 1)
        assert "(nearest: good.csv)" in ran.stderr


def test_records_of_a_parquet_file_are_counted_too(dq: Dq, folder: Path) -> None:
    times = pa.array([1, -1], pa.int32()).cast(pa.time32("ms"))
    parquet.write_table(pa.table({"id": [1, 2], "at": times}), folder / "p.parquet")
    for verb in (["validate", "p.parquet", "r.yaml"], ["suggest", "p.parquet"]):
        ran = dq(*verb)
        assert ran.returncode == 1
        assert ran.stderr.splitlines()[0] == "p.parquet: 1 line cannot be read:"
        assert len(ran.stderr.splitlines()) == 2
