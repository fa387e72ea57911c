"""Data contracts become tables that `dq check` accepts, whose rules judge as the contract says; the rest is told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml

import dq_pipelines as dq
from dq_pipelines.errors import ConfigError
from dq_pipelines.monitoring.contracts import tables_from_contract
from dq_pipelines.monitoring.contracts.types import physical_type, strftime
from dq_pipelines.project import Table, load_project

HEAD = "kind: DataContract\napiVersion: v3.1.0\nid: c1\nversion: 1.2.0\nstatus: active\ndomain: Shop\n"

ORDERS_ONLY = """\
description: {purpose: To know what was sold, usage: Reports}
servers:
  - {server: db, type: postgres, host: h, database: d}
  - {server: files, type: s3, location: "s3://b/{model}/*.json", format: json, delimiter: new_line}
schema:
  - name: Orders
    physicalName: tbl_orders
    description: One row an order
    dataGranularityDescription: per order
    properties:
      - {name: order_id, physicalName: OrderId, logicalType: integer, primaryKey: true, required: true, unique: true}
      - name: mail
        logicalType: string
        physicalType: varchar(40)
        classification: restricted
        logicalTypeOptions: {minLength: 5, pattern: "^[^@]+@x{1,3}$", format: email}
      - name: amount
        logicalType: number
        physicalType: decimal(10,2)
        logicalTypeOptions: {minimum: 0, exclusiveMaximum: 1000}
        quality:
          - {metric: nullValues, mustBeLessThan: 50, unit: percent, severity: warning, dimension: completeness, id: q1}
          - {type: text, description: The amount looks sane}
      - name: sold_at
        logicalType: timestamp
        logicalTypeOptions: {format: "dd/MM/yyyy HH:mm:ss"}
      - name: unit
        logicalType: string
        quality:
          - {metric: invalidValues, arguments: {validValues: [kg, "no"]}, mustBe: 0}
          - {metric: missingValues, arguments: {missingValues: [null, "", n/a]}, mustBeLessOrEqualTo: 1}
      - {name: lines, logicalType: array, items: {logicalType: string}}
    quality:
      - {metric: rowCount, mustBeBetween: [1, 3]}
      - {type: sql, query: 'SELECT MAX("amount") FROM ${table}', mustBeLessThan: 500, description: no huge order}
      - {type: sql, query: "SELECT COUNT(*) FROM tbl_orders o JOIN other x ON o.a = x.a", mustBe: 0}
      - type: custom
        engine: greatExpectations
        implementation: |
          type: expect_table_row_count_to_be_between
          kwargs: {minValue: 1, maxValue: 9}
      - {type: custom, engine: soda, implementation: "row_count > 0"}
team:
  name: Shop people
  members:
    - {username: ann@shop.example, role: Owner}
    - {username: bob, role: Owner}
slaProperties:
  - {property: freshness, value: 36, unit: h, element: Orders.sold_at}
  - {property: retention, value: 3, unit: y}
support:
  - {channel: help, url: "https://shop.example"}
"""

ORDERS = HEAD + ORDERS_ONLY


def made(tmp_path: Path, contract: str, **options: str) -> dict[str, str]:
    (tmp_path / "c.odcs.yaml").write_text(contract, encoding="utf-8")
    return tables_from_contract(tmp_path / "c.odcs.yaml", **options)


def loaded(tmp_path: Path, texts: dict[str, str]) -> dict[str, Table]:
    for name, text in texts.items():
        path = tmp_path / "conf" / "shop" / f"{name}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return dict(load_project(tmp_path / "conf", environment={"DQ_LANDING": "/landing"}).tables)


def object_of(*quality: dict[str, Any], **property: Any) -> str:
    """A contract with one object and one property `x`, both with these checks where they belong."""
    own = [entry for entry in quality if entry.get("metric") != "rowCount"]
    whole = [entry for entry in quality if entry.get("metric") == "rowCount"]
    x = {"name": "x", "logicalType": "string", "quality": own, **property}
    return HEAD + json.dumps({"schema": [{"name": "t", "properties": [x], "quality": whole}]})[1:-1]


@pytest.fixture
def orders(tmp_path: Path) -> tuple[str, Table]:
    texts = made(tmp_path, ORDERS)
    assert list(texts) == ["orders"]
    return texts["orders"], loaded(tmp_path, texts)["orders"]


def test_a_contract_becomes_a_table(orders: tuple[str, Table]) -> None:
    _, table = orders
    model = table.landed
    assert (model.description, model.owners) == ("One row an order", ("team:Shop-people", "ann@shop.example"))
    source: Any = model.source
    assert (source.type, source.path) == ("ndjson", "s3://b/tbl_orders/*.json")
    assert model.silver.keys == ("order_id",)
    assert {name: (column.type, column.source, column.format) for name, column in model.silver.columns.items()} == {
        "order_id": ("int64", "OrderId", None),
        "mail": ("string", None, None),
        "amount": ("decimal(10,2)", None, None),
        "sold_at": ("datetime", None, "%d/%m/%Y %H:%M:%S"),
        "unit": ("string", None, None),
    }
    assert [(rule.type, rule.column_label) for rule in table.rules] == [
        ("expect_column_values_to_be_unique", "order_id"),
        ("expect_column_values_to_not_be_null", "order_id"),
        ("expect_column_values_to_match_regex", "mail"),
        ("expect_column_value_lengths_to_be_between", "mail"),
        ("expect_column_values_to_match_regex", "mail"),
        ("expect_column_values_to_be_between", "amount"),
        ("expect_column_values_to_be_between", "amount"),
        ("expect_query_to_return_no_rows", None),
        ("expect_column_values_to_be_in_set", "unit"),
        ("expect_query_to_return_no_rows", None),
        ("expect_table_row_count_to_be_between", None),
        ("expect_query_to_return_no_rows", None),
        ("expect_table_row_count_to_be_between", None),
        ("expect_table_to_be_fresh", "sold_at"),
    ]
    nulls = next(rule for rule in table.rules if rule.meta)
    assert (nulls.severity, nulls.meta) == ("warning", {"odcs": {"id": "q1", "dimension": "completeness"}})


def test_its_rules_judge_as_the_contract_says(orders: tuple[str, Table]) -> None:
    _, table = orders
    frame = pl.DataFrame(
        {
            "order_id": [1, 2, 2, None],
            "mail": ["a@xx", "someone@xxx", "someone@y", "a" * 50 + "@x"],
            "amount": [1.0, 1000.0, -1.0, None],
            "sold_at": [None, None, None, None],
            "unit": ["kg", "no", "lb", ""],
        },
        schema_overrides={"sold_at": pl.Datetime},
    )
    verdict = dq.validate(frame, list(table.rules))
    assert [result.error for result in verdict.results] == [None] * len(verdict.results)
    found = [
        (result.rule.type.removeprefix("expect_").removeprefix("column_"), result.unexpected_count, result.success)
        for result in verdict.results
    ]
    assert found == [
        ("values_to_be_unique", 2, False),
        ("values_to_not_be_null", 1, False),
        ("values_to_match_regex", 0, True),  # every mail has an @
        ("value_lengths_to_be_between", 2, False),  # one of 4, one of 52 characters
        ("values_to_match_regex", 1, False),
        ("values_to_be_between", 1, False),
        ("values_to_be_between", 1, False),
        ("query_to_return_no_rows", None, True),  # 25 % of the amounts are null
        ("values_to_be_in_set", 2, False),
        ("query_to_return_no_rows", None, True),  # one unit is missing
        ("table_row_count_to_be_between", None, False),
        ("query_to_return_no_rows", None, False),  # an order of 1000
        ("table_row_count_to_be_between", None, True),
        ("table_to_be_fresh", None, False),
    ]


def test_what_has_no_place_is_told_with_its_line(orders: tuple[str, Table]) -> None:
    text, _ = orders
    told = [line.removeprefix("#   ") for line in text.splitlines() if line.startswith("#   ")]
    lines = ORDERS.splitlines()
    for what, why in {
        "- {server: db": "server 'db': no source reads files from 'postgres'",
        "dataGranularityDescription": "dataGranularityDescription: a table's YAML has no place for it",
        "classification": "classification: a label masks nothing: mask the column under `transform`",
        "type: text": "amount, quality (text): The amount looks sane: it is a text for people",
        "JOIN other": "quality (sql): query names 'other AS x'",
        "engine: soda": "quality (custom, soda): it is written for soda",
        "username: bob": "team member 'bob': only current owners with an address become owners",
        "property: retention": "service level retention (3): this service level is not measured",
        "name: lines": "lines (array): objects and arrays are not supported as columns",
        "support:": "support: a table's YAML has no place for it",
    }.items():
        line = next(number for number, text in enumerate(lines, 1) if what in text)
        assert [f for f in told if f.startswith(f"line {line}, ") and why in f], (line, why, told)
    assert "# purpose: To know what was sold" in text.splitlines()


@pytest.mark.parametrize(
    ("entry", "good", "bad"),
    [
        ({"metric": "nullValues", "mustBe": 0}, ["a"], ["a", None]),
        ({"metric": "nullValues", "mustBe": 1}, ["a", None], ["a", "b"]),
        ({"metric": "nullValues", "mustNotBe": 1}, ["a"], [None]),
        ({"metric": "nullValues", "mustBeLessOrEqualTo": 50, "unit": "percent"}, ["a", None], [None, None, "a"]),
        ({"metric": "nullValues", "mustBeLessThan": 50, "unit": "percent"}, ["a", "b", None], ["a", None]),
        ({"metric": "missingValues", "arguments": {"missingValues": [None, "-"]}, "mustBe": 0}, ["a"], ["-"]),
        ({"metric": "missingValues", "arguments": {"missingValues": ["-"]}, "mustBeLessThan": 2}, ["-"], ["-", "-"]),
        (
            {"metric": "invalidValues", "arguments": {"validValues": ["a"]}, "mustBeLessThan": 2},
            ["b", None],
            ["b", "c"],
        ),
        ({"metric": "invalidValues", "arguments": {"pattern": "^a"}, "mustBe": 0}, ["ab", None], ["ba"]),
        ({"metric": "invalidValues", "arguments": {"pattern": "^a'"}, "mustBeLessThan": 1}, ["a'"], ["b"]),
        ({"metric": "duplicateValues", "mustBe": 0}, ["a", "b", None, None], ["a", "a"]),
        ({"metric": "duplicateValues", "mustBeLessThan": 2}, ["a", "a", "b"], ["a", "a", "b", "b"]),
        ({"metric": "duplicateValues", "mustBeLessOrEqualTo": 25, "unit": "percent"}, list("aabc"), list("aab")),
        ({"metric": "rowCount", "mustBe": 2}, ["a", "b"], ["a"]),
        ({"metric": "rowCount", "mustBeGreaterThan": 1}, ["a", "b"], ["a"]),
        ({"metric": "rowCount", "mustNotBeBetween": [2, 3]}, ["a"], ["a", "b"]),
        ({"metric": "rowCount", "mustBeGreaterThan": 0, "mustBeLessThan": 2}, ["a"], ["a", "b"]),
        ({"rule": "nullCheck", "mustBe": 0}, ["a"], [None]),
        ({"type": "sql", "query": "SELECT count(*) FROM {object} WHERE {property} = 'a'", "mustBe": 1}, ["a"], ["b"]),
        ({"type": "sql", "query": "SELECT count(DISTINCT t.x) FROM t", "mustBeGreaterThan": 1}, ["a", "b"], ["a"]),
    ],
)
def test_each_check_accepts_and_refuses(entry: dict[str, Any], good: list[Any], bad: list[Any], tmp_path: Path) -> None:
    texts = made(tmp_path, object_of(entry))
    rules = list(loaded(tmp_path, texts)["t"].rules)
    assert rules, texts
    for values, wanted in ((good, True), (bad, False)):
        verdict = dq.validate(pl.DataFrame({"x": pl.Series(values, dtype=pl.String)}), rules)
        assert [result.error for result in verdict.results] == [None] * len(rules)
        assert verdict.success is wanted, (values, texts["t"])


def test_what_the_contract_allows_refuses_no_row(tmp_path: Path) -> None:
    rules = loaded(tmp_path, made(tmp_path, object_of({"metric": "nullValues", "mustBeLessThan": 5})))["t"].rules
    verdict = dq.validate(pl.DataFrame({"x": ["a", None]}), list(rules))
    assert (verdict.success, verdict.refused.collect().height) == (True, 0)


def test_texts_survive_the_way_through_yaml(tmp_path: Path) -> None:
    pattern = "^(no|012|${NAME}|#: {a}, [b]|\"|'|\\\\d{2}|yes: )$"
    text = made(tmp_path, object_of(logicalTypeOptions={"pattern": pattern}, description="- odd: #1 ü\nnext"))["t"]
    table = loaded(tmp_path, {"t": text})["t"]
    (rule,) = table.rules
    assert rule.kwargs["regex"] == pattern
    assert table.landed.silver.columns["x"].description == "- odd: #1 ü\nnext"


@pytest.mark.parametrize(
    ("contract", "sentence"),
    [
        (
            HEAD.replace("v3.1.0", "v2.2.2") + "schema: [{name: t}]",
            ":2: wanted apiVersion v3.0.0 or later of v3, got v2.2.2",
        ),
        (
            HEAD.replace("DataContract", "DataProduct") + "schema: [{name: t}]",
            ":1: wanted kind: DataContract, got DataProduct",
        ),
        (HEAD, "wanted a schema with at least one object, found none"),
        (HEAD + "schema:\n  - name: t\n    propertys: []\n", ":9: unknown key 'propertys' (nearest: properties)"),
        (HEAD + "schema:\n  - properties: []\n", ":8: an object of the schema needs a name: found none"),
        (object_of(requird=True), "unknown key 'requird' (nearest: required)"),
        (object_of(required="yes"), "required: wanted true or false, got 'yes'"),
        (object_of(logicalType="text"), "unknown logicalType 'text'"),
        (object_of({"metric": "nullValue", "mustBe": 0}), "unknown metric 'nullValue' (nearest: nullValues)"),
        (object_of({"metric": "nullValues", "mustBe": "none"}), "mustBe: wanted a number, got 'none'"),
        (object_of({"metric": "rowCount", "mustBeBetween": [1]}), "mustBeBetween: wanted two numbers, got a list"),
        (object_of({"type": "libary"}), "unknown quality type 'libary' (nearest: library)"),
        (HEAD + "schema: orders\n", ":7: schema: wanted a list, got 'orders'"),
    ],
)
def test_what_is_wrong_with_a_contract_is_said(contract: str, sentence: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        made(tmp_path, contract)
    assert sentence in str(caught.value)
    assert "c.odcs.yaml" in str(caught.value)


def test_one_object_of_several(tmp_path: Path) -> None:
    contract = HEAD + "schema:\n  - {name: a, properties: [{name: x}]}\n  - {name: B c, properties: [{name: y}]}\n"
    assert list(made(tmp_path, contract)) == ["a", "b_c"]
    assert list(made(tmp_path, contract, schema_object="B c")) == ["b_c"]
    with pytest.raises(ConfigError, match="no object 'b c' \\(nearest: B c\\)"):
        made(tmp_path, contract, schema_object="b c")


def test_a_level_of_no_object_is_told_once_for_each(tmp_path: Path) -> None:
    contract = (
        HEAD
        + "schema: [{name: a, properties: [{name: at, logicalType: timestamp}]}, {name: b, properties: [{name: x}]}]\n"
        + "slaProperties:\n  - {property: freshness, value: 1, unit: d, element: a.at}\n"
        + "  - {property: freshness, value: 1, unit: d, element: gone.at}\n"
    )
    texts = made(tmp_path, contract)
    assert "line 9, service level freshness" not in texts["b"]
    assert all("line 10, service level freshness (gone.at)" in text for text in texts.values())
    assert "expect_table_to_be_fresh" in texts["a"]
    assert "expect_table_to_be_fresh" not in texts["b"]


@pytest.mark.parametrize(
    ("physical", "ours"),
    [
        ("VARCHAR(18)", ("string", 18)),
        ("character varying (7)", ("string", 7)),
        ("NUMERIC(12, 2)", ("decimal(12,2)", None)),
        ("number(9)", ("decimal(9,0)", None)),
        ("timestamp with time zone", ("timestamp", None)),
        ("timestamp(6) without time zone", ("datetime", None)),
        ("int8", ("int64", None)),
        ("geography", (None, None)),
    ],
)
def test_types_of_databases(physical: str, ours: tuple[str | None, int | None]) -> None:
    assert physical_type(physical) == ours


@pytest.mark.parametrize(
    ("java", "type", "pattern"),
    [
        ("yyyy-MM-dd", "date", None),
        ("yyyy-MM-ddTHH:mm:ssZ", "datetime", None),
        ("yyyy-MM-dd'T'HH:mm:ss.SSSXXX", "timestamp", None),
        ("dd.MM.yyyy", "date", "%d.%m.%Y"),
        ("MM/dd/yy HH:mm", "datetime", "%m/%d/%y %H:%M"),
    ],
)
def test_java_formats(java: str, type: str, pattern: str | None) -> None:
    assert strftime(java, type) == pattern


def test_the_text_is_yaml_for_others_too(orders: tuple[str, Table]) -> None:
    text, _ = orders
    assert yaml.safe_load(text)["silver"]["keys"] == ["order_id"]
