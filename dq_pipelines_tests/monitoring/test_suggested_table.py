"""A suggested table, run on the data that it was suggested for: its own rules pass, and only cells of no type are refused."""

from __future__ import annotations

import csv
import io
import os
import re
from collections import Counter
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dq_pipelines.engine.backends.frames import frame_from, source_at
from dq_pipelines.lake.tables import Lake
from dq_pipelines.monitoring.contracts.table import table_name
from dq_pipelines.monitoring.suggestions.table import SuggestedTable, suggested_table, table_yaml
from dq_pipelines.pipeline.runtime.outcome import Outcome
from dq_pipelines.pipeline.runtime.table_run import TableRun
from dq_pipelines.pipeline.silver.refinement import refine
from dq_pipelines.project import load_project
from dq_pipelines.samples import generate

DIRTY = Path(os.environ.get("DQ_CORPORA", "nowhere")) / "dirty"
needs_corpora = pytest.mark.skipif(not DIRTY.is_dir(), reason="DQ_CORPORA names no folder with the corpora")


def run_on_itself(path: Path, folder: Path) -> tuple[SuggestedTable, Outcome]:
    """The table that is suggested for a file, and what a run of it makes of that file."""
    found = suggested_table(frame_from(path))
    (folder / "conf" / "own").mkdir(parents=True)
    text = table_yaml(found, "own", source_at(str(path)), "own.yaml")
    (folder / "conf" / "own" / "own.yaml").write_text(text, encoding="utf-8")
    (table,) = load_project(folder / "conf")
    outcome = refine(TableRun(table, Lake.at(str(folder / "lake"))))
    assert outcome is not None
    return found, outcome


def passes_its_own_rules(path: Path, folder: Path) -> SuggestedTable:
    """Hold a file against the table that is suggested for it."""
    found, outcome = run_on_itself(path, folder)
    assert outcome.blocked_by == ()
    assert [
        (result.rule.type, result.rule.column_label, result.unexpected_count, result.error)
        for result in outcome.results
        if not result.success and result.rule.type != "cast"
    ] == []
    for each in found.rules:
        assert not ("mostly" in each.as_written and each.as_written.get("severity") != "warning"), each
        assert each.can_fail
    miscast = Counter(result.rule.type for result in outcome.results if result.unexpected_count)["cast"]
    assert bool(outcome.counts.refused) == bool(miscast)
    told = sum("go to quarantine" in kind.why for kind in found.types.values())
    assert told == miscast, "each column that refuses rows says so"
    return found


WORDS = st.sampled_from(["red", "green", "blue", "NA", "n/a", "Bend", "O'Hare", "", "-", "x y", "Zoë", "1", "true"])
CELLS = {
    "integers": st.integers(-50, 10**6).map(str),
    "digits": st.integers(10**17, 10**20).map(str),
    "codes": st.integers(0, 99_999).map(lambda n: f"{n:05}"),
    "money": st.integers(-500, 10**6).map(lambda n: f"{n // 100}.{n % 100:02}"),
    "floats": st.floats(-1e6, 1e6).map(str),
    "dates": st.dates().filter(lambda day: day.year >= 1000).map(str),
    "american": st.dates().filter(lambda day: day.year >= 1000).map(lambda day: day.strftime("%m/%d/%Y")),
    "truths": st.sampled_from(["yes", "no"]),
    "words": WORDS,
    "text": st.text("aB1 .,;'\"\u00e4*", max_size=8),
}
#: What stands here and there in a column of another kind.
STRAYS = st.sampled_from(["", "NA", "N/A", "-", "NULL", "soon", "-1", "999999999", "0", "1.5", "?", "12 May"])


@st.composite
def columns(draw: st.DrawFn, rows: int) -> list[str]:
    kind = draw(st.sampled_from(sorted(CELLS)))
    pool = draw(st.lists(CELLS[kind], min_size=1, max_size=draw(st.sampled_from([2, 5, 40]))))
    strays = draw(st.lists(STRAYS, max_size=2))
    choose = st.sampled_from(pool) if draw(st.booleans()) else CELLS[kind]
    chance = draw(st.randoms(use_true_random=False))
    drawn = draw(st.lists(choose, min_size=8, max_size=8))
    cells = [chance.choice([*pool, *drawn]) for _ in range(rows)]
    return [chance.choice(strays) if strays and chance.random() < 0.04 else cell for cell in cells]


@st.composite
def files(draw: st.DrawFn) -> str:
    rows = draw(st.sampled_from([3, 25, 120, 400]))
    width = draw(st.integers(1, 4))
    table = [[str(n) for n in range(rows)], *(draw(columns(rows)) for _ in range(width))]
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([[f"c{n}" for n in range(width + 1)], *zip(*table, strict=True)])
    return text.getvalue()


@pytest.mark.slow
@given(text=files())
@settings(max_examples=15)
def test_a_suggested_table_passes_its_own_rules(text: str) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "own.csv"
        path.write_text(text, encoding="utf-8")
        passes_its_own_rules(path, Path(folder))


@pytest.mark.torture
@given(text=files())
@settings(max_examples=300)
def test_many_suggested_tables_pass_their_own_rules(text: str) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "own.csv"
        path.write_text(text, encoding="utf-8")
        passes_its_own_rules(path, Path(folder))


@pytest.mark.parametrize(
    "name",
    ["flights/planes.csv", "flights/weather.csv", "retail/customers.parquet", "retail/products.xlsx"],
)
def test_tables_for_sample_files_pass_their_own_rules(name: str, tmp_path: Path) -> None:
    generate(name.partition("/")[0], tmp_path, size=0.1)
    passes_its_own_rules(tmp_path / name, tmp_path / "run")


@needs_corpora
@pytest.mark.slow
@pytest.mark.parametrize("name", ["beers", "hospital"])
def test_tables_for_dirty_files_pass_their_own_rules(name: str, tmp_path: Path) -> None:
    passes_its_own_rules(DIRTY / name / "dirty.csv", tmp_path)


def survey(path: Path) -> None:
    """A survey in which NA stands for no answer in some columns, and for a region, or among words, in others."""
    rows = [
        (
            str(n),
            "NA" if n % 3 else str(n % 7),
            ["Not selected", "NA", "Selected"][n % 3],
            ["NA", "EU", "AS"][n % 3],
            "-" if n % 50 == 0 else f"{n % 90}.5",
        )
        for n in range(1, 401)
    ]
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("id", "children", "answer", "region", "weight"), *rows])


def test_words_for_a_missing_value_are_those_of_their_column(tmp_path: Path) -> None:
    survey(tmp_path / "survey.csv")
    found, outcome = run_on_itself(tmp_path / "survey.csv", tmp_path)
    assert {name: kind.null_values for name, kind in found.types.items() if kind.null_values} == {
        "children": ("NA",),
        "weight": ("-",),
    }
    assert (outcome.counts.published, outcome.counts.refused) == (400, 0)
    silver = Lake.at(str(tmp_path / "lake")).table("silver/own").scan().collect()
    assert silver["children"].null_count() == sum(bool(n % 3) for n in range(1, 401))
    assert silver.filter(pl.col("region") == "NA").height == sum(n % 3 == 0 for n in range(1, 401))
    assert (silver["answer"] == "NA").sum() == sum(n % 3 == 1 for n in range(1, 401))
    rule = next(each for each in found.rules if each.column == "region" and "not_be_null" in each.rule["type"])
    assert rule.why == "none of 400 rows lacks it"


def test_a_rule_that_most_rows_break_is_a_comment_until_it_is_taken_in(tmp_path: Path) -> None:
    ways = ("({0}) 555-{1}", "{0}-555-{1}", "{0}555{1}")
    lines = ["id,phone", *(f"{n},{ways[n % 3].format(200 + n, 1000 + n)}" for n in range(300))]
    (tmp_path / "own.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    found = passes_its_own_rules(tmp_path / "own.csv", tmp_path)
    assert [each.column for each in found.demands] == ["phone"]
    file = tmp_path / "conf" / "own" / "own.yaml"
    text = file.read_text(encoding="utf-8")
    assert "    # Most rows fail the rules below now." in text
    file.write_text(text.replace("    #- ", "    - ").replace("    #  ", "      "), encoding="utf-8")
    (table,) = load_project(tmp_path / "conf")
    assert len(table.rules) == len(found.rules) + 1


def test_a_column_that_counts_the_rows_of_a_file_is_no_key_and_has_no_rules(tmp_path: Path) -> None:
    for name, counts in (("", True), ("Unnamed: 0", True), ("order_id", False)):
        path = tmp_path / f"{counts}{len(name)}.csv"
        lines = [f"{name},code", *(f"{n},{(7 * n) % 1000:04}" for n in range(1, 301))]
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        found = suggested_table(frame_from(path))
        first = next(iter(found.types))
        assert bool(found.keys == ["code"]) is counts, first
        assert (not [each for each in found.rules if each.column == first]) is counts


@pytest.mark.parametrize(
    ("values", "type_"),
    [
        ([str(9_300_000_000_000_000_000 + n) for n in range(200)], "string"),
        ([str(10**18 + n) for n in range(200)], "string"),
        ([str(10 ** (15 + n % 8) + n) for n in range(200)], "decimal(38,0)"),
        ([f"{n:05}" for n in range(200)], "string"),
        ([f"+4930{n:07}" for n in range(200)], "string"),
        ([f"{n}E{n % 9}" for n in range(200)], "string"),
        ([f"0.{n + 10**19}" for n in range(200)], "string"),
        ([f"+{n % 9}" for n in range(200)], "int64"),
        ([f"{n}.5e-3" for n in range(200)], "float64"),
        ([str(10**17 + n) for n in range(200)], "int64"),
    ],
)
def test_a_type_keeps_each_digit(values: list[str], type_: str, tmp_path: Path) -> None:
    (tmp_path / "own.csv").write_text("\n".join(["code", *values]) + "\n", encoding="utf-8")
    found, outcome = run_on_itself(tmp_path / "own.csv", tmp_path)
    assert found.types["code"].type == type_
    assert outcome.counts.published == 200
    silver = Lake.at(str(tmp_path / "lake")).table("silver/own").scan().collect()["code"]
    assert silver.n_unique() == len(set(values)), "no two values became one"


def test_the_advice_on_a_decimal_comma_reads_every_number(tmp_path: Path) -> None:
    path = tmp_path / "prices.csv"
    path.write_text("id;Preis €\n1;1.234,56\n2;3,50\n3;-12,00\n4;\n5;1.000.000,01\n", encoding="utf-8")
    found = suggested_table(frame_from(path))
    assert found.types["id"].why == ""
    (advice,) = re.findall(r"`(transform: .*)` makes them numbers", found.types["Preis €"].why)
    text = table_yaml(found, "own", source_at(str(path)), "own.yaml").replace(
        "  columns:", f"  {advice}\n  columns:", 1
    )
    (tmp_path / "conf/own").mkdir(parents=True)
    (tmp_path / "conf/own/own.yaml").write_text(text, encoding="utf-8")
    (table,) = load_project(tmp_path / "conf")
    lake = Lake.at(str(tmp_path / "lake"))
    outcome = refine(TableRun(table, lake))
    assert outcome is not None
    assert outcome.counts.refused == 0
    values = pl.read_delta(str(tmp_path / "lake/silver/own")).sort("id")["Preis €"]
    assert values.dtype.is_decimal()
    assert values.to_list() == [*map(Decimal, ("1234.56", "3.50", "-12.00")), None, Decimal("1000000.01")]


@pytest.mark.parametrize("texts", [("1,2", "a", "b"), ("1,234.5", "2,0.1"), ("1.2,3", "1.2,4"), ("x", "y")])
def test_other_texts_get_no_advice_on_a_decimal_comma(texts: tuple[str, ...]) -> None:
    found = suggested_table(pl.LazyFrame({"t": [*texts] * 5}))
    assert "decimal comma" not in found.types["t"].why


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("Café Ventes", "cafe_ventes"),
        ("Größe", "grosse"),
        ("Łódź 2026", "lodz_2026"),
        ("Smørrebrød", "smorrebrod"),
        ("2024", "t_2024"),
        ("İstanbul", "istanbul"),
        ("数", "t_"),
    ],
)
def test_a_table_is_named_without_accents(name: str, plain: str) -> None:
    assert table_name(name) == plain
