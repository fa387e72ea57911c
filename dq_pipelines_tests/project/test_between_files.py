"""What must hold between the files of a project: names, references, cycles, partitions; each fault in its sentence."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pytest

from dq_pipelines_tests.project.faults import CSV, FOREIGN, HEAD, NAMED

from .conftest import Problems

SQL = "gold: {{sql: select * from {}}}\n"


BETWEEN_FILES: dict[str, tuple[Mapping[str, str], list[str]]] = {
    "same name in two domains": (
        {"a/t.yaml": CSV, "b/t.yml": CSV},
        ["conf/b/t.yml: duplicate table 't': conf/a/t.yaml describes it already"],
    ),
    "same name, two endings": (
        {"a/t.yaml": CSV, "a/t.yml": CSV},
        ["conf/a/t.yml: duplicate table 't': conf/a/t.yaml describes it already"],
    ),
    "names": (
        {"A-b/t.yaml": CSV, "a/2t.yaml": CSV, "a/_x.yaml": CSV},
        [
            "conf/A-b/t.yaml: wanted a domain of a-z, 0-9 and _ that begins with a letter, got 'A-b'",
            "conf/a/2t.yaml: wanted a table of a-z, 0-9 and _ that begins with a letter, got '2t'",
            "conf/a/_x.yaml: wanted a table of a-z, 0-9 and _ that begins with a letter, got '_x'",
        ],
    ),
    "a table at the top": (
        {"t.yaml": CSV},
        ["conf/t.yaml: wanted conf/<domain>/t.yaml, or project.yaml: a table stands in the folder of its domain"],
    ),
    "settings": (
        {"project.yaml": "nme: x\nname: a b\n", "a/t.yaml": CSV},
        [
            "conf/project.yaml:1: unknown key 'nme' (nearest: name)",
            "conf/project.yaml:2: name: wanted text that matches ^[A-Za-z0-9_-]+$, got 'a b'",
        ],
    ),
    "watched columns": (
        {
            "a/t.yaml": NAMED + "silver: {anomalies: [{metric: mean, column: nme}]}\n",
            "a/u.yaml": HEAD
            + "  anomalies: [{metric: mean, column: price}, {metric: p50, column: id}]\n"
            + "metrics: {columns: [id], sketches: false}\n",
            "a/v.yaml": HEAD + "  anomalies:\n    - {metric: row_count}\n    - {metric: row_count, sensitivity: 2}\n",
        },
        [
            "conf/a/t.yaml:2: no column 'nme' (nearest: name)",
            "conf/a/u.yaml:4: price is not measured: metrics.columns leaves it out",
            "conf/a/u.yaml:4: p50 is not measured: metrics.sketches is false",
            "conf/a/v.yaml:6: row_count is watched twice: the check anomaly_row_count has one rule",
        ],
    ),
    "cycle": (
        {"a/p.yaml": SQL.format("gold.q"), "a/q.yaml": SQL.format("gold.r"), "a/r.yaml": SQL.format("gold.p")},
        ["conf/a/p.yaml:1: tables wait for each other: gold/p <- gold/q <- gold/r <- gold/p"],
    ),
    "cycle of foreign keys": (
        {"a/p.yaml": FOREIGN.format("silver/q"), "a/q.yaml": FOREIGN.format("silver/p")},
        ["conf/a/p.yaml:5: tables wait for each other: silver/p <- silver/q <- silver/p"],
    ),
    "a diamond is no cycle": (
        {
            "a/p.yaml": "gold: {sql: select * from gold.q join gold.r}\n",
            "a/q.yaml": SQL.format("silver.t"),
            "a/r.yaml": SQL.format("silver.t"),
            "a/t.yaml": FOREIGN.format("silver/t"),
        },
        [],
    ),
    "a broken table is still known": (
        {"a/p.yaml": SQL.format("silver.t"), "a/t.yaml": CSV + "x: 1\n", "a/u.yaml": FOREIGN.format("silver/t")},
        ["conf/a/t.yaml:2: unknown key 'x'"],
    ),
    "layer mistaken": (
        {"a/p.yaml": SQL.format("gold.t"), "a/t.yaml": CSV},
        ["conf/a/p.yaml:1: unknown table 'gold.t' (nearest: silver.t)"],
    ),
    "inputs of a function": (
        {"a/p.yaml": "gold:\n  python: m:f\n  inputs:\n    - silver/t\n    - silver/tt\n    - gold/p\n", "a/t.yaml": CSV},
        ["conf/a/p.yaml:5: unknown table 'silver/tt' (nearest: silver/t)", "conf/a/p.yaml:6: wanted another table, got gold/p itself"],
    ),
    "two broken files, in their order": (
        {"b/t.yaml": "a: [\n", "a/u.yaml": "- 1\n", "a/t2.yaml": ""},
        [
            "conf/a/t2.yaml: wanted a mapping, got an empty file",
            "conf/a/u.yaml:1: wanted a mapping, got a list",
            "conf/b/t.yaml:2: wanted a value, got ''",
        ],
    ),
    "a suite's rule": (
        {
            "a/t.yaml": HEAD + "  rules: suites/s.json\n",
            "a/suites/s.json": json.dumps({"expectations": [{"type": "expect_rows", "kwargs": {}}]}, indent=1),
        },
        ["conf/a/suites/s.json:4: unknown rule 'expect_rows' (nearest: expect_rows_sql)"],
    ),
    "a suite's value": (
        {
            "a/t.yaml": HEAD + "  rules: s.json\n",
            "a/s.json": '{"expectations": [\n {"type": "expect_column_values_to_be_null",\n  "kwargs": {"column": "a",\n  "mostly": 7}}]}',
        },
        ["conf/a/s.json:4: mostly: wanted at most 1, got 7"],
    ),
    "a suite that is none": (
        {"a/t.yaml": HEAD + "  rules: s.json\n", "a/s.json": "{\n x", "a/u.yaml": HEAD + "  rules: t.json\n", "a/t.json": "{}"},
        [
            "conf/a/s.json:2: wanted JSON, got: Expecting property name enclosed in double quotes",
            "conf/a/t.json: wanted a list of rules, or a mapping with `rules` or `expectations`, found none",
        ],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BETWEEN_FILES)
def test_between_files(name: str, problems: Problems) -> None:
    files, expected = BETWEEN_FILES[name]
    assert problems(files) == expected
