"""A new source is one new file in `sources/`: it lands through real runs, and keeps the contract of all sources."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from dq_pipelines_tests.contracts import sources as contract

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    "command",
    [
        ["dq_pipelines_tests.contracts.sources.landing_a_log", "lands"],
        ["pytest", "-q", "-n0", "-p", "no:cacheprovider", "-m", "not slow", "dq_pipelines_tests/contracts/sources"],
    ],
    ids=["it lands", "it keeps the contract"],
)
def test_one_file_adds_a_source(copy: Path, tmp_path: Path, command: list[str]) -> None:
    own = Path(str(contract.__file__)).with_name("offset_log.py")
    shutil.copy2(own, copy / "dq_pipelines/sources/offset_log.py")
    ran = subprocess.run(
        [sys.executable, "-m", *command],
        cwd=copy,
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), "PYTHONPATH": str(copy)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout[-5_000:] + ran.stderr[-5_000:]
    if "pytest" in command:
        assert "a.log" not in ran.stdout
        assert " passed" in ran.stdout
