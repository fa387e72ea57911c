"""Polars has numpy before its threads need it: in a process of its own, since this one imported numpy long ago."""

from __future__ import annotations

import subprocess
import sys

import pytest

#: Polars comes first, as in most modules: so it begins with a placeholder for numpy.
_LOOKED = """
import polars
from polars import _dependencies
assert type(_dependencies.numpy) is _dependencies._LazyModule, "the placeholder is no longer there: this test is of no use"
import {module}
assert type(_dependencies.numpy) is not _dependencies._LazyModule, "threads would import numpy"
"""


@pytest.mark.parametrize("module", ["dq_pipelines.engine.interrupt", "dq_pipelines.transforms.attempts"])
def test_polars_imports_numpy_before_it_works_in_threads(module: str) -> None:
    code = _LOOKED.format(module=module)
    looked = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert looked.returncode == 0, looked.stderr
