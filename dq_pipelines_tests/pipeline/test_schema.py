"""Columns that change: what each policy takes on, in one commit with the rows, and what it says otherwise."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import dagster as dg
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow import orc as arrow_orc

from dq_pipelines_tests.workshop import Ran, Workshop

pytestmark = pytest.mark.slow

POLICIES = ("strict", "add_columns", "widen", "evolve")

FIRST = pl.DataFrame(
    {"id": [1, 2], "amount": [1.5, 2.5], "note": ["a", "b"]}, schema_overrides={"id": pl.Int32, "amount": pl.Float32}
)
_LATER = pl.DataFrame({"id": [2, 3], "amount": [7.25, 8.5], "note": ["c", "d"]}, schema=FIRST.schema)

#: What becomes of the columns -> the rows that come, the least policy that takes them, and what is then published of
#: them and of those before, where that is not what came.
KINDS: dict[str, tuple[pl.DataFrame, str]] = {
    "same": (_LATER, "strict"),
    "reordered": (_LATER.select("note", "id", "amount"), "strict"),
    "narrower": (_LATER.cast({"id": pl.Int16}), "strict"),
    "new": (_LATER.with_columns(colour=pl.Series(["red", None])), "add_columns"),
    "missing": (_LATER.drop("amount"), "add_columns"),
    "renamed": (_LATER.rename({"note": "notes"}), "add_columns"),
    "wider": (_LATER.cast({"id": pl.Int64}).with_columns(id=pl.Series([2, 2**40])), "widen"),
    "common": (_LATER.with_columns(amount=pl.Series([7, 8], dtype=pl.Int32)), "widen"),
    "text": (_LATER.with_columns(id=pl.Series(["2", "x3"])), "evolve"),
}
#: How silver takes rows: YAML, and which of the first rows stay.
MODES: dict[str, tuple[str, Callable[[pl.DataFrame, pl.DataFrame], pl.DataFrame]]] = {
    "append": ("", lambda old, _: old),
    "merge": ("keys: [id]", lambda old, new: old.join(new, on="id", how="anti")),
    "overwrite": ("write: overwrite", lambda old, _: old.clear()),
    "partitioned": ("", lambda old, _: old),
}
DAYS = ("2026-11-01", "2026-11-02")


def parquet(frame: pl.DataFrame) -> bytes:
    file = io.BytesIO()
    frame.write_parquet(file)
    return file.getvalue()


def orders(shop: Workshop, policy: str | None, silver: str = "", name: str = "orders", partitions: str = "") -> None:
    shop.table(
        name,
        f"""
        source: {{type: parquet, path: "{{landing}}/{name}/*.parquet"}}
        {"" if policy is None else f"schema: {policy}"}
        {partitions}
        silver: {{{silver}}}
        """,
    )


def land(shop: Workshop, frame: pl.DataFrame, file: str = DAYS[0], name: str = "orders") -> None:
    shop.land(f"{name}/{file}.parquet", parquet(frame))


def drift(ran: Ran, name: str = "orders") -> list[tuple[str, str]]:
    """Column and change, as the check's metadata say them; the check passed if there are none but a reorder."""
    check = ran.checks[f"silver/{name}:schema_drift"]
    changes = check.metadata.get("changes")
    records = changes.records if isinstance(changes, dg.TableMetadataValue) else []
    told = [(str(record.data["column"]), str(record.data["change"])) for record in records]
    assert check.passed == (not told or told == [("", "reordered")])
    return told


TOLD = {
    "reordered": [("", "reordered")],
    "new": [("colour", "new")],
    "missing": [("amount", "missing")],
    "renamed": [("note", "renamed to notes")],
    "wider": [("id", "retyped")],
    "common": [("amount", "retyped")],
    "text": [("id", "retyped")],
}


def expected(mode: str, kind: str) -> list[dict[str, Any]]:
    came = KINDS[kind][0]
    old = FIRST.with_columns(id=pl.col("id").cast(pl.String)) if kind == "text" else FIRST.cast({"id": pl.Int64})
    new = came if kind == "text" else came.cast({"id": pl.Int64})
    rows = pl.concat([MODES[mode][1](old, new), new], how="diagonal_relaxed")
    return rows.sort("id", "amount").to_dicts()


def published(shop: Workshop, name: str) -> pl.DataFrame:
    return shop.lake.table(f"silver/{name}").scan().drop("_partition", strict=False).collect()


def policies_of(mode: str, kind: str) -> tuple[str, ...]:
    """The least that takes the change, and the one before; where rows are added, the strictest and the freest too."""
    least = POLICIES.index(KINDS[kind][1])
    around = POLICIES[max(least - 1, 0) : least + 1]
    return tuple(dict.fromkeys(["strict", *around, "evolve"])) if mode == "append" else around


@pytest.mark.parametrize("mode", MODES)
def test_every_policy_and_kind_of_change(shop: Workshop, mode: str) -> None:
    """All tables in one project, so that two Dagster runs show them all."""
    partitions = f"partitions: {{type: daily, start: {DAYS[0]}}}" if mode == "partitioned" else ""
    cases = {f"{policy}_{kind}": (policy, kind) for kind in KINDS for policy in policies_of(mode, kind)}
    for name, (policy, _) in cases.items():
        orders(shop, policy, MODES[mode][0], name, partitions)
        land(shop, FIRST, DAYS[0], name)
    keys = [DAYS[0], DAYS[1]] if partitions else [None, None]
    assert shop.run(partition=keys[0]).success
    before = shop.versions()
    for name, (_, kind) in cases.items():
        land(shop, KINDS[kind][0], DAYS[1], name)
    ran = shop.run(partition=keys[1])
    versions = shop.versions()
    for name, (policy, kind) in cases.items():
        allowed = POLICIES.index(policy) >= POLICIES.index(KINDS[kind][1])
        after = {layer: versions[f"{layer}/{name}"] for layer in ("bronze", "silver", "quarantine")}
        assert drift(ran, name) == TOLD.get(kind, []), name
        check = ran.checks[f"silver/{name}:schema_drift"]
        if allowed:
            assert name not in ran.failures, ran.failures
            assert after == {"bronze": 1, "silver": 1, "quarantine": 1}, "one commit each"
            assert check.severity is dg.AssetCheckSeverity.WARN, name
            found = published(shop, name)
            assert found.sort("id", "amount").select(sorted(found.columns)).to_dicts() == [
                {key: row.get(key) for key in sorted(found.columns)} for row in expected(mode, kind)
            ], name
            if kind != "text":
                assert found.columns[:3] == FIRST.columns, name
        else:
            assert ran.failures[name].startswith(f"silver/{name}: nothing was published, batch "), name
            assert "schema_drift" in ran.failures[name]
            assert check.severity is dg.AssetCheckSeverity.ERROR, name
            assert {after["silver"], after["quarantine"]} == {before[f"silver/{name}"]}, name
            assert published(shop, name).sort("id").to_dicts() == FIRST.to_dicts(), name
    assert shop.leftovers() == []


@pytest.mark.parametrize("source", ["parquet", "orc"])
def test_what_arrives_together_becomes_text_as_what_comes_one_by_one(shop: Workshop, source: str) -> None:
    """No type holds all of these, and none of the files is to blame: they would have been refused for ever."""
    numbers = [[2**53 + 1, -7], [0.5, 7.0], ["x", None], [True, False]]
    for name in ("together", "one_by_one"):
        shop.table(name, f'{{source: {{type: {source}, path: "{{landing}}/{name}/*"}}, schema: evolve}}')
    for number, values in enumerate(numbers):
        file = io.BytesIO()
        (arrow_orc.write_table if source == "orc" else pq.write_table)(pa.table({"n": values}), file)
        for name in ("together", "one_by_one"):
            shop.land(f"{name}/{number}", file.getvalue())
        assert shop.run("one_by_one").success
    ran = shop.run("together")
    assert ran.success, ran.failures
    wanted = ["-7", "0.5", "7", "9007199254740993", "false", "true", "x", None]
    assert shop.rows("silver/together", "n") == shop.rows("silver/one_by_one", "n") == sorted(wanted, key=repr)


def test_what_no_text_holds_says_which_files_differ(shop: Workshop) -> None:
    orders(shop, "evolve")
    land(shop, pl.DataFrame({"n": [b"\x00"]}), "1")
    land(shop, pl.DataFrame({"n": [1]}), "2")
    said = shop.run("orders").failures["orders"]
    assert "wanted column 'n' as Binary, as in" in said
    assert said.endswith("got Int64: no type holds both without a loss")
