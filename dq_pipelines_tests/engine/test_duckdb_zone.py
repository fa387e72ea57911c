"""The DuckDB engine tells moments in UTC, whatever the machine's zone is."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

_PROGRAM = """
from datetime import UTC, datetime
import polars as pl
import dq_pipelines as dq
rows = pl.DataFrame({"seen": [datetime(2024, 7, 1, 2, 30, tzinfo=UTC)]})
rule = {"type": "expect_column_max_to_be_between", "column": "seen", "min_value": "2024-07-01T02:30:00"}
[result] = dq.validate(rows, [rule], engine="duckdb").results
print(result.success, result.observed_value)
"""


@pytest.mark.slow
def test_observed_values_are_the_same_on_machines_of_all_zones() -> None:
    for zone in ("UTC", "America/New_York", "Pacific/Apia"):
        ended = subprocess.run(
            [sys.executable, "-c", _PROGRAM], env={**os.environ, "TZ": zone}, check=True, capture_output=True, text=True
        )
        assert (zone, ended.stdout) == (zone, "True 2024-07-01 02:30:00+00:00\n")
