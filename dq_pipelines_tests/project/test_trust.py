"""Attacks by a table's file that came over the network: when it is sent, and later, when what it means has changed."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from dq_pipelines.errors import ConfigError
from dq_pipelines.project import load_project
from dq_pipelines.project.author_sql import objection
from dq_pipelines.project.authors import Author, authorship_path
from dq_pipelines.project.editing import Editing
from dq_pipelines.project.files import TableFile, mark_of, table_files

SOURCE = "source: {type: csv, path: '${DQ_LANDING}/shop/sales/*.csv'}\n"
YVES = Author("yves", ("domain:shop",))
ADAM = Author("adam", functions=True)
EVIL = [{"type": "python", "function": "evil_on_import:run"}]
GOOD = [{"type": "expect_column_values_to_not_be_null", "column": "id"}]


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DQ_LANDING", str(tmp_path / "landing"))
    for folder in ("assets_config/shop", "assets_config/yard", "landing/shop", "landing/yard", "secret"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "evil_on_import.py").write_text(f"open({str(tmp_path / 'was_here')!r}, 'w')")
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path / "assets_config"


def file_of(root: Path, name: str = "sales") -> TableFile:
    return table_files(root).get(name) or TableFile(name, "shop", root / "shop" / f"{name}.yaml")


def send(root: Path, text: str, author: Author = YVES, name: str = "sales") -> None:
    """What the gateway does with a table that somebody sends."""
    editing, file = Editing(root, author.name), file_of(root, name)
    with editing.alone():
        editing.checked(file, text.encode(), author)
        if file.path.exists():
            editing.change(file, text.encode(), mark_of(file.content), author)
        else:
            editing.create(file, text.encode(), author)


def refusal(root: Path) -> str:
    """What is said when the project is loaded; nothing of the user's own is imported by that."""
    with pytest.raises(ConfigError) as said:
        load_project(root)
    assert not (root.parent / "was_here").exists()
    return str(said.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (SOURCE + "silver: {transform: [{sql: \"select * from self union select * from read_${X:-csv}('/etc/passwd')\"}]}", "which reads files"),  # noqa: S608
        (SOURCE + "silver: {rules: [{type: 'evil_on_import${X:-:}Expect'}]}", "wanted no Python"),
        ("source: {type: csv, path: '${DQ_LANDING}/shop/${X:-..}/${X:-..}/secret/*.csv'}", "wanted a place below DQ_LANDING"),
        ("source: {type: csv, path: '${X:-/etc}/passwd'}", "wanted a place below DQ_LANDING"),
        (SOURCE + "silver: {rules: '${X:-..}/yard/suite.json'}", "wanted a suite below the table's own folder"),
        ("source: {type: csv, path: '${DQ_LANDING}/yard/*.csv'}", "in its folder shop/, got"),
        ("source: {type: csv, path: '${DQ_LANDING}/*/x.csv'}", "in its folder shop/, got"),
        ("source: {type: csv, path: '${DQ_LANDING}/shopping/x.csv'}", "in its folder shop/, got"),
        (SOURCE + "silver: {rules: '${DQ_LANDING}/shop/suite.json'}", "wanted a suite below the table's own folder"),
        (SOURCE + "silver: {rules: linked.json}", "wanted a suite below the table's own folder"),
        (SOURCE + "silver: {rules: evil.json}", "wanted no Python"),
        (SOURCE + "description: '${DQ_LAKE}'", "got ${DQ_LAKE}"),
        ("gold: {sql: \"select * from '/etc/passwd'\"}", "wanted SQL over"),
        ("gold: {sql: \"select * from glob('/etc/*')\"}", "table function glob"),
        ("gold: {sql: \"select current_setting('s3_secret_access_key') from silver.sales\"}", "the function current_setting"),
        (SOURCE + "silver: {rules: [{type: expect_column_values_to_match_regex, column: id, regex: '^(a+)+(?!b)$'}]}", "look-around"),
        (SOURCE + "silver: {rules: [{type: expect_column_values_to_match_json_schema, column: id, json_schema: {type: string, pattern: '(a+)+$'}}]}", "without patterns"),
        (SOURCE + "silver: {rules: [{type: unexpected_rows_expectation, unexpected_rows_query: \"with \\\"/etc/passwd\\\" as (select 1) select * from {batch}, read_csv('/etc/passwd')\"}]}", "query names"),  # noqa: S608
    ],
)  # fmt: skip
def test_what_a_text_means_is_judged_and_not_how_it_is_written(
    root: Path, monkeypatch: pytest.MonkeyPatch, text: str, said: str
) -> None:
    monkeypatch.setenv("DQ_REST_VARIABLES", "X")
    (root / "shop/evil.json").write_text(json.dumps(EVIL))
    (root.parent / "landing/shop/suite.json").write_text(json.dumps(GOOD))
    (root / "shop/linked.json").symlink_to(root.parent / "landing/shop/suite.json")
    with pytest.raises(ConfigError) as error:
        send(root, text)
    assert said in str(error.value)
    assert not (root.parent / "was_here").exists()
    assert not (root / "shop/sales.yaml").exists()


def test_a_suite_that_changes_after_the_table_was_accepted_is_judged_when_it_is_loaded(root: Path) -> None:
    suite = root / "shop/suite.json"
    suite.write_text(json.dumps(GOOD))
    send(root, SOURCE + "silver: {rules: suite.json}")
    assert len(load_project(root).tables["sales"].rules) == 1
    suite.write_text(json.dumps(EVIL))
    assert "suite.json:0: wanted no Python" in refusal(root).replace("suite.json:1:", "suite.json:0:")
    # A link to a suite that the author can write to is no suite of the folder either.
    suite.unlink()
    (root.parent / "landing/shop/suite.json").write_text(json.dumps(GOOD))
    suite.symlink_to(root.parent / "landing/shop/suite.json")
    assert "wanted a suite below the table's own folder" in refusal(root)


def test_a_variable_or_a_link_that_changes_later_is_judged_when_it_is_loaded(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DQ_REST_VARIABLES", "PART")
    monkeypatch.setenv("PART", "sales")
    send(root, "source: {type: csv, path: '${DQ_LANDING}/shop/${PART}/*.csv'}")
    assert load_project(root).tables
    monkeypatch.setenv("PART", "../../secret")
    assert "wanted a place below DQ_LANDING" in refusal(root)
    monkeypatch.setenv("PART", "sales")
    (root.parent / "landing/shop/sales").symlink_to(root.parent / "secret")
    assert "wanted a place below DQ_LANDING" in refusal(root)


def test_an_author_keeps_within_their_rights_whoever_deploys_the_files(root: Path, tmp_path: Path) -> None:
    send(root, SOURCE)
    shutil.copytree(root, tmp_path / "elsewhere")
    (tmp_path / "elsewhere/shop/sales.yaml").write_text(
        SOURCE + "silver: {transform: [{python: 'evil_on_import:run'}]}"
    )
    assert "wanted no Python" in refusal(tmp_path / "elsewhere")
    # Who answers for the table on the disk may take it over.
    authorship_path(tmp_path / "elsewhere/shop/sales.yaml").unlink()
    assert load_project(tmp_path / "elsewhere").tables


def test_a_note_of_the_author_that_cannot_be_read_trusts_nobody(root: Path) -> None:
    send(root, SOURCE)
    for text in ("", "{}", '{"name": "yves", "scopes": "x", "functions": true, "base": null}', "[" * 100_000):
        authorship_path(root / "shop/sales.yaml").write_text(text)
        assert "wanted who wrote this table over the network" in refusal(root)


def test_what_somebody_with_more_rights_wrote_may_stay_and_be_used_no_other_way(root: Path) -> None:
    (root / "shop/sales.yaml").write_text(
        "source: {type: csv, path: '${SECRET_PLACE:-/data}/x.csv'}\n"
        "silver: {transform: [{python: 'os.path:normpath'}], rules: [{type: python, function: 'operator:not_', column: id}]}\n"
    )
    before = (root / "shop/sales.yaml").read_text()
    send(root, "description: a table\n" + before)
    assert load_project(root).tables["sales"].model.description == "a table"
    for text in (
        before.replace("normpath", "realpath"),
        before.replace("column: id", "column: other"),
        before.replace("operator:not_", "operator:neg"),
        before.replace("'os.path:normpath'}", "'os.path:normpath'}, {python: 'os:getcwd'}"),
        before.replace("/data", "/etc"),
    ):
        with pytest.raises(ConfigError):
            send(root, text)
    # An admin of everything may name another function, and yves may then leave that where it is.
    send(root, before.replace("normpath", "abspath"), ADAM)
    send(root, before.replace("normpath", "abspath") + "description: again\n")
    with pytest.raises(ConfigError, match="wanted no Python"):
        send(root, before)


def test_no_suite_in_the_landing_folder_names_python_whoever_wrote_the_table(root: Path) -> None:
    suite = root.parent / "landing/shop/suite.json"
    (root / "shop/sales.yaml").write_text(SOURCE + "silver: {rules: '../../landing/shop/suite.json'}")
    suite.write_text(json.dumps(GOOD))
    assert load_project(root).tables
    suite.write_text(json.dumps(EVIL))
    assert "wanted no Python in a suite below DQ_LANDING" in refusal(root)


def test_a_file_in_the_place_of_its_authors_note_is_not_one_that_an_author_can_send(root: Path) -> None:
    send(root, SOURCE)
    for name in (".sales.author", "sales.author", ".sales"):
        file = TableFile(name, "shop", root / "shop" / f"{name}.yaml")
        with pytest.raises(ConfigError), Editing(root, "yves").alone():
            Editing(root, "yves").create(file, b"{}", YVES)
    with Editing(root, "yves").alone():
        Editing(root, "yves").delete(file_of(root), mark_of(file_of(root).content))
    assert list((root / "shop").iterdir()) == []


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("select * from self", ""),
        ("with a as (select id from self) select a.id, count(*) from a group by 1", ""),
        ("select * from silver.sales s left join gold.totals t on s.id = t.id", ""),
        ("select * from range(10)", ""),
        ("select * from self where a ~ '^x' and b in (select c from silver.x)", ""),
        ("attach '/etc/passwd' as x", "wanted one SELECT"),
        ("copy (select 1) to '/tmp/x'", "wanted one SELECT"),
        ("install httpfs", "wanted one SELECT"),
        ("pragma database_list", "wanted one SELECT"),
        ("set allowed_directories = ['/']", "wanted one SELECT"),
        ("select 1; attach 'x'", "2 statements"),
        ("select * into other from self", "got INTO"),
        ("select * from other", "got 'other'"),
        ("select * from system.silver.sales", "got 'system.silver.sales'"),
        ("select * from information_schema.tables", "information_schema"),
        ('select * from "/etc/passwd.csv"', "/etc/passwd.csv"),
        ("select * from self, lateral read_text('/etc/passwd')", "read_text"),
        ("select (select content from read_blob('/etc/passwd')) from self", "read_blob"),
        ("select * from /* */ read_csv /* */ ('x')", "read_csv"),
        ("select * from query('select 1')", "query"),
        ("select getenv('HOME') from self", "getenv"),
        ("select from where (", "does not parse"),
    ],
)  # fmt: skip
def test_sql_of_a_remote_author_reads_rows_and_nothing_else(sql: str, said: str) -> None:
    found = objection(sql, ("self",))
    assert said in found if said else not found, found
