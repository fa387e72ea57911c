"""Bad input: each ends in one clear sentence or is no trouble at all; nothing half published, other tables go on."""

from __future__ import annotations

import gzip
import threading
import time
from collections.abc import Callable
from pathlib import Path

import openpyxl
import pytest

from dq_pipelines_tests.workshop import Ran, Workshop

GOOD = "id,name\n1,a\n2,b\n"


def csv_table(shop: Workshop, name: str, path: str, more: str = "", silver: str = "") -> None:
    shop.table(
        name,
        f"""
        source: {{type: csv, path: "{shop.landing}/{path}"{more}}}
        silver:
          columns: {{id: int64, name: string}}
          {silver}
        """,
    )


@pytest.fixture
def neighbours(shop: Workshop) -> Workshop:
    """A table beside the bad one, which must come through whatever happens."""
    csv_table(shop, "good", "good.csv")
    shop.land("good.csv", GOOD)
    return shop


def run_both(shop: Workshop) -> Ran:
    ran = shop.run("bad", "good")
    assert shop.rows("silver/good", "id") == [1, 2], "the neighbour goes on"
    assert {"silver/good", "bronze/good"} <= set(ran.materialized)
    assert shop.leftovers() == []
    return ran


def one_sentence(ran: Ran) -> str:
    """What the failed step said: one line, and no Python in it."""
    assert set(ran.failures) == {"bad"}
    said = ran.failures["bad"]
    assert "\n" not in said, said
    assert "Traceback" not in said
    assert "Error:" not in said, said
    return said


# --- what cannot be read -------------------------------------------------------------------------------

Lay = Callable[[Workshop], None]


def truncated_gzip(shop: Workshop) -> None:
    whole = gzip.compress("".join(f"{i},name{i}\n" for i in range(5000)).encode())
    shop.land("bad/a.csv.gz", whole[: len(whole) // 2])
    csv_table(shop, "bad", "bad/*")


def no_gzip_at_all(shop: Workshop) -> None:
    shop.land("bad/a.csv.gz", GOOD)
    csv_table(shop, "bad", "bad/*")


def no_such_sheet(shop: Workshop) -> None:
    book = openpyxl.Workbook()
    book.create_sheet("Stock")
    shop.landing.mkdir(parents=True, exist_ok=True)
    book.save(shop.landing / "bad.xlsx")
    shop.table("bad", f'source: {{type: excel, path: "{shop.landing}/bad.xlsx", sheet: Stok}}')


def no_workbook(shop: Workshop) -> None:
    shop.land("bad.xlsx", "id,name\n1,a\n")
    shop.table("bad", f'source: {{type: excel, path: "{shop.landing}/bad.xlsx"}}')


def wrong_encoding(shop: Workshop) -> None:
    shop.land("bad.csv", "id,name\n1,Köln\n".encode("latin-1"))
    csv_table(shop, "bad", "bad.csv", ", encoding: utf-8")


def torn_parquet(shop: Workshop) -> None:
    shop.land("bad.parquet", b"PAR1" + b"\0" * 100)
    shop.table("bad", f'source: {{type: parquet, path: "{shop.landing}/bad.parquet"}}')


def missing_column(shop: Workshop) -> None:
    shop.land("bad.csv", "id,nmae\n1,a\n")
    csv_table(shop, "bad", "bad.csv")


def missing_folder(shop: Workshop) -> None:
    csv_table(shop, "bad", "goods/bad.csv")
    (shop.landing / "good").mkdir()


#: What is wrong -> what the sentence must hold.
FAILURES: dict[Lay, tuple[str, ...]] = {
    truncated_gzip: ("a.csv.gz", "wanted", "got"),
    no_gzip_at_all: ("a.csv.gz", "wanted", "got"),
    no_such_sheet: ("bad.xlsx", "'Stok'", "(nearest: Stock)"),
    no_workbook: ("bad.xlsx", "wanted", "got"),
    torn_parquet: ("bad.parquet", "wanted", "got"),
    missing_column: ("column 'name' wants the landed column 'name'", "(nearest: nmae)", "got: id, nmae"),
    missing_folder: ("wanted the folder", "goods", "(nearest: good)"),
}


@pytest.mark.parametrize("lay", FAILURES, ids=lambda lay: lay.__name__)
def test_one_sentence_and_nothing_published(neighbours: Workshop, lay: Lay) -> None:
    lay(neighbours)
    ran = run_both(neighbours)
    said = one_sentence(ran)
    for part in FAILURES[lay]:
        assert part in said, said
    assert not {"silver/bad", "quarantine/bad"} & set(neighbours.versions())
    assert not ran.retried


def test_wrong_encoding_loses_no_line(neighbours: Workshop) -> None:
    wrong_encoding(neighbours)
    ran = run_both(neighbours)
    landed = [*neighbours.rows("silver/bad", "name"), *(value for _, _, value in neighbours.refused("bad"))]
    if ran.failures:
        assert "bad.csv" in one_sentence(ran)
        assert landed == []
    else:
        assert len(landed) == 1


# --- empty, absent, new ---------------------------------------------------------------------------------

EMPTY = {"empty": "", "a byte order mark": "\ufeff", "blank lines": "\n\n\n"}


@pytest.mark.parametrize("text", EMPTY.values(), ids=EMPTY)
def test_an_empty_file_beside_a_full_one(neighbours: Workshop, text: str) -> None:
    neighbours.land("bad/a.csv", text)
    neighbours.land("bad/b.csv", GOOD)
    csv_table(neighbours, "bad", "bad/*.csv")
    ran = run_both(neighbours)
    assert ran.success
    assert "bad/a.csv is empty: wanted a header line, got" in str(ran.checks["bronze/bad:inputs_readable"].description)
    assert neighbours.rows("silver/bad", "id") == [1, 2]
    neighbours.land("bad/a.csv", "id,name\n3,c\n")
    assert run_both(neighbours).success
    assert neighbours.rows("silver/bad", "id") == [1, 2, 3]


def test_a_header_alone_is_a_batch_of_no_rows(neighbours: Workshop) -> None:
    neighbours.land("bad.csv", "id,name\n")
    csv_table(neighbours, "bad", "bad.csv", silver="rules: [{type: expect_column_values_to_not_be_null, column: id}]")
    ran = run_both(neighbours)
    assert ran.success
    assert ran.materialized["silver/bad"]["rows_in"] == 0
    assert ran.checks["silver/bad:id__not_null"].passed
    versions = neighbours.versions()
    assert run_both(neighbours).success
    assert neighbours.versions() == versions
    neighbours.land("bad.csv", GOOD)
    assert run_both(neighbours).success
    assert neighbours.rows("silver/bad", "id") == [1, 2]


def test_no_file_yet(neighbours: Workshop) -> None:
    (neighbours.landing / "bad").mkdir()
    csv_table(neighbours, "bad", "bad/*.csv")
    assert run_both(neighbours).success
    assert "silver/bad" not in neighbours.versions()
    neighbours.land("bad/a.csv", GOOD)
    assert run_both(neighbours).success
    assert neighbours.rows("silver/bad", "id") == [1, 2]


def test_a_new_column_lands_and_silver_asks_before_it_takes_it_on(neighbours: Workshop) -> None:
    neighbours.land("bad/a.csv", GOOD)
    csv_table(neighbours, "bad", "bad/*.csv")
    assert run_both(neighbours).success
    neighbours.land("bad/b.csv", "id,name,colour\n3,c,red\n")
    versions = neighbours.versions()
    said = one_sentence(run_both(neighbours))
    assert "is blocked by schema_drift (new column 'colour'" in said
    assert "mode: rerun" in said
    assert neighbours.rows("silver/bad", "id") == [1, 2]
    assert neighbours.versions()["silver/bad"] == versions["silver/bad"]
    assert neighbours.run("bad", mode="rerun").success
    assert neighbours.rows("silver/bad", "id", "colour") == [(1, None), (2, None), (3, "red")]
    assert neighbours.leftovers() == []


def test_refused_rows_are_in_quarantine_once_however_often_silver_cannot_take_the_batch(neighbours: Workshop) -> None:
    rules = "rules: [{type: expect_column_values_to_be_between, column: id, min_value: 0}]"
    csv_table(neighbours, "bad", "bad/*.csv", silver=rules)
    neighbours.land("bad/a.csv", GOOD)
    assert run_both(neighbours).success
    neighbours.land("bad/b.csv", "id,name,colour\n-3,c,red\n4,d,blue\n")
    for _ in range(3):
        one_sentence(run_both(neighbours))
    assert len(neighbours.rows("quarantine/bad")) <= 1
    assert neighbours.run("bad", mode="rerun").success
    assert neighbours.rows("quarantine/bad", "id") == ["-3"]


def test_a_type_that_changed(neighbours: Workshop) -> None:
    neighbours.land("bad/a.csv", GOOD)
    csv_table(neighbours, "bad", "bad/*.csv")
    assert run_both(neighbours).success
    neighbours.table(
        "bad",
        f'source: {{type: csv, path: "{neighbours.landing}/bad/*.csv"}}\nsilver: {{columns: {{id: string, name: string}}}}',
    )
    neighbours.land("bad/b.csv", "id,name\nx3,c\n")
    said = one_sentence(run_both(neighbours))
    assert "column 'id' was" in said
    assert neighbours.run("bad", mode="rerun").success
    assert neighbours.rows("silver/bad", "id") == ["1", "2", "x3"]


# --- what is changed or refused from outside --------------------------------------------------------------


def test_a_file_that_changes_while_it_is_read(neighbours: Workshop) -> None:
    """The file grows all the time, so that whenever it is looked at again it is another one."""
    path = neighbours.land("bad.csv", "id,name\n" + "".join(f"{i},n{i}\n" for i in range(50_000)))
    csv_table(neighbours, "bad", "bad.csv")
    settings = "retries: {tries: 2, wait: 10ms}\n"
    (neighbours.root / "assets_config/project.yaml").write_text(settings, encoding="utf-8")
    done = threading.Event()

    def write_on() -> None:
        number = 50_000
        while not done.is_set():
            with path.open("a", encoding="utf-8") as file:
                file.write(f"{number},more\n")
            number += 1
            time.sleep(0.002)

    writer = threading.Thread(target=write_on)
    writer.start()
    try:
        ran = run_both(neighbours)
    finally:
        done.set()
        writer.join()
    said = one_sentence(ran)
    assert str(path) in said
    assert "chang" in said
    assert not any(key.endswith("/bad") for key in neighbours.versions())
    # Once it rests, it is read, whole and once.
    assert run_both(neighbours).success
    assert len(neighbours.rows("silver/bad")) == len(path.read_text(encoding="utf-8").splitlines()) - 1


def _file_in_the_way(lake: Path, layer: str) -> None:
    (lake / layer).mkdir(parents=True, exist_ok=True)
    (lake / layer / "bad").write_text("not a folder", encoding="utf-8")


@pytest.mark.parametrize("layer", ["bronze", "silver", "quarantine"])
def test_a_lake_path_that_cannot_be_written(neighbours: Workshop, layer: str) -> None:
    neighbours.land("bad.csv", GOOD)
    csv_table(neighbours, "bad", "bad.csv")
    lake = neighbours.root / "lake"
    _file_in_the_way(lake, layer)
    said = one_sentence(run_both(neighbours))
    assert str(lake / layer / "bad") in said
    assert "silver/bad" not in neighbours.versions()
    (lake / layer / "bad").unlink()
    assert run_both(neighbours).success
    assert neighbours.rows("silver/bad", "id") == [1, 2]


#: A step that does not fit -> what its sentence must hold.
STEPS = {
    '{derive: {x: "nmae || id"}}': ("step 1 (derive)", "nmae"),
    '{filter: "colour = 1"}': ("step 1 (filter)", "colour"),
    "{rename: {colour: color}}": ("step 1 (rename)", "colour"),
    "{cast: {colour: int64}}": ("colour",),
    '{sql: "select colour from self"}': ("sql", "colour"),
    "{deduplicate: {by: [colour]}}": ("step 1 (deduplicate)", "colour"),
    '{python: "no.such:function"}': ("no.such:function",),
    '{python: "builtins:id"}': ("builtins:id", "wanted the rows as a Polars LazyFrame, got int"),
    '{python: "builtins:abs"}': ("builtins:abs raises TypeError outside of Python: bad operand",),
}


@pytest.mark.parametrize("step", STEPS)
def test_a_step_that_does_not_fit(neighbours: Workshop, step: str) -> None:
    neighbours.land("bad.csv", GOOD)
    csv_table(neighbours, "bad", "bad.csv", silver=f"transform: [{step}]")
    said = one_sentence(run_both(neighbours))
    for part in STEPS[step]:
        assert part in said, said
    assert "silver/bad" not in neighbours.versions()
