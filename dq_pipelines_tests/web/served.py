"""A real server in a process of its own, as `dq serve` starts it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from dq_pipelines_tests.workshop import Workshop

#: A run that takes long enough to be met: its step `slow_steps:wait` is to be written beside the project.
SLOW = """
source: {type: csv, path: "{landing}/slow/*.csv"}
silver:
  columns: {id: int64}
  transform: [{python: slow_steps:wait}]
"""
_PASSWORD = "correct horse battery staple"


def environment(shop: Workshop) -> dict[str, str]:
    """The environment of a process that looks at this project."""
    places = {
        "DQ_CONFIG": f"{shop.root}/assets_config",
        "DQ_LAKE": f"{shop.root}/lake",
        "DQ_HISTORY_URL": f"sqlite:///{shop.root}/history.db",
        "DQ_STATE": f"{shop.root}/state",
        "PYTHONUNBUFFERED": "1",
    }
    return os.environ | places


def dq(*arguments: str) -> list[str]:
    """The command line of `dq`."""
    return [sys.executable, "-m", "dq_pipelines", *arguments]


@contextmanager
def served(shop: Workshop) -> Iterator[str]:
    """The address at which `dq serve --no-dagster` serves this project, until the block ends."""
    command = dq("serve", "--port", "0", "--no-dagster")
    with subprocess.Popen(command, env=environment(shop), stdout=subprocess.PIPE, text=True) as serving:
        try:
            assert serving.stdout is not None
            told = serving.stdout.readline()
            found = re.match(r"dashboard at (http://127\.0\.0\.1:\d+)/dashboard/", told)
            assert found is not None, told
            yield found[1]
        finally:
            serving.terminate()
            assert serving.wait(20) in (0, -15)


@contextmanager
def serving(shop: Workshop, *options: str, ended: int = 0) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """`dq serve` with Dagster, its records below the project: the process, and the address of the UI once that answers.

    It ends with this exit code, unless it was killed.
    """
    places = {name: value for name, value in environment(shop).items() if name != "DAGSTER_HOME"}
    log = shop.root / "serve.log"
    with (
        log.open("w") as said,
        subprocess.Popen(
            dq("serve", "--port", "0", *options),
            cwd=shop.root,
            env=places,
            stdout=subprocess.PIPE,
            stderr=said,
            text=True,
        ) as process,
    ):
        try:
            assert process.stdout is not None
            told = process.stdout.readline()
            assert told.startswith("dashboard at http://127.0.0.1:"), told
            told = process.stdout.readline()
            assert told.startswith("Dagster's UI at http://127.0.0.1:"), told + log.read_text()
            yield process, told.split()[-1].rstrip("/")
        finally:
            process.terminate()
            assert process.wait(60) in (ended, -signal.SIGKILL)


def api_key(shop: Workshop) -> str:
    """The API key of an admin, made by the command line before the server starts."""
    places = environment(shop) | {"DAGSTER_HOME": str(shop.root / ".dagster_home")}
    add = dq("user", "add", "program", "--role", "admin", "--password-stdin")
    subprocess.run(add, cwd=shop.root, env=places, input=_PASSWORD, text=True, check=True, capture_output=True)
    command = dq("key", "add", "program")
    made = subprocess.run(command, cwd=shop.root, env=places, text=True, check=True, capture_output=True)
    found = re.search(r"dq_[\w-]+", made.stdout)
    assert found is not None, made.stdout
    return found[0]
