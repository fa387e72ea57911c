"""The numbers of one file: what numpy finds, of plain files and of others."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from dq_pipelines.errors import SourceError
from dq_pipelines.monitoring.metrics import file_metrics
from dq_pipelines.monitoring.metrics.file_metrics import metrics_of_file

VALUES = np.append(np.round(np.random.default_rng(5).normal(50, 5, 5_000), 3), [500.0, -400.0])
PLAIN = "name;value;at\n" + "".join(f"n{number};{value};2026-01-01\n" for number, value in enumerate(VALUES))


def the_same(path: Path) -> None:
    (found,) = [metrics for metrics in metrics_of_file(path) if metrics.column == "value"]
    assert (found.count, found.null_count, found.min, found.max) == (5_002, 0, -400, 500)
    assert found.mean == pytest.approx(VALUES.mean(), rel=1e-12)
    assert found.standard_deviation == pytest.approx(VALUES.std(ddof=1), rel=1e-12)
    assert found.outlier_count == (abs(VALUES - VALUES.mean()) > 3 * VALUES.std(ddof=1)).sum()


def test_a_plain_file_is_parsed_straight_into_floats(tmp_path: Path) -> None:
    file = tmp_path / "run.csv"
    file.write_text(PLAIN)
    assert file_metrics._plain_csv(file) is not None
    the_same(file)
    assert [metrics.column for metrics in metrics_of_file(file)] == ["value"]


@pytest.mark.parametrize(
    "text",
    [PLAIN.replace("n7;", '"n;7";'), "two\nlines above it\n\n" + PLAIN, PLAIN.replace("\n", "\r\n")],
    ids=["quoted", "with a preamble", "windows"],
)
def test_any_other_file_goes_through_its_source(tmp_path: Path, text: str) -> None:
    file = tmp_path / "run.csv"
    file.write_bytes(text.encode())
    the_same(file)


def test_packed_and_parquet(tmp_path: Path) -> None:
    (tmp_path / "run.csv.gz").write_bytes(gzip.compress(PLAIN.encode()))
    the_same(tmp_path / "run.csv.gz")
    pl.DataFrame({"name": ["n"] * 5_002, "value": VALUES}).write_parquet(tmp_path / "run.parquet")
    the_same(tmp_path / "run.parquet")


def test_cells_that_are_no_numbers_are_nulls(tmp_path: Path) -> None:
    file = tmp_path / "run.csv"
    file.write_text("value\n" + "1\n2\n3\n" * 400 + "x\n\nnan\ninf\n")
    (found,) = metrics_of_file(file)
    assert (found.count, found.mean, found.min, found.max, found.outlier_count) == (1_204, 2.0, 1, 3, 0)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.doc", b"x", "wanted a file that ends in"),
        ("a.parquet", b"no", "a.parquet: wanted"),
        ("a.csv", b"", "0 bytes"),
    ],
)
def test_what_cannot_be_read_is_told(tmp_path: Path, name: str, content: bytes, said: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(SourceError, match=said):
        metrics_of_file(tmp_path / name)
