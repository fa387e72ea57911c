"""`import dq_pipelines` and `dq check` stay light: import-linter cannot see whether an import is lazy, so we look."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

_HEAVY = ("dagster", "duckdb", "great_expectations", "pandas", "plotly", "pyspark")

_IMPORT = "import dq_pipelines"
_CHECK = """
from dq_pipelines.cli import main
sys.argv = ["dq", "check"]
try:
    main()
except SystemExit as ended:
    assert not ended.code, ended.code
"""
_TELL = "print(json.dumps([name for name in {heavy!r} if name in sys.modules]))"


@pytest.mark.parametrize("code", [_IMPORT, _CHECK], ids=["import dq_pipelines", "dq check"])
def test_nothing_heavy_is_imported(code: str, checkout: Path, tmp_path: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", "\n".join(["import json, sys", code, _TELL.format(heavy=_HEAVY)])],
        cwd=checkout,
        # `dq check` reads ${DQ_LANDING}; nothing needs to lie there.
        env={**os.environ, "DQ_LANDING": str(tmp_path), "DQ_LAKE": str(tmp_path / "lake")},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert json.loads(ran.stdout.splitlines()[-1]) == []
