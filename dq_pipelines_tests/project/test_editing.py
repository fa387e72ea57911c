"""Files of a project changed from afar: whole or not at all, kept, and with nothing in them that is not for the sender."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from dq_pipelines.errors import ConfigError
from dq_pipelines.project import load_project
from dq_pipelines.project.authors import Author
from dq_pipelines.project.editing import Editing, NameTaken, ReadOnly, VersionConflict
from dq_pipelines.project.files import TableFile, mark_of, table_files

SALES = b"source: {type: csv, path: '${DQ_LANDING}/sales/*.csv'}\nsilver: {columns: {id: int64, price: double}}\n"
OTHER = SALES.replace(b"double", b"string")
ANN = Author("ann")
BY_ID = b"gold: {sql: select id from silver.sales}\n"


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DQ_LANDING", str(tmp_path / "landing"))
    folder = tmp_path / "assets_config" / "shop"
    folder.mkdir(parents=True)
    (tmp_path / "landing").mkdir()
    (folder / "sales.yaml").write_bytes(SALES)
    (folder / "by_id.yaml").write_bytes(BY_ID)
    return folder.parent


def file_of(root: Path, name: str, domain: str = "shop") -> TableFile:
    return table_files(root).get(name) or TableFile(name, domain, root / domain / f"{name}.yaml")


def checked(root: Path, content: str, name: str = "sales", *, functions: bool = False) -> None:
    Editing(root, "ann").checked(file_of(root, name), content.encode(), Author("ann", functions=functions))


def test_a_change_keeps_the_one_before_and_is_for_who_has_seen_it(root: Path) -> None:
    editing, file = Editing(root, "ann/../x"), file_of(root, "sales")
    with editing.alone():
        editing.change(file, OTHER, mark_of(SALES), ANN)
        with pytest.raises(VersionConflict, match="which has changed since"):
            editing.change(file, SALES, mark_of(SALES), ANN)
    (version,) = editing.versions("sales")
    assert (version.path.read_bytes(), version.replaced_by, version.domain) == (SALES, "ann_.._x", "shop")
    assert file.content == OTHER
    assert list(load_project(root).tables) == ["by_id", "sales"]
    assert [path.name for path in root.rglob(".*.dq-part")] == []


def test_the_last_versions_are_kept_and_git_leaves_them_alone(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DQ_VERSIONS", "3")
    editing, file = Editing(root, "ann"), file_of(root, "sales")
    texts = []
    with editing.alone():
        for number in range(6):
            texts.append(file.content)
            editing.change(file, b"# %d\n" % number + SALES, mark_of(texts[-1]), Author("ann", functions=True))
    kept = [version.path.read_bytes() for version in editing.versions("sales")]
    assert kept == texts[:-4:-1], "the newest first"
    subprocess.run(["git", "init", "-q"], cwd=root, check=True)
    shown = subprocess.run(["git", "status", "--short", "-uall"], cwd=root, check=True, capture_output=True, text=True)
    assert "shop/sales.yaml" in shown.stdout
    assert ".versions" not in shown.stdout
    monkeypatch.setenv("DQ_VERSIONS", "many")
    with pytest.raises(ConfigError, match="DQ_VERSIONS: wanted a number of versions"):
        editing.change(file, b"# 7\n" + SALES, mark_of(file.content), Author("ann", functions=True))


def test_a_file_that_is_gone_can_be_looked_up_still(root: Path) -> None:
    editing = Editing(root, "ann")
    with editing.alone():
        editing.delete(file_of(root, "by_id"), mark_of(BY_ID))
    assert list(table_files(root)) == ["sales"]
    assert editing.versions("by_id")[0].path.read_bytes() == BY_ID


def test_what_others_need_does_not_go(root: Path) -> None:
    with pytest.raises(ConfigError) as said:
        Editing(root, "ann").without(file_of(root, "sales"))
    assert str(said.value) == f"{root}/shop/by_id.yaml:1: unknown table 'silver.sales'"


@pytest.mark.parametrize(
    ("name", "domain"),
    [
        ("sales", "other"), ("../evil", "shop"), ("evil", ".."), ("evil", "/etc"), ("a/../b", "shop"), ("..%2fevil", "shop"),
        ("", "shop"), (".hidden", "shop"), ("Evil", "shop"), ("evil", ".versions"), ("evil\x00", "shop"), ("e" * 101, "shop"),
    ],
)  # fmt: skip
def test_a_name_that_is_none_is_no_file(root: Path, name: str, domain: str) -> None:
    before = sorted(root.parent.rglob("*"))
    editing = Editing(root, "ann")
    with pytest.raises((ConfigError, NameTaken)), editing.alone():
        editing.create(TableFile(name, domain, root / domain / f"{name}.yaml"), SALES, ANN)
    assert [path for path in sorted(root.parent.rglob("*")) if ".versions" not in str(path)] == before


def test_a_link_to_elsewhere_is_not_followed(root: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "table.yaml").write_bytes(SALES)
    (root / "linked").symlink_to(outside)
    (root / "shop/pointed.yaml").symlink_to(outside / "table.yaml")
    editing = Editing(root, "ann")
    with editing.alone():
        for file in (TableFile("fresh", "linked", root / "linked/fresh.yaml"), file_of(root, "pointed")):
            with pytest.raises(ConfigError, match="got a link to elsewhere"):
                _write(editing, file)
    assert [path.name for path in outside.iterdir()] == ["table.yaml"]
    assert (outside / "table.yaml").read_bytes() == SALES


def _write(editing: Editing, file: TableFile) -> None:
    if file.name == "fresh":
        editing.create(file, SALES, ANN)
    else:
        editing.change(file, OTHER, mark_of(SALES), ANN)


def test_where_it_is_read_only_nothing_changes(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DQ_CONFIG_READ_ONLY", "1")
    with pytest.raises(ReadOnly, match="DQ_CONFIG_READ_ONLY"), Editing(root, "ann").alone():
        raise AssertionError
    assert not (root / ".versions").exists()


ELSEWHERE = (
    "sql: select * from self union select * from ReAd_CsV('/etc/passwd')",
    'filter: "id in (select a from \\"read_csv\\" (\'http://10.0.0.1/x\'))"',
)
STEP = "silver: {transform: [{%s}]}"
SOURCE = "source: {type: csv, path: '${DQ_LANDING}/sales/*.csv'}\n"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("source: {type: csv, path: /etc/passwd}", "wanted a place below DQ_LANDING"),
        ("source: {type: csv, path: '${DQ_LANDING}/../secret/*.csv'}", "wanted a place below DQ_LANDING"),
        ("source: {type: csv, path: '${DQ_LANDING}/*/../../secret/*.csv'}", "wanted a place below DQ_LANDING"),
        ("source: {type: csv, path: '${DQ_LANDING}2/x.csv'}", "wanted a place below DQ_LANDING"),
        ("source: {type: csv, path: '${DQ_LANDING}/out/*.csv'}", "wanted a place below DQ_LANDING"),
        ("source: {type: csv, path: 'file:///etc/passwd'}", "wanted a place below DQ_LANDING"),
        ("source: {type: csv, path: '~/.ssh/id'}", "wanted a place below DQ_LANDING"),
        ("source: {type: delta, path: '${DQ_LAKE}/silver/salaries'}", "wanted a place below DQ_LANDING"),
        ("source: {type: csv, path: 's3://somebody/x.csv'}", "wanted a place below DQ_LANDING"),
        ("source: {type: csv, path: 'http://169.254.169.254/latest/meta-data'}", "wanted a place below DQ_LANDING"),
        ("source: {type: csv, path: 'http://2852039166/'}", "wanted a place below DQ_LANDING"),
        ("source: {type: parquet, path: 'http://[::ffff:127.0.0.1]/x'}", "wanted a place below DQ_LANDING"),
        ("source: {type: delta, path: 'abfss://c@127.0.0.1/x'}", "wanted a place below DQ_LANDING"),
        (SOURCE + "description: ${PATH}", "got ${PATH} (DQ_REST_VARIABLES names more)"),
        (SOURCE + "description: '${PATH:-x}'", "got ${PATH}"),
        (SOURCE + "x: &a ${HOME}\ndescription: *a", "got ${HOME}"),
        (SOURCE + "silver: {transform: [{python: 'os:getcwd'}]}", "wanted no Python from afar"),
        (SOURCE + "silver: {rules: [{type: python, function: 'os:getcwd'}]}", "wanted no Python from afar"),
        (SOURCE + "silver: {rules: [{type: python, kwargs: {function: 'os:getcwd'}}]}", "wanted no Python from afar"),
        (SOURCE + "silver: {rules: [{type: 'evil_on_import:Expect'}]}", "wanted no Python from afar"),
        (SOURCE + "silver: {rules: [{expectation_type: 'evil_on_import:Expect'}]}", "wanted no Python from afar"),
        (SOURCE + "silver: {rules: [{kwargs: {type: 'evil_on_import:Expect'}}]}", "wanted no Python from afar"),
        ("gold: {python: 'evil_on_import:run', inputs: [silver/sales]}", "wanted no Python from afar"),
        (SOURCE + "silver: {rules: ../../../etc/suite.json}", "wanted a suite below the table's own folder"),
        (SOURCE + "silver: {rules: /etc/suite.json}", "wanted a suite below the table's own folder"),
        (SOURCE + STEP % ELSEWHERE[0], "which reads files"),
        (SOURCE + STEP % ELSEWHERE[1], "wanted SQL"),
        (SOURCE + STEP.replace("transform", "rules") % "type: expect_rows_sql, sql: read_parquet('x') > 1", "read_parquet"),
        ("a: &a [1,1,1,1,1,1,1,1,1,1]\n" + "".join(f"{k}: &{k} [{','.join(['*' + chr(ord(k) - 1)] * 10)}]\n" for k in "bcdefgh"),
         "wanted at most 100,000 values"),
        ("a: " + "[" * 100 + "]" * 100, "wanted at most 60 levels"),
        ("a: &a [*a]", "which contains itself"),
        ("x: !!python/object/apply:os.system [id]", "wanted no tag"),
        ("x: " + "y" * 300_000, "wanted at most 262,144 bytes"),
        ("source: {type: cvs}", "unknown source 'cvs' (nearest: csv)"),
        ("source: {type: csv, path: '${DQ_LANDING}/x.csv'}\nsilver: {columns: {idd: int64}, keys: [id]}\nowner: x", "unknown key"),
    ],
)  # fmt: skip
def test_what_is_not_for_the_sender_is_refused_before_anything_of_it_is_done(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str, said: str
) -> None:
    (tmp_path / "evil_on_import.py").write_text(f"open({str(tmp_path / 'was_here')!r}, 'w')")
    (tmp_path / "secret").mkdir()
    (tmp_path / "landing/out").symlink_to(tmp_path / "secret")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(ConfigError) as error:
        checked(root, content)
    assert said in str(error.value)
    assert not (tmp_path / "was_here").exists()
    assert file_of(root, "sales").content == SALES


def test_what_stood_there_may_stay_and_what_is_allowed_may_come(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TILL", "/elsewhere")
    monkeypatch.setenv("TOKEN", "hunter2")
    before = "description: a\nsource: {type: csv, path: '${TILL}/*.csv'}\nsilver: {transform: [{python: 'os.path:normpath'}]}\n"
    file_of(root, "sales").path.write_text(before)
    file_of(root, "by_id").path.unlink()
    checked(root, before.replace("description: a", "description: b"))
    with pytest.raises(ConfigError, match="TILL"):
        checked(root, before.replace("description: a", "description: ${TILL}"))
    with pytest.raises(ConfigError, match="wanted no Python"):
        checked(root, before.replace("normpath", "realpath"))
    checked(root, before.replace("normpath", "realpath"), functions=True)
    monkeypatch.setenv("DQ_REST_VARIABLES", "TOKEN, OTHER")
    monkeypatch.setenv("DQ_REST_PLACES", "s3://ours/in,/data")
    checked(root, "description: ${TOKEN}\nsource: {type: csv, path: 's3://ours/in/x.csv'}")
    for place in ("s3://ours/in/../x.csv", "s3://ours/in%2F..%2Fx.csv", "s3://ours/inside/x.csv", "/data/../x.csv"):
        with pytest.raises(ConfigError, match="wanted a place below"):
            checked(root, f"source: {{type: csv, path: '{place}'}}")


def test_a_project_with_another_fault_can_be_mended_file_by_file(root: Path) -> None:
    (root / "shop/broken.yaml").write_text("source: {type: cvs}")
    (root / "shop/other.yaml").write_text("sourze: {}")
    checked(root, SOURCE, "broken")
    with pytest.raises(ConfigError) as said:
        checked(root, "source: {type: cvs}", "broken")
    assert "other.yaml" not in str(said.value)


def test_who_may_write_one_table_is_not_kept_from_it_by_the_fault_of_another(root: Path) -> None:
    (root / "shop/other.yaml").write_text("sourze: {}")
    content = SOURCE.replace("sales", "shop") + "description: mine\n"
    project = Editing(root, "ann").checked(file_of(root, "sales"), content.encode(), Author("ann", ("domain:shop",)))
    assert project.tables["sales"].model.description == "mine"
    (root / "project.yaml").write_text("nam: x")
    assert (
        not Editing(root, "ann")
        .checked(file_of(root, "sales"), content.encode(), Author("ann", ("domain:shop",)))
        .tables
    )


WRITER = """
import sys
from pathlib import Path
from dq_pipelines.project.authors import Author
from dq_pipelines.project.editing import Editing
from dq_pipelines.project.files import mark_of, table_files

root, texts = Path(sys.argv[1]), [Path(path).read_bytes() for path in sys.argv[2:]]
editing, file = Editing(root, "ann"), table_files(root)["sales"]
print("begun", flush=True)
while True:
    for text in texts:
        with editing.alone():
            editing.change(file, text, mark_of(file.content), Author("ann"))
        print("changed", flush=True)
"""


def test_a_writer_that_is_killed_leaves_the_one_before_or_the_one_after(root: Path, tmp_path: Path) -> None:
    texts = [content + b"# " + mark * 4_000_000 + b"\n" for content, mark in ((SALES, b"a"), (OTHER, b"b"))]
    paths = [tmp_path / "a.txt", tmp_path / "b.txt"]
    for path, text in zip(paths, texts, strict=True):
        path.write_bytes(text)
    (root / "shop/sales.yaml").write_bytes(texts[0])
    for changes in (0, 1, 3):
        before = len(Editing(root, "").versions("sales"))
        command = [sys.executable, "-c", textwrap.dedent(WRITER), str(root), *map(str, paths)]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as writer:
            assert writer.stdout is not None
            assert writer.stdout.readline() == b"begun\n"
            try:
                for _ in range(changes):
                    assert writer.stdout.readline() == b"changed\n"
                    # Who reads while it writes on sees a whole one, too.
                    assert file_of(root, "sales").content in texts
            finally:
                os.kill(writer.pid, signal.SIGKILL)
        # Wherever the kill has hit: what was said to be changed is, and the next change is there as a whole or not at all.
        assert file_of(root, "sales").content in texts
        versions = Editing(root, "").versions("sales")
        assert all(version.path.read_bytes() in texts for version in versions)
        assert len(versions) >= before + changes
    assert list(load_project(root).tables) == ["by_id", "sales"]
    with Editing(root, "ann").alone():  # nobody holds what a dead writer held, and what it left goes
        assert list(root.rglob("*.dq-part")) == []
