"""What the house's own tests need: a copy of the checkout in which commands may run and leave things."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest


@pytest.fixture
def copy(checkout: Path, tracked: Sequence[Path], tmp_path: Path) -> Path:
    """What a clone would hold, with the environment that runs this test as its `.venv`, marked as installed."""
    top = tmp_path / "dq_pipelines"
    for name in tracked:
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(checkout / name, top / name)
    (top / ".venv").mkdir()
    for part in Path(sys.prefix).iterdir():
        (top / ".venv" / part.name).symlink_to(part)
    stamp = subprocess.run(
        ["make", "--eval", "stamp: ; @echo $(STAMP)", "stamp"],
        cwd=top,
        check=True,
        capture_output=True,
        text=True,
        env={"PATH": os.environ["PATH"]},
    ).stdout.strip()
    (top / stamp).touch()
    return top
