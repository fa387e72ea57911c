"""`.env` beside the project: read by each command and by Dagster's entry point, and never again by a process that they start."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from dq_pipelines.config.env_file import load_env_file
from dq_pipelines.errors import ConfigError

TABLE = """
source: {type: csv, path: "${SHOP_FOLDER}/orders/*.csv"}
silver: {columns: {id: int64}}
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "assets_config/shop").mkdir(parents=True)
    (tmp_path / "assets_config/shop/orders.yaml").write_text(TABLE)
    monkeypatch.setattr(
        os, "environ", {name: value for name, value in os.environ.items() if not name.startswith("DQ_")}
    )
    monkeypatch.chdir(tmp_path)
    return tmp_path


def python(project: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    env = {name: value for name, value in os.environ.items() if not name.startswith("DQ_")} | variables
    return subprocess.run(
        [sys.executable, *arguments], cwd=project, env=env, capture_output=True, text=True, check=False
    )


def test_dq_and_dagster_read_it_and_the_environment_wins(project: Path) -> None:
    missing = python(project, "-m", "dq_pipelines", "check")
    assert (missing.returncode, "SHOP_FOLDER" in missing.stderr + missing.stdout) == (1, True)
    (project / ".env").write_text("SHOP_FOLDER=landing\n")
    assert python(project, "-m", "dq_pipelines", "check").returncode == 0
    shown = (
        "from dq_pipelines.definitions import defs; import os; print(os.environ['SHOP_FOLDER'], len(list(defs.assets)))"
    )
    assert python(project, "-c", shown).stdout.split() == ["landing", "1"]
    assert python(project, "-c", shown, SHOP_FOLDER="other").stdout.split()[0] == "other"


def test_values_are_taken_as_they_stand(project: Path) -> None:
    (project / ".env").write_text("A='p@ss ${HOME}#1'\nexport B=two # a remark\nC=\nD\n\n# nothing\nE=\"x\\ny\"\n")
    load_env_file()
    assert {name: os.environ.get(name) for name in "ABCDE"} == {
        "A": "p@ss ${HOME}#1",
        "B": "two",
        "C": "",
        "D": None,
        "E": "x\ny",
    }


def test_a_process_that_is_started_does_not_read_it_again(project: Path) -> None:
    (project / ".env").write_text("DQ_TOKEN_KEY=planted\n")
    load_env_file()
    del os.environ["DQ_TOKEN_KEY"]
    load_env_file()
    assert "DQ_TOKEN_KEY" not in os.environ


def test_another_file_and_none(project: Path) -> None:
    (project / ".env").write_text("A=1\n")
    (project / "other").write_text("A=2\n")
    os.environ["DQ_ENV_FILE"] = ""
    load_env_file()
    assert "A" not in os.environ
    os.environ["DQ_ENV_FILE"] = str(project / "other")
    load_env_file()
    assert os.environ["A"] == "2"
    os.environ["DQ_ENV_FILE"] = str(project / "gone")
    with pytest.raises(ConfigError, match="wanted a file of lines NAME=value, got: No such file"):
        load_env_file()
    (project / "latin").write_bytes(b"A=\xe9\n")
    os.environ["DQ_ENV_FILE"] = str(project / "latin")
    with pytest.raises(ConfigError, match="it is not UTF-8"):
        load_env_file()
