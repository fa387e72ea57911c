"""The environment of a peer whose requirements conflict with ours: made beside the data of the bench, once."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

#: What is installed there, and which of its requirements our pins do not meet.
LAKELOGIC = "lakelogic==1.84.0"


def python(data: Path) -> Path:
    """The interpreter of LakeLogic's environment, whether it is there or not."""
    return data.absolute() / LAKELOGIC.replace("==", "-") / "bin" / "python"


def is_made(data: Path) -> bool:
    return (python(data).parent.parent / "complete").exists()


def make(data: Path) -> bool:
    """Make the environment unless it is there; False, with pip's last words printed, where that fails."""
    if is_made(data):
        return True
    folder = python(data).parent.parent
    for command in (
        [sys.executable, "-m", "venv", "--clear", str(folder)],
        [str(python(data)), "-m", "pip", "install", "--quiet", LAKELOGIC],
    ):
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        if done.returncode:
            print(f"{LAKELOGIC} could not be installed: left out\n{done.stdout[-1000:]}")
            return False
    (folder / "complete").touch()
    return True
