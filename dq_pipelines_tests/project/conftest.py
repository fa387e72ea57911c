"""Projects that a test writes as text."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from dq_pipelines.errors import ConfigError
from dq_pipelines.project import load_project

#: A folder's files, `<domain>/<table>.yaml` to text, and the environment -> every problem, one a line.
Problems = Callable[..., list[str]]


def write(root: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")


@pytest.fixture
def problems(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Problems:
    """What is wrong with a project in the folder `conf`."""

    def found(files: Mapping[str, str], **environment: str) -> list[str]:
        write(tmp_path / "conf", files)
        monkeypatch.chdir(tmp_path)
        try:
            load_project("conf", environment=environment)
        except ConfigError as error:
            return [str(problem) for problem in error.problems]
        return []

    return found
