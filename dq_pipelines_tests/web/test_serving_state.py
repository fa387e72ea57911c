"""`dq serve` closes its private folders, as a real process with an open umask."""

from __future__ import annotations

import os
import stat
import subprocess
from pathlib import Path

import pytest

from dq_pipelines.security.moving import open_state
from dq_pipelines_tests.web.conftest import build
from dq_pipelines_tests.web.served import dq, environment, serving
from dq_pipelines_tests.workshop import Workshop

pytestmark = pytest.mark.slow


def mode(path: Path) -> str:
    return f"{stat.S_IMODE(path.stat().st_mode):o}"


@pytest.mark.parametrize("command", [["serve", "--no-dagster"], ["user", "list"], ["key", "list"], ["audit", "verify"]])
def test_readable_secrets_stop_the_start(empty: Workshop, command: list[str]) -> None:
    open_state(empty.state)
    empty.state.secret("token.key")
    empty.state.folder.chmod(0o755)
    ran = subprocess.run(
        dq(*command), check=False, env=environment(empty), cwd=empty.root, capture_output=True, text=True, timeout=300
    )
    folder = empty.state.folder
    said = f"{folder}: wanted it closed to others (mode 700), got 755: `chmod 700 {folder}`\n"
    assert (ran.returncode, ran.stderr) == (2, said)


def test_dagsters_folder_is_made_private(tmp_path: Path) -> None:
    shop = build(tmp_path)
    home = shop.root / ".dagster_home"
    home.mkdir()
    (home / "kept").touch()
    home.chmod(0o777)
    before = os.umask(0)
    try:
        with serving(shop, "--no-daemon"):
            assert mode(home) == "700"
            assert mode(shop.state.folder) == "700"
            assert {mode(path) for path in shop.state.files()} == {"600"}
    finally:
        os.umask(before)
    assert (
        ".dagster_home was open to others on this machine: closed (mode 700)" in (shop.root / "serve.log").read_text()
    )
