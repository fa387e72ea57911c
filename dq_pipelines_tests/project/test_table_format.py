"""What a table's YAML wants of its format is compared with what the format says that it can do."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from dq_pipelines.errors import ConfigError
from dq_pipelines.lake import formats
from dq_pipelines.lake.formats.base import Capabilities
from dq_pipelines.lake.formats.delta import DeltaFormat
from dq_pipelines.project import load_project
from dq_pipelines.project.table_format import unsupported

ORDERS = """
source: {type: csv, path: "/landing/*.csv"}
partitions: {type: dynamic, by: file}
retention: {keep: 1y, by: day}
schema: widen
silver:
  keys: [id]
  columns: {id: int64, day: date, raw: binary}
"""


class Modest(DeltaFormat):
    """A format that can do nothing beside adding rows, and has no bytes."""

    name = "modest"
    capabilities = Capabilities(merge=False, partitions=False, time_travel=False, new_columns=False, files=False)

    def stored_type(self, dtype: pl.DataType) -> pl.DataType | None:
        return None if dtype == pl.Binary else dtype


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "orders.yaml").write_text(ORDERS, encoding="utf-8")
    return tmp_path


def test_delta_can_do_what_yaml_may_say(folder: Path) -> None:
    table = load_project(folder, environment={}).tables["orders"]
    assert list(unsupported(table)) == []


def test_what_a_format_cannot_do_is_said_at_its_place(folder: Path) -> None:
    table = load_project(folder, environment={}).tables["orders"]
    assert dict(unsupported(table, Modest())) == {
        ("silver", "keys"): "wanted a table format that merges rows by keys, got modest, which does not",
        ("partitions",): "wanted a table format with partitions, got modest, which has none",
        ("retention",): "wanted a table format whose files can be rewritten, got modest, which has none",
        ("schema",): "wanted a table format that can add columns, got modest, which cannot: write schema: strict",
        ("silver", "columns", "raw"): "wanted a type that modest can store, got binary",
    }


def test_a_project_is_refused_for_it(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(formats, "named", lambda _: Modest())
    with pytest.raises(ConfigError, match=r"orders.yaml:3: wanted a table format with partitions, got modest"):
        load_project(folder, environment={})
