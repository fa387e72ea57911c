"""Programs beside Python that tests drive: a browser, Prometheus, an SSH server. `.ci/run` installs them.

Where one is absent its tests are skipped and say so; under CI=true they fail, so that a green run means that they ran.
"""

from __future__ import annotations

import os
import shutil

import pytest


def program(name: str, package: str = "") -> str:
    """The path of a program, by its package's name where that is another; skips the test without it, or fails it where `CI` is set."""
    if found := shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin"):
        return found
    missing = f"{name} is not installed (apt-get install {package or name})"
    if os.environ.get("CI") == "true":
        pytest.fail(missing)
    pytest.skip(missing)
