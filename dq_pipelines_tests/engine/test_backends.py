"""The registry of backends, and what a backend may leave to another. That all judge alike is in `contracts`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from dq_pipelines.engine import backends
from dq_pipelines.engine.backends.base import StagingBackend
from dq_pipelines.engine.backends.duckdb.backend import DuckDB
from dq_pipelines.engine.backends.registry import (
    BACKENDS,
    DEFAULT,
    OTHERS,
    backend_class,
    connect,
    owner,
    staging_backend,
)
from dq_pipelines.engine.judge import judge
from dq_pipelines.errors import ConfigError
from dq_pipelines.rules import rule_from

#: By this rule only Polars judges.
IN_ORDER = rule_from({"type": "expect_column_values_to_be_increasing", "column": "x"})


def test_every_folder_with_a_backend_is_in_the_registry() -> None:
    folders = {path.parent.name for path in Path(backends.__path__[0]).glob("*/backend.py")}
    assert folders == set(BACKENDS)
    for name in BACKENDS:
        assert backend_class(name).name == name
        assert backend_class(name).can_stage == issubclass(backend_class(name), StagingBackend)


def test_a_pipeline_gets_a_backend_that_writes_rows() -> None:
    assert staging_backend().name == DEFAULT


@pytest.mark.parametrize("name", [*OTHERS, "postgresql://bob:s3cret@127.0.0.1:1/shop", "spark://127.0.0.1:1"])
def test_a_backend_that_writes_no_rows_is_refused_before_it_is_connected(name: str) -> None:
    with pytest.raises(ConfigError, match="judges rows but writes none, wanted polars") as refusal:
        staging_backend(name)
    assert "s3cret" not in str(refusal.value)


def test_an_unknown_engine_is_told_with_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"unknown engine 'duckbd' \(nearest: duckdb\), wanted polars, duckdb,"):
        connect("duckbd")


@pytest.mark.parametrize("data", ["rows.parquet", Path("rows.parquet"), pl.DataFrame(), {"x": [1]}])
def test_what_belongs_to_no_other_backend_has_no_owner(data: Any) -> None:
    assert owner(data) is None


def test_a_rule_that_a_backend_lacks_goes_to_the_reference() -> None:
    backend = connect("duckdb")
    (result,) = judge(backend.scan(backend.open(pl.DataFrame({"x": [1, 3, 2]})), [IN_ORDER])).results
    assert (result.engine, result.unexpected_count) == ("polars", 1)
    assert result.note == "judged by Polars, not duckdb: its rows have no order"


def test_a_backend_without_a_reference_says_so_instead_of_a_result() -> None:
    backend = DuckDB()
    with pytest.raises(TypeError, match="duckdb has no backend for the rules that it lacks: connect it by `registry`"):
        judge(backend.scan(backend.open(pl.DataFrame({"x": [1]})), [IN_ORDER]))
