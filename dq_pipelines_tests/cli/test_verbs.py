"""The other verbs: what they print, what they write, how they end."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from dq_pipelines.cli import _VERBS

from .conftest import Dq

pytestmark = pytest.mark.slow


def test_help_and_version(dq: Dq) -> None:
    ran = dq("--help")
    assert ran.returncode == 0
    assert all(f" {verb} " in ran.stdout for verb in _VERBS)
    assert dq("--version").stdout.startswith("dq_pipelines ")


@pytest.mark.parametrize("verb", _VERBS)
def test_every_verb_has_help(verb: str, dq: Dq) -> None:
    ran = dq(verb, "--help")
    assert (ran.returncode, f"Usage: dq {verb}" in ran.stdout) == (0, True)


def test_unknown_verb(dq: Dq) -> None:
    ran = dq("chek")
    assert ran.returncode == 2
    assert "unknown verb 'chek' (nearest: check)" in ran.stderr


# --- suggest ---------------------------------------------------------------------------------------


def test_suggest_out_of_a_contract(dq: Dq, tmp_path: Path) -> None:
    contract = "apiVersion: v3.1.0\nschema:\n  - {name: a, properties: [{name: x, required: true}]}\n  - {name: b}\n"
    (tmp_path / "c.yaml").write_text(contract, encoding="utf-8")
    ran = dq("suggest", "--from-contract", "c.yaml")
    assert (ran.returncode, ran.stdout.count("\n---\n")) == (0, 1)
    (tmp_path / "conf" / "shop").mkdir(parents=True)
    ran = dq("suggest", "--from-contract", "c.yaml", "--schema-object", "a")
    (tmp_path / "conf" / "shop" / "a.yaml").write_text(ran.stdout, encoding="utf-8")
    assert dq("check", "conf", DQ_LANDING=str(tmp_path)).stdout.startswith("1 table, 1 rule in ")
    ran = dq("suggest", "--from-contract", "c.yaml", "--schema-object", "c")
    assert (ran.returncode, ran.stderr.startswith("c.yaml:2: no object 'c'")) == (2, True)
    assert dq("suggest", "c.yaml", "--schema-object", "b").stdout.startswith("# yaml-language-server")
    ran = dq("suggest")
    assert (ran.returncode, "wanted a file, a table of the project or --from-contract FILE" in ran.stderr) == (2, True)


# --- validate --------------------------------------------------------------------------------------

RULES = "rules:\n  - {type: expect_column_values_to_not_be_null, column: a}\n  - {type: expect_table_row_count_to_equal, value: 3}\n"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    (tmp_path / "d.csv").write_text("a,b\n1,x\n,y\n3,z\n", encoding="utf-8")
    (tmp_path / "r.yaml").write_text(RULES, encoding="utf-8")
    return tmp_path


@pytest.mark.usefixtures("data")
def test_validate_for_people(dq: Dq) -> None:
    ran = dq("validate", "d.csv", "r.yaml")
    assert ran.returncode == 1, ran.stderr
    lines = [line.split() for line in ran.stdout.splitlines()]
    assert ["FAIL", "expect_column_values_to_not_be_null", "a", "1", "of", "3", "rows", "fail"] in lines
    assert ["pass", "expect_table_row_count_to_equal", "3"] in lines
    assert lines[-1] == ["1", "of", "2", "rules", "passed"]


def test_validate_for_programs(dq: Dq, data: Path) -> None:
    (data / "r.yaml").write_text(RULES.replace("column: a", "column: b"), encoding="utf-8")
    ran = dq("validate", "d.csv", "r.yaml", "--format", "json", "--result-format", "boolean_only")
    verdict = json.loads(ran.stdout)
    assert (ran.returncode, verdict["success"]) == (0, True)
    assert [result["result"] for result in verdict["results"]] == [{}, {}]
    assert dq("validate", "d.csv", "r.yaml", "--json").returncode == 0


def test_validate_tells_what_another_engine_left_to_polars(dq: Dq, data: Path) -> None:
    (data / "r.yaml").write_text(RULES + "  - {type: expect_rows_sql, sql: b <> 'y'}\n", encoding="utf-8")
    ran = dq("validate", "d.csv", "r.yaml", "--engine", "duckdb")
    said = "expect_rows_sql: judged by Polars, not duckdb: the SQL is written for Polars, and dialects differ"
    assert ran.stdout.splitlines()[-2:] == [said, "1 of 3 rules passed"]


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")
def test_validate_writes_a_suite_for_gx(dq: Dq, data: Path) -> None:
    (data / "r.yaml").write_text(RULES + '  - {type: expect_rows_sql, sql: "b <> a"}\n', encoding="utf-8")
    ran = dq("validate", "d.csv", "r.yaml", "--export-suite", "orders.json")
    suite = json.loads((data / "orders.json").read_text(encoding="utf-8"))
    assert (ran.returncode, suite["name"], len(suite["expectations"])) == (1, "orders", 2)
    assert (
        "orders.json: kept in meta, not among the expectations: Great Expectations has no 'expect_rows_sql'"
        in ran.stderr
    )
    # What was written can be judged by, too; what GX lacks stays in meta.
    assert dq("validate", "d.csv", "orders.json").stdout.splitlines()[-1] == "1 of 2 rules passed"
    ran = dq("validate", "d.csv", "r.yaml", "--export-suite", "gone/orders.json")
    assert (ran.returncode, "gone/orders.json: the suite cannot be written" in ran.stderr) == (2, True)


@pytest.mark.usefixtures("data")
@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["gone.csv", "r.yaml"], "gone.csv"),
        (["d.txt.what", "r.yaml"], "d.txt.what"),
        (["d.csv", "gone.yaml"], "gone.yaml: wanted a file of rules, found none"),
        (["d.csv", "r.yaml", "--engine", "polar"], "unknown engine 'polar' (nearest: polars)"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(arguments: list[str], sentence: str, dq: Dq) -> None:
    ran = dq("validate", *arguments)
    assert (ran.returncode, ran.stdout, "Traceback" in ran.stderr) == (2, "", False)
    assert sentence in ran.stderr


WRONG = {
    "r.yaml": (
        "- {type: expect_column_values_to_be_null, column: a}\n- {type: expect_x}\n",
        "r.yaml:2: unknown type 'expect_x'",
    ),
    "s.json": (
        '{"expectations": [\n{"type": "expect_column_values_to_be_null", "kwargs": {"colum": "a"}}]}',
        "s.json:2: unknown key 'colum' (nearest: column)",
    ),
    "t.yaml": (
        "rules:\n  - {type: expect_column_values_to_be_in_set, column: a, value_set: [010]}\n",
        "t.yaml:2: wanted '010'",
    ),
    "u.yaml": ("rules: 5\n", "u.yaml: wanted a list of rules, or a mapping with `rules` or `expectations`, found none"),
    "v.json": ('{"expectations":\n [,]}', "v.json:2: wanted JSON, got: Expecting value"),
}


@pytest.mark.parametrize("name", WRONG)
def test_rules_are_refused_with_their_line(name: str, dq: Dq, data: Path) -> None:
    text, sentence = WRONG[name]
    (data / name).write_text(text, encoding="utf-8")
    ran = dq("validate", "d.csv", name)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert sentence in ran.stderr


def test_no_is_a_value(dq: Dq, data: Path) -> None:
    (data / "n.csv").write_text("a\nno\nyes\n", encoding="utf-8")
    (data / "r.yaml").write_text(
        "- {type: expect_column_values_to_be_in_set, column: a, value_set: [no, yes]}\n", encoding="utf-8"
    )
    assert dq("validate", "n.csv", "r.yaml").returncode == 0


# --- sample ----------------------------------------------------------------------------------------


def test_sample_writes_once(dq: Dq, tmp_path: Path) -> None:
    ran = dq("sample", "detector", "--size", "0.1", DQ_LANDING="in")
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.startswith("detector in in: ")
    assert list((tmp_path / "in" / "detector").glob("*.csv"))
    again = dq("sample", "detector", "--size", "0.1", "--json", DQ_LANDING="in")
    (truth,) = json.loads(again.stdout)
    assert (truth["domain"], truth["written"]) == ("detector", [])


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "wanted --all or some of flights, retail, detector, got neither"),
        (["flight"], "got 'flight' (nearest: flights)"),
        (["flights", "--size", "0"], "wanted a size above 0"),
        (["--list-sheets", "gone.xlsx"], "gone.xlsx"),
        (["flights", "--landing", "s3://bucket"], "wanted a folder of this machine"),
    ],
)
def test_sample_refuses_in_a_sentence(arguments: list[str], sentence: str, dq: Dq) -> None:
    ran = dq("sample", *arguments)
    assert (ran.returncode, ran.stdout, "Traceback" in ran.stderr) == (2, "", False)
    assert sentence in ran.stderr


def test_list_sheets(dq: Dq, tmp_path: Path) -> None:
    from openpyxl import Workbook

    book = Workbook()
    book.create_sheet("Zweites Blatt")
    book.save(tmp_path / "b.xlsx")
    assert dq("sample", "--list-sheets", "b.xlsx").stdout == "Sheet\nZweites Blatt\n"
    assert json.loads(dq("sample", "--list-sheets", "b.xlsx", "--json").stdout) == ["Sheet", "Zweites Blatt"]


# --- schema and docs -------------------------------------------------------------------------------


def test_docs_and_schema_are_those_of_the_code(dq: Dq, checkout: Path) -> None:
    for verb in ("schema", "docs"):
        ran = dq(verb, "--check", cwd=checkout)
        assert (ran.returncode, ran.stdout) == (0, ""), ran.stdout + ran.stderr


def test_stale_files_are_found_and_written(dq: Dq, checkout: Path, tmp_path: Path) -> None:
    shutil.copytree(checkout / "assets_config", tmp_path / "assets_config")
    assert dq("schema", "--check").stdout.splitlines() == [
        "docs/schema/project.json: stale; run `dq schema`",
        "docs/schema/table.json: stale; run `dq schema`",
    ]
    assert not (tmp_path / "docs").exists()
    assert dq("schema").stdout.splitlines() == ["wrote docs/schema/project.json", "wrote docs/schema/table.json"]
    assert (dq("schema", "--check").returncode, dq("schema").stdout) == (0, "")
    assert dq("docs", "--check").returncode == 1
    pages = ["rules.md", "configuration.md", "permissions.md", "casts.md", "gold.md", "openapi.json", "rest.md"]
    assert dq("docs").stdout.splitlines() == [f"wrote docs/{page}" for page in pages]
    assert dq("docs", "--check").returncode == 0


def test_a_file_must_point_to_its_schema(dq: Dq, tmp_path: Path) -> None:
    (tmp_path / "assets_config" / "a").mkdir(parents=True)
    (tmp_path / "assets_config" / "project.yaml").write_text("name: x\n", encoding="utf-8")
    pointer = "# yaml-language-server: $schema=../docs/schema/table.json\n"
    (tmp_path / "assets_config" / "a" / "t.yaml").write_text(pointer + "description: x\n", encoding="utf-8")
    ran = dq("schema")
    assert ran.returncode == 1
    wanted = "wanted the line `# yaml-language-server: $schema="
    assert ran.stdout.splitlines()[2:] == [
        f"assets_config/a/t.yaml:1: {wanted}../../docs/schema/table.json`, got '../docs/schema/table.json'",
        f"assets_config/project.yaml:1: {wanted}../docs/schema/project.json`, got none",
    ]
