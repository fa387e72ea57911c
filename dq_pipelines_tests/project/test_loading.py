"""From YAML to a project: what is refused, in which words, on which line. Each case is files and sentences."""

from __future__ import annotations

import json
import os
import time
from datetime import date
from pathlib import Path

import pytest

from dq_pipelines.errors import ConfigError
from dq_pipelines.project import DailyPartitions, GoldTable, LandedTable, load_project
from dq_pipelines.project.loading import signs
from dq_pipelines_tests.project.faults import CSV, FOREIGN, HEAD, NAMED, RULES

from .conftest import Problems, write

_STRATEGIES = "'auto', 'holt_winters', 'level_shift', 'novelty', 'rate_of_change', 'robust_z' or 'seasonal'"


# One file, a/t.yaml; the sentences without `conf/a/t.yaml:`.
IN_ONE_FILE: dict[str, tuple[str, list[str]]] = {
    "sound": (RULES + "    - {type: expect_column_values_to_not_be_null, column: id}\n", []),
    "rule misspelt": (
        RULES + "    - {type: expect_column_values_to_be_betwen, column: id}\n",
        ["5: unknown rule 'expect_column_values_to_be_betwen' (nearest: expect_column_values_to_be_between)"],
    ),
    "rule without type": (RULES + "    - column: id\n", ["5: missing key 'type'"]),
    "rule is text": (RULES + "    - expect_x\n", ["5: rules: wanted a mapping, got 'expect_x'"]),
    "key of a rule misspelt": (
        RULES + "    - type: expect_column_values_to_be_between\n      column: id\n      min_valu: 1\n",
        ["7: unknown key 'min_valu' (nearest: min_value)"],
    ),
    "key of a rule missing": (RULES + "    - type: expect_column_values_to_be_null\n      mostly: 1\n", ["5: missing key 'column'"]),
    "wrong type in a rule": (
        RULES + "    - type: expect_column_values_to_be_null\n      column: id\n      mostly: high\n",
        ["7: mostly: wanted a number, got 'high'"],
    ),
    "out of range": (
        RULES + "    - {type: expect_column_values_to_be_null, column: id,\n       mostly: 98}\n",
        ["6: mostly: wanted at most 1, got 98"],
    ),
    "inside kwargs": (
        RULES + "    - type: expect_column_values_to_be_null\n      kwargs:\n        column: id\n        mostly: 98\n",
        ["8: mostly: wanted at most 1, got 98"],
    ),
    "no": (
        RULES + "    - {type: expect_column_pair_values_a_to_be_greater_than_b, column_A: a, column_B: b, or_equal: no}\n",
        ["5: or_equal: wanted true or false, got 'no'"],
    ),
    "severity": (
        RULES + "    - {type: expect_column_values_to_be_null, column: id, severity: eror}\n",
        ["5: severity: wanted 'critical', 'warning' or 'info', got 'eror'"],
    ),
    "table rule refuses no rows": (
        RULES + "    - {type: expect_table_row_count_to_equal, value: 1, on_failure: quarantine}\n",
        ["5: on_failure: quarantine wants a rule on rows; expect_table_row_count_to_equal judges the whole table"],
    ),
    "unknown source": ("source: {type: cvs, path: x}\n", ["1: unknown source 'cvs' (nearest: csv)"]),
    "key of a source": (
        "source:\n  type: csv\n  path: x\n  delimeter: ';'\n",
        ["4: unknown key 'delimeter' (nearest: delimiter)"],
    ),
    "source is text": ("source: x.csv\n", ["1: source: wanted a mapping, got 'x.csv'"]),
    "neither": ("description: x\n", ["1: wanted source (a table that lands) or gold (one that is computed), found neither"]),
    "both": (
        CSV + "gold: {sql: select 1}\n",
        ["2: wanted one of source (a table that lands) and gold (one that is computed), got both"],
    ),
    "source misspelt": ("sorce: {type: csv, path: x}\n", ["1: missing key 'source'", "1: unknown key 'sorce' (nearest: source)"]),
    "a level too high": (CSV + "rules: []\n", ["2: unknown key 'rules': it belongs under silver"]),
    "unknown key": (CSV + "descripton: x\n", ["2: unknown key 'descripton' (nearest: description)"]),
    "column type": (
        CSV + "silver:\n  columns:\n    id: int46\n    x: {type: 'decimal(99,2)'}\n    y: {type: decimal(9,2)}\n",
        ["4: unknown type 'int46' (nearest: int64)", "5: type: wanted decimal(p,s) with 1 <= p <= 38 and s <= p, got 'decimal(99,2)'",
         "6: type: wanted decimal(p,s) in quotes, got 'decimal(9': between braces a comma ends it", "6: unknown key '2)'"],
    ),
    "column is a list": (CSV + "silver:\n  columns:\n    id: [int64]\n", ["4: id: wanted a mapping, got a list"]),
    "columns are a list": (CSV + "silver:\n  columns: [id]\n", ["3: columns: wanted a mapping, got a list"]),
    "keys are text": (CSV + "silver:\n  keys: id\n", ["3: keys: wanted a list, got 'id'"]),
    "merge without keys": (CSV + "silver:\n  write: merge\n", ["2: write: merge wants keys, got none"]),
    "step misspelt": (
        CSV + "silver:\n  transform:\n    - derve: {x: a}\n",
        ["4: unknown step 'derve' (nearest: derive)"],
    ),
    "step is text": (CSV + "silver:\n  transform:\n    - filter\n", ["4: transform: wanted a mapping with one key, got 'filter'"]),
    "two keys in a step": (
        CSV + "silver:\n  transform:\n    - derive: {x: a}\n      filter: a\n",
        ["5: unknown key 'filter'"],
    ),
    "inside a step": (
        CSV + "silver:\n  transform:\n    - deduplicate:\n        by: []\n        keep: lst\n",
        ["5: by: wanted at least 1 item(s), got an empty list", "6: keep: wanted 'first' or 'last', got 'lst'"],
    ),
    "missing in a step": (CSV + "silver:\n  transform:\n    - deduplicate: {keep: last}\n", ["4: missing key 'by'"]),
    "python step": (
        CSV + "silver:\n  transform:\n    - python: os.system('ls')\n",
        ["4: python: wanted module:function, got \"os.system('ls')\""],
    ),
    "owner": (CSV + "owners: [team:a,\n  nobody]\n", ["3: owners: wanted team:<name> or an e-mail address, got 'nobody'"]),
    "cron": (CSV + "schedule: 0 25 * * *\n", ["2: schedule: wanted 0 to 23 as the hour of a cron schedule, got '25' in '0 25 * * *'"]),
    "retention": (
        CSV + "retention: {keep: 3 months, by: at}\n",
        ["2: keep: wanted a duration such as 12h, 90d, 8w or 2y (365 days each), got '3 months'"],
    ),
    "retention by text": (
        CSV + "retention: {keep: 2y, by: id}\nsilver:\n  columns: {id: string}\n",
        ["2: wanted a column of type date, datetime or timestamp, got id: string"],
    ),
    "retention by a column under its old name": (
        CSV + "retention: {keep: 2y, by: at}\nsilver:\n  transform: [{rename: {at: sold_at}}]\n",
        ["2: no column 'at' here: it is called 'sold_at' by now"],
    ),
    "retention of gold": (
        "gold: {sql: select 1}\nretention: {keep: 2y, by: at}\n",
        ["1: retention is for tables that land: gold is computed anew from what its inputs keep"],
    ),
    "partitions": (CSV + "partitions: {type: dayly}\n", ["2: unknown type 'dayly' (nearest: daily)"]),
    "partition start": (
        CSV + "partitions:\n  type: daily\n  start: soon\n",
        ["4: start: wanted a date, got 'soon'"],
    ),
    "partition day": (
        CSV + "partitions:\n  type: daily\n  start: 2026-01-01\n  in_path: '%Y-%m'\n",
        ["5: in_path: wanted a year, a month and a day, such as %Y-%m-%d, got '%Y-%m'"],
    ),
    "an unknown column to order by": (
        CSV + "silver:\n  keys: [id]\n  merge: {order_by: upd}\n  transform: [{rename: {upd: at}}]\n",
        ["4: no column 'upd' here: it is called 'at' by now"],
    ),
    "order without keys": (
        CSV + "silver:\n  merge: {order_by: at}\n",
        ["2: merge: order_by wants write: merge with keys, got append"],
    ),
    "partitions of a Delta table": (
        "source: {type: delta, path: x}\npartitions: {type: dynamic}\n",
        ["2: partitions: dynamic wants a source of files, got delta"],
    ),
    "partitions overwritten": (
        CSV + "silver: {write: overwrite}\npartitions: {type: dynamic}\n",
        ["2: partitions want write: merge or append, got overwrite, by which each replaces the others"],
    ),
    "neither sql nor python": ("gold:\n  rules: []\n", ["1: gold: wanted one of sql and python, got neither"]),
    "sql and python": ("gold: {sql: select 1, python: 'a:b'}\n", ["1: gold: wanted one of sql and python, got both"]),
    "source in gold": ("gold:\n  sql: select 1\n  source: x\n", ["3: unknown key 'source'"]),
    "inputs of sql": (
        "gold: {sql: select 1, inputs: [silver/t]}\n",
        ["1: inputs are for python: those of a query are found in its SQL"],
    ),
    "sql that does not parse": (
        "gold:\n  sql: |\n    select a\n    from (select\n    where\n",
        ["5: SQL does not parse: a part is missing, near 'where'"],
    ),
    "no select": ("gold: {sql: drop table silver.x}\n", ["1: wanted one SELECT, got DROP"]),
    "two statements": ("gold: {sql: select 1; select 2}\n", ["1: wanted one SELECT, got 2 statements"]),
    "itself": ("gold: {sql: select * from gold.t}\n", ["1: wanted other tables, got gold/t itself"]),
    "unknown table in sql": (
        "gold:\n  sql: |\n    with mine as (select 1)\n    select * from mine\n    join silver.x using (a)\n",
        ["5: unknown table 'silver.x'"],
    ),
    "table without a layer": ("gold: {sql: select * from t}\n", ["1: wanted silver.<table> or gold.<table>, got 't' (nearest: gold.t)"]),
    "bronze": ("gold: {sql: select * from bronze.x}\n", ["1: wanted silver.<table> or gold.<table>, got 'bronze.x'"]),
    "foreign key to nothing": (
        RULES + "    - {type: expect_column_values_to_exist_in, column: id, table: silver/u, key: id}\n",
        ["5: unknown table 'silver/u' (nearest: silver/t)"],
    ),
    "foreign key without a layer": (
        RULES + "    - {type: expect_column_values_to_exist_in, column: id, table: t, key: id}\n",
        ["5: table: wanted a table as <layer>/<table> (layer: bronze, silver, quarantine, gold), got 't'"],
    ),
    "foreign key to bronze": (
        RULES + "    - type: expect_column_values_to_exist_in\n      column: id\n      table: bronze/t\n      key: id\n",
        ["7: wanted silver/<table> or gold/<table>, got 'bronze/t' (nearest: silver/t)"],
    ),
    "foreign key to no column": (
        RULES + "    - {type: expect_column_values_to_exist_in, column: id, table: silver/t, key: pric}\n",
        ["5: silver/t declares no column 'pric' (nearest: price)"],
    ),
    "keys renamed away": (
        HEAD + "  keys: [id, price]\n  transform:\n    - rename: {price: cost}\n",
        ["4: no column 'price' here: it is called 'cost' by now"],
    ),
    "keys under the landed name": (
        CSV + "silver:\n  columns:\n    id: {type: int64, from: Id}\n  keys: [Id]\n",
        ["5: no column 'Id' here: it is called 'id' by now"],
    ),
    "undeclared columns pass": (
        HEAD + "  keys: [other]\n  rules:\n    - {type: expect_column_values_to_be_null, column: another}\n",
        [],
    ),
    "all columns known": (
        NAMED + "silver:\n  keys: [idd]\n  transform:\n"
        + "    - deduplicate: {by: [id], order_by: at}\n  rules:\n    - {type: expect_column_values_to_be_null, column: nam}\n",
        ["3: no column 'idd' (nearest: id)", "5: no column 'at'", "7: no column 'nam' (nearest: name)"],
    ),
    "all columns known, but for what a step adds": (
        NAMED + "silver:\n  keys: [idd]\n  transform:\n    - python: mine:adds_idd\n",
        [],
    ),
    "no such variable": (
        "source: {type: csv, path: '${DQ_LANDIN}/x'}\ndescripton: x\n",
        [
            "1: wanted the environment variable DQ_LANDIN, found none (nearest: DQ_LANDING)",
            "2: unknown key 'descripton' (nearest: description)",
        ],
    ),
    "everything at once": (
        "owners: [x]\nsource: {type: csv, path: x, header: 1}\nsilver:\n  keys: 5\n  rules:\n    - {type: expect}\n    - {}\n",
        [
            "1: owners: wanted team:<name> or an e-mail address, got 'x'",
            "2: unknown key 'header' (nearest: header_rows)",
            "4: keys: wanted a list, got 5",
            "6: unknown rule 'expect'",
            "7: missing key 'type'",
        ],
    ),
    "suite gone": (
        CSV + "silver:\n  rules: suite.json\n",
        ["3: wanted a list of rules or the path of a GX suite in JSON, got 'suite.json': no such file"],
    ),
    "metric misspelt": (
        HEAD + "  anomalies: [{metric: row_cont}]\n",
        ["4: unknown metric 'row_cont' (nearest: row_count)"],
    ),
    "metric of a column without one": (
        HEAD + "  anomalies: [{metric: mean}]\n",
        ["4: metric mean is of a column, wanted the key column"],
    ),
    "metric of the table with a column": (
        HEAD + "  anomalies: [{metric: row_count, column: id}]\n",
        ["4: metric row_count is of the whole table, got column: id"],
    ),
    "strategy misspelt": (
        HEAD + "  anomalies: [{metric: row_count, strategy: holtwinters}]\n",
        [f"4: strategy: wanted {_STRATEGIES}, got 'holtwinters'"],
    ),
    "strategy without its season": (
        HEAD + "  anomalies: [{metric: row_count, strategy: seasonal}]\n",
        ["4: strategy seasonal needs a seasonality: wanted hourly, daily or weekly, got none"],
    ),
    "season without its strategy": (
        HEAD + "  anomalies: [{metric: row_count, strategy: robust_z, seasonality: weekly}]\n",
        ["4: strategy robust_z has no seasonality: wanted one of auto, seasonal, holt_winters"],
    ),
    "anomalies' numbers": (
        HEAD + "  anomalies:\n    - {metric: row_count, sensitivity: 0}\n    - {metric: row_count, training: 90}\n",
        ["5: sensitivity: wanted more than 0, got 0", "6: training: wanted a duration such as 12h, 90d, 8w or 2y (365 days each), got '90'"],
    ),
    "suite in YAML": (
        CSV + "silver:\n  rules: suite.yaml\n",
        ["3: wanted a list of rules or the path of a GX suite in JSON, got 'suite.yaml': another ending"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", IN_ONE_FILE)
def test_one_file(name: str, problems: Problems) -> None:
    text, expected = IN_ONE_FILE[name]
    assert problems({"a/t.yaml": text}) == [f"conf/a/t.yaml:{sentence}" for sentence in expected]


def test_no_folder(tmp_path: Path) -> None:
    (tmp_path / "assets_config").mkdir()
    with pytest.raises(ConfigError, match=r"asset_config: wanted a folder .*, found none \(nearest: assets_config\)$"):
        load_project(tmp_path / "asset_config")
    with pytest.raises(ConfigError, match=r"wanted at least one <domain>/<table>\.yaml, found none"):
        load_project(tmp_path / "assets_config")


def test_secrets_are_never_said(problems: Problems) -> None:
    text = (
        "source: {type: csv, path: x, delimiter: '${TOKEN}', header_rows: '${TOKEN}'}\nsilver:\n  columns: {id: '${TOKEN}'}\n"
        "  rules:\n    - {type: '${TOKEN}', column: x}\n    - {type: expect_column_values_to_exist_in, column: x, table: '${TOKEN}', key: y}\n"
    )
    found = problems(
        {"a/t.yaml": text, "a/u.yaml": "gold: {sql: 'select * from silver.${TOKEN}'}\n"}, TOKEN="s3cr3t_value"
    )
    assert len(found) >= 4
    assert "s3cr3t" not in "\n".join(found)
    assert "${TOKEN}" in "\n".join(found)


def test_a_file_replaced_under_its_old_times_has_another_sign(tmp_path: Path) -> None:
    write(tmp_path, {"a/t.yaml": "name: old\n", "a/u.yaml": "name: other\n"})
    before, path = signs(tmp_path), tmp_path / "a/t.yaml"
    assert signs(tmp_path) == before
    there = path.stat()
    time.sleep(0.02)  # a kernel may give changes of one moment one change time
    path.write_text("name: new\n")
    os.utime(path, ns=(there.st_atime_ns, there.st_mtime_ns))
    assert (path.stat().st_size, path.stat().st_ino) == (there.st_size, there.st_ino)
    now = signs(tmp_path)
    assert [one == other for one, other in zip(before, now, strict=True)] == [False, True]


def test_a_sound_project(tmp_path: Path) -> None:
    files = {
        "project.yaml": "name: shop\n",
        "b/p.yaml": "gold:\n  sql: select * from silver.t\n  rules:\n    - {type: expect_table_row_count_to_equal, value: 1}\n",
        "a/t.yaml": FOREIGN.format("silver/u") + "    - type: expect_column_values_to_be_unique\n      column: id\n",
        "a/deep/u.yml": "source: {type: parquet, path: '${DQ_LANDING}/u'}\npartitions: {type: daily, start: 2026-10-01}\n",
        "a/.hidden.yaml": "- no\n",
        ".git/x.yaml": "- no\n",
        "a/notes.txt": "no",
    }
    write(tmp_path, files)
    project = load_project(tmp_path, environment={"DQ_LANDING": "s3://in"})
    assert (project.settings.name, project.path) == ("shop", str(tmp_path))
    assert [(table.key, table.domain, table.upstream) for table in project] == [
        ("silver/u", "a", ()),
        ("silver/t", "a", ("silver/u",)),
        ("gold/p", "b", ("silver/t",)),
    ]
    assert project.tables["t"].rule_lines == (5, 6)
    assert project.tables["t"].file == str(tmp_path / "a/t.yaml")
    assert project.by_key("gold/p") is project.tables["p"]
    assert project.by_key("gold/t") is None
    assert isinstance(project.tables["p"].model, GoldTable)
    landed = project.tables["u"].model
    assert isinstance(landed, LandedTable)
    assert landed.partitions == DailyPartitions(type="daily", start=date(2026, 10, 1))
    assert getattr(landed.source, "path", None) == "s3://in/u"


def test_a_suite_is_loaded_as_it_is(tmp_path: Path) -> None:
    suite = {
        "name": "orders",
        "expectations": [
            {
                "type": "expect_column_values_to_match_regex",
                "kwargs": {"column": "a", "regex": "^${x}", "mostly": 0.9},
                "meta": {"a": 1},
                "severity": "warning",
                "id": "1",
                "rendered_content": [{}],
            },
        ],
    }
    write(
        tmp_path,
        {"a/t.yaml": CSV + "silver:\n  rules: suites/orders.json\n", "a/suites/orders.json": json.dumps(suite)},
    )
    table = load_project(tmp_path).tables["t"]
    assert [rule.kwargs for rule in table.rules] == [{"column": "a", "regex": "^${x}", "mostly": 0.9}]
    assert table.rules[0].severity == "warning"
    assert table.rule_lines == (3,)


def test_all_that_is_wrong_with_a_file_is_said_at_once(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "t.yaml").write_text(
        """source: {type: csv, path: x.csv}
freshness: {within: 25}
upstream: [x]
silver:
  columns: {a: int64}
  anomalies: [{metric: row_cont}]
  rules:
    - {type: expect_column_values_to_be_betwen, column: a}
    - {type: expect_column_values_to_exist_in, column: a, table: silver/nothere, key: x}
    - {type: expect_column_values_to_not_be_null, colum: a}
  transform: [{derive: {b: a}}]
  extra: 1
""",
        encoding="utf-8",
    )
    with pytest.raises(ConfigError) as raised:
        load_project(tmp_path)
    assert {problem.line for problem in raised.value.problems} == {2, 3, 6, 8, 9, 10, 12}
    assert [problem.message for problem in raised.value.problems if problem.line == 9] == [
        "unknown table 'silver/nothere' (nearest: silver/t)"
    ]


def test_what_a_faulty_column_would_cause_is_not_said(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "t.yaml").write_text(
        """source: {type: csv, path: x.csv}
silver:
  columns: {a: int6, b: string}
  keys: [a]
  rules: [{type: expect_column_values_to_be_betwen, column: a}]
""",
        encoding="utf-8",
    )
    with pytest.raises(ConfigError) as raised:
        load_project(tmp_path)
    assert [problem.line for problem in raised.value.problems] == [3, 5]
