"""A real server in a process of its own, as `dq serve` starts it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from dq_pipelines_tests.workshop import Workshop


def environment(shop: Workshop) -> dict[str, str]:
    """The environment of a process that looks at this project."""
    places = {
        "DQ_CONFIG": f"{shop.root}/assets_config",
        "DQ_LAKE": f"{shop.root}/lake",
        "DQ_HISTORY_URL": f"sqlite:///{shop.root}/history.db",
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
