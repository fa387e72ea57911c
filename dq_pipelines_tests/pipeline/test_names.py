"""Column names that the lake keeps for itself, or cannot tell apart: nothing is lost, in any format."""

from __future__ import annotations

import io
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import openpyxl
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import orc

from dq_pipelines.errors import ConfigError, RuleError
from dq_pipelines.sources import read
from dq_pipelines.sources.names import is_reserved, key, landed_as, named
from dq_pipelines_tests.workshop import Ran, Workshop

KINDS = ("csv", "json", "ndjson", "parquet", "orc", "excel", "delta")
ENDINGS = {"excel": "xlsx"}
Rows = list[dict[str, str]]


def written(kind: str, rows: Rows) -> bytes:
    """The rows as a file of the kind, every value being text."""
    names = list(rows[0])
    out = io.BytesIO()
    match kind:
        case "csv":
            return "\n".join(",".join(line) for line in [names, *(row.values() for row in rows)]).encode() + b"\n"
        case "json":
            return json.dumps(rows).encode()
        case "ndjson":
            return "".join(json.dumps(row) + "\n" for row in rows).encode()
        case "parquet":
            pl.DataFrame(rows).write_parquet(out)
        case "orc":
            orc.write_table(pa.Table.from_pylist(rows), out)
        case "excel":
            book = openpyxl.Workbook()
            for line in [names, *([*row.values()] for row in rows)]:
                book.worksheets[0].append(line)
            book.save(out)
    return out.getvalue()


def lay(shop: Workshop, kind: str, rows: Rows, name: str = "x") -> None:
    if kind == "delta":
        pl.DataFrame(rows).write_delta(
            str(shop.landing / "x"), mode="append", delta_write_options={"schema_mode": "merge"}
        )
    else:
        shop.land(f"{name}.{ENDINGS.get(kind, kind)}", written(kind, rows))


def path_of(kind: str) -> str:
    return "{landing}/x" if kind == "delta" else "{landing}/*"


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Workshop]:
    (tmp_path / "landing").mkdir()
    shop = Workshop(tmp_path)
    with shop.instance:
        yield shop


OURS = ("_id", "_status", "_batch", "_ingested_at", "_why", "_source", "_row", "_unreadable", "_reasons", "_raw_n",
        "_cast_n", "_fails_0", "_partition", "_refused", "_change_type")  # fmt: skip


def one_row(number: int, n: int) -> dict[str, str]:
    return {**{name: f"{name} {number}" for name in OURS}, "n": str(n)}


def renamed(ran: Ran) -> Mapping[str, Any]:
    found: Mapping[str, Any] = ran.materialized["bronze/t"].get("renamed_columns", {})
    return found


@pytest.mark.parametrize(
    "kind", [kind if kind in ("json", "excel") else pytest.param(kind, marks=pytest.mark.slow) for kind in KINDS]
)
def test_names_of_ours_are_published_refused_and_replayed_under_another(shop: Workshop, kind: str) -> None:
    table = """
        source: {{type: {kind}, path: "{path}"}}
        silver:
          columns: {{n: int64, key: {{type: string, from: _id}}}}
          rules: [{{type: expect_column_values_to_be_between, column: n, max_value: {most}, on_failure: quarantine}}]
        """
    shop.table("t", table.format(kind=kind, path=path_of(kind), most=500))
    lay(shop, kind, [one_row(1, 1), one_row(2, 900)])
    ran = shop.run("t")
    assert ran.success
    assert renamed(ran) == {name: f"{name}_2" for name in OURS}
    assert shop.lake.table("bronze/t").scan().select(pl.col("_why_2").sort()).collect()["_why_2"].to_list() == [
        "_why 1", "_why 2",
    ]  # fmt: skip
    rest = [name for name in OURS if name != "_id"]
    shown = ("key", "n", *(f"{name}_2" for name in rest))

    def expected(number: int, n: Any) -> tuple[Any, ...]:
        return (f"_id {number}", n, *(f"{name} {number}" for name in rest))

    assert shop.rows("silver/t", *shown) == [expected(1, 1)]
    assert shop.rows("quarantine/t", *shown, "_status") == [(*expected(2, "900"), "open")]
    shop.table("t", table.format(kind=kind, path=path_of(kind), most=1000))
    assert shop.run_job("quarantine_replay", config={"table": "t"}).success
    assert shop.rows("silver/t", *shown) == [expected(1, 1), expected(2, 900)]
    assert shop.rows("quarantine/t", "_status") == ["replayed"]


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "delta"])  # Delta itself has no such table
def test_names_that_differ_by_case_within_a_file(shop: Workshop, kind: str) -> None:
    lay(shop, kind, [{"Id": "1", "id": "2", "ID": "3"}])
    found = read({"type": kind, "path": str(shop.landing)})
    assert found.renamed == (("id", "id_2"), ("ID", "ID_3"))
    assert found.rows.collect().rows(named=True) == [{"Id": "1", "id_2": "2", "ID_3": "3"}]


DAYS: list[Rows] = [[{"Id": "1", "Straße": "a"}], [{"ID": "2", "straße": "b"}], [{"STRAßE": "c", "id": "3"}]]


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "delta"])
def test_names_that_differ_by_case_between_files_are_one_column(shop: Workshop, kind: str) -> None:
    for number, rows in enumerate(DAYS):
        lay(shop, kind, rows, str(number))
    found = read({"type": kind, "path": str(shop.landing)})
    assert set(found.renamed) == {("ID", "Id"), ("straße", "Straße"), ("STRAßE", "Straße"), ("id", "Id")}
    assert found.rows.collect().rows(named=True) == [
        {"Id": "1", "Straße": "a"}, {"Id": "2", "Straße": "b"}, {"Id": "3", "Straße": "c"},
    ]  # fmt: skip


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_names_that_differ_by_case_from_day_to_day_are_one_column(shop: Workshop, kind: str) -> None:
    source = f'source: {{type: {kind}, path: "{path_of(kind)}"}}\n'
    shop.table("t", source + "silver: {columns: {key: {type: int64, from: iD}}}\n")
    told: dict[str, str] = {}
    for number, rows in enumerate(DAYS):
        lay(shop, kind, rows, str(number))
        ran = shop.run("t")
        assert ran.success
        told |= renamed(ran)
    assert told == {"ID": "Id", "id": "Id", "straße": "Straße", "STRAßE": "Straße"}
    assert shop.rows("silver/t", "key", "Straße") == [(1, "a"), (2, "b"), (3, "c")]


def test_one_name_in_two_of_unicodes_forms_and_with_blanks_is_one_column(shop: Workshop) -> None:
    shop.land("1.json", '{"caf\u00e9": "a", "Sold  At": "x"}\n')
    shop.land("2.json", '{"cafe\u0301": "b", " sold at": "y"}\n')
    found = read({"type": "ndjson", "path": str(shop.landing)}).rows.collect()
    assert found.rows(named=True) == [{"caf\u00e9": "a", "Sold At": "x"}, {"caf\u00e9": "b", "Sold At": "y"}]


@given(st.lists(st.text(), max_size=8))
def test_names_are_valid_unique_and_none_of_ours(names: list[str]) -> None:
    pairs = named(names)
    assert [landed for landed, _ in pairs] == names
    given_names = [name for _, name in pairs]
    assert len({name.lower() for name in given_names}) == len(names)
    assert not any(is_reserved(name) and not name[-1].isdigit() for name in given_names)
    assert [name for _, name in named(given_names)] == given_names or any(map(is_reserved, given_names))


HEADERS = st.lists(
    st.sampled_from(["x", "X", "x_2", "X_2", "x_3", "_id", "_id_2", "_ID_3", "", " ", "column_1", "column_2", "y"]),
    max_size=8,
)


@given(HEADERS)
def test_a_column_never_takes_the_name_of_another_one(header: list[str]) -> None:
    pairs = named(header)
    assert [landed for landed, _ in pairs] == header
    assert len({key(name) for _, name in pairs}) == len(header)
    counts = Counter(map(key, header))
    alone = [name for name in header if name.strip() and counts[key(name)] == 1 and not is_reserved(name)]
    assert set(alone) <= {name for landed, name in pairs if landed == name}
    # Whoever asks for a name of the file gets that column, or is told that it may be one of several.
    for place, (landed, name) in enumerate(pairs):
        if not landed.strip() or header.index(landed) < place:
            continue
        with suppress(RuleError):
            found = landed_as(landed, [name for _, name in pairs])
            assert found == name or (key(landed) in map(key, header[:place]) and found is not None)


@pytest.mark.parametrize("kind", ["csv", "excel", "json", "ndjson", "parquet", "orc"])
def test_a_name_with_a_number_is_left_to_the_column_that_has_it(shop: Workshop, kind: str) -> None:
    lay(shop, kind, [{"_id": "1", "Id": "2", "ID": "3", "ID_2": "4", "_id_2": "5"}])
    found = read({"type": kind, "path": str(shop.landing)})
    assert found.renamed == (("_id", "_id_3"), ("ID", "ID_3"))
    assert found.rows.collect().rows(named=True) == [{"_id_3": "1", "Id": "2", "ID_3": "3", "ID_2": "4", "_id_2": "5"}]


def test_a_key_of_a_later_record_keeps_its_name(shop: Workshop) -> None:
    shop.land("x.jsonl", '{"_id": 1, "a": 2, "a": 3}\n{"_id_2": 4, "a_2": 5}\n')
    found = read({"type": "ndjson", "path": str(shop.landing)})
    assert found.renamed == (("_id", "_id_3"), ("a", "a_3"))
    assert found.rows.collect().rows(named=True) == [
        {"_id_3": "1", "a": "3", "a_3": "2", "_id_2": None, "a_2": None},
        {"_id_3": None, "a": None, "a_3": None, "_id_2": "4", "a_2": "5"},
    ]


def test_a_name_that_may_be_one_of_several_columns_is_told() -> None:
    assert landed_as("x_2", ["x", "x_3", "x_2"]) == "x_2"
    assert landed_as("address", ["Address", "Address_2"]) == "Address"
    assert landed_as("ID", ["Id", "id_2"]) == "Id"
    with pytest.raises(RuleError, match="'ID' may be one of 'Id' and 'ID_2': wanted one of these in 'from'"):
        landed_as("ID", ["Id", "ID_2"])
    with pytest.raises(RuleError, match="'_id' may be one of '_id_2' and '_id_3'"):
        landed_as("_id", ["_id_2", "_id_3"])


def test_every_name_of_a_column_that_comes_again_is_told(shop: Workshop) -> None:
    shop.table("t", 'source: {type: csv, path: "{landing}/*.csv"}\nsilver: {}\n')
    shop.land("1.csv", "x,x,x_2,x\n1,2,3,4\n")
    ran = shop.run("t")
    assert renamed(ran) == {"x": ["x_3", "x_4"]}
    assert shop.rows("silver/t", "x", "x_2", "x_3", "x_4") == [("1", "3", "2", "4")]


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        (
            "{_id: string}",
            r"wanted a name that the lake does not keep for itself, got '_id': write id: \{…, from: _id\}",
        ),
        ("{_Batch: string}", "got '_Batch'"),
        ("{a: {type: string, from: n}, b: {type: string, from: N}}", "got 'a' and 'b' which both are from 'N'"),
        ("{n: string, b: {type: date, from: n}}", "got 'n' and 'b' which both are from 'n'"),
        ("{a: string, A: string}", "wanted names that differ by more than case, got 'a' and 'A'"),
    ],
)
def test_a_declared_column_has_a_name_of_its_own(shop: Workshop, columns: str, said: str) -> None:
    shop.table("t", f'source: {{type: ndjson, path: "{{landing}}/*"}}\nsilver: {{columns: {columns}}}\n')
    with pytest.raises(ConfigError, match=said):
        _ = shop.project


@pytest.mark.parametrize(
    ("first", "second", "header", "told"),
    [
        ("[x, n]", "n", "n,m", "columns 'a' and 'b' both want the landed column"),
        ("Id", "[y, ID]", "Id,ID", "column 'b': the landed column 'ID' may be one of 'Id' and 'ID_2'"),
        ("_id", "_id_2", "_id,_id_2", "column 'a': the landed column '_id' may be one of '_id_2' and '_id_3'"),
    ],
)
def test_two_columns_of_one_landed_one_are_told(
    shop: Workshop, first: str, second: str, header: str, told: str
) -> None:
    shop.table(
        "t",
        f"""
        source: {{type: csv, path: "{{landing}}/*.csv"}}
        silver: {{columns: {{a: {{type: int64, from: {first}}}, b: {{type: int64, from: {second}}}}}}}
        """,
    )
    shop.land("1.csv", f"{header}\n1,2\n")
    assert told in shop.run("t").failures["t"]
