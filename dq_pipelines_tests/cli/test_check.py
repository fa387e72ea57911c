"""`dq check`: every problem, a last line, an exit code; and what it does not import."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

from .conftest import Dq


def test_the_samples_are_sound(dq: Dq, checkout: Path) -> None:
    ran = dq("check", cwd=checkout)
    assert re.fullmatch(r"15 tables, \d+ rules in \d+\.\d\d s\n", ran.stdout), ran.stdout + ran.stderr
    assert (ran.returncode, ran.stderr) == (0, "")


def test_every_problem_is_said(dq: Dq, checkout: Path, tmp_path: Path) -> None:
    root = shutil.copytree(checkout / "assets_config", tmp_path / "assets_config")
    for name, right, wrong in (
        ("retail/sales.yaml", "expect_column_values_to_be_between", "expect_column_values_to_be_betwen"),
        ("retail/sales.yaml", "on_arrival: true", "on_arrival: yes"),
        ("flights/flights.yaml", "silver/planes", "silver/plains"),
    ):
        text = (root / name).read_text(encoding="utf-8")
        assert right in text
        (root / name).write_text(text.replace(right, wrong), encoding="utf-8")
    ran = dq("check")
    assert ran.returncode == 1
    lines = ran.stdout.splitlines()
    assert re.fullmatch(
        r"assets_config/flights/flights\.yaml:\d+: unknown table 'silver/plains' \(nearest: silver/planes\)", lines[0]
    )
    assert lines[1].startswith("assets_config/retail/sales.yaml:5: on_arrival: wanted true or false, got 'yes'")
    misspelt = "unknown rule 'expect_column_values_to_be_betwen' (nearest: expect_column_values_to_be_between)"
    blocked = [line for line in lines if ": blocked, since it reads silver/" in line]
    assert blocked  # tables that are sound themselves, and read one that is not
    said = [line for line in lines if line not in blocked]
    assert [line.partition(": ")[2] for line in said[2:-1]] == [misspelt] * (len(said) - 3)
    assert re.fullmatch(rf"{len(said) - 1} problems in \d+\.\d\d s", lines[-1])


def test_json(dq: Dq, tmp_path: Path) -> None:
    (tmp_path / "conf" / "a").mkdir(parents=True)
    (tmp_path / "conf" / "a" / "t.yaml").write_text("source: {type: csv, path: x}\nx: 1\n", encoding="utf-8")
    ran = dq("check", "--json", DQ_CONFIG="conf")
    found = json.loads(ran.stdout)
    assert ran.returncode == 1
    assert found["problems"] == [{"file": "conf/a/t.yaml", "line": 2, "message": "unknown key 'x'"}]
    (tmp_path / "conf" / "a" / "t.yaml").write_text("source: {type: csv, path: x}\n", encoding="utf-8")
    ran = dq("check", "conf", "--json")
    assert (ran.returncode, json.loads(ran.stdout)["tables"]) == (0, 1)


def test_days_in_paths_are_tried(dq: Dq, tmp_path: Path) -> None:
    (tmp_path / "conf" / "a").mkdir(parents=True)
    text = (
        "source: {type: csv, path: in/*.csv}\npartitions:\n  type: daily\n  start: 2024-01-01\n  in_path: '%d.%m.%Y'\n"
    )
    (tmp_path / "conf" / "a" / "t.yaml").write_text(text, encoding="utf-8")
    assert "warning" not in dq("check", "conf").stdout, "where there are no data, there is nothing to try"
    (tmp_path / "in").mkdir()
    for name in ("28.02.2024", "x_28-02-2024", "y"):
        (tmp_path / "in" / f"{name}.csv").write_text("id\n1\n", encoding="utf-8")
    ran = dq("check", "conf")
    wrong = f"wanted a day that is written as %d.%m.%Y, 2 of 3 paths at the source hold none, such as {tmp_path}/in/x_28-02-2024.csv"
    assert (ran.returncode, ran.stdout.splitlines()[0]) == (0, f"warning: conf/a/t.yaml:5: partitions.in_path: {wrong}")
    assert json.loads(dq("check", "conf", "--json").stdout)["warnings"][0]["line"] == 5


def test_no_such_folder(dq: Dq) -> None:
    ran = dq("check", "nowhere")
    assert ran.returncode == 1
    assert ran.stdout.startswith("nowhere: wanted a folder of <domain>/<table>.yaml, found none\n1 problem in ")
    assert ran.stderr == ""
