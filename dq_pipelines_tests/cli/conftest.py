"""`dq` as a person runs it, but for the process: that costs a second each time, and `house` looks at it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from dq_pipelines.cli import main


@dataclass(frozen=True)
class Ran:
    """What a command line printed, and how it ended."""

    returncode: int
    stdout: str
    stderr: str


Dq = Callable[..., Ran]


@pytest.fixture
def dq(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Dq:
    """Run `dq` with arguments in an empty folder, or another one."""

    def run(*arguments: object, cwd: Path = tmp_path, **environment: str) -> Ran:
        monkeypatch.chdir(cwd)
        monkeypatch.setenv("COLUMNS", "160")
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(sys, "argv", ["dq", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        code = ended.value.code
        return Ran(code if isinstance(code, int) else 0, said.out, said.err)

    return run
