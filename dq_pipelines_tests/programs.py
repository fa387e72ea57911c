"""Programs beside Python that tests drive: a browser, Prometheus. `.ci/run` installs them.

Where one is absent its tests are skipped and say so; under CI=true they fail, so that a green run means that they ran.
"""

from __future__ import annotations

import os
import shutil

import pytest


def program(name: str) -> str:
    """The path of a program; skips the test without it, or fails it where `CI` is set."""
    if found := shutil.which(name):
        return found
    missing = f"{name} is not installed (apt-get install {name})"
    if os.environ.get("CI") == "true":
        pytest.fail(missing)
    pytest.skip(missing)
