"""`read`: from a mapping to a Reading, and one sentence for whatever is wrong with the mapping."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import pytest

from dq_pipelines.errors import ConfigError, SourceError
from dq_pipelines.sources import read, source_by_name, source_classes, sources_by_ending
from dq_pipelines.sources.database import DatabaseSource
from dq_pipelines.sources.files import FileSource


def test_every_source_is_found_by_itself() -> None:
    assert {"csv", "delta", "excel", "json", "ndjson", "orc", "parquet"} <= source_classes().keys()
    for name, cls in source_classes().items():
        assert cls.__doc__, name
        assert name in importlib.import_module(cls.__module__).__name__


@pytest.mark.parametrize(
    ("mapping", "sentences"),
    [
        ({"type": "parqet", "path": "x"}, ["unknown type 'parqet' (nearest: parquet)"]),
        ({"path": "x"}, ["missing key 'type'"]),
        ({"type": "json", "pth": "x"}, ["missing key 'path'", "unknown key 'pth' (nearest: path)"]),
        ({"type": "json", "path": 3}, ["path: wanted text, got 3"]),
        ({"type": "excel", "path": "x", "range": "F5"}, ["range: wanted a range of cells such as B2:F100, got 'F5'"]),
    ],
)
def test_a_wrong_mapping_is_told_one_sentence_per_problem(mapping: dict[str, Any], sentences: list[str]) -> None:
    with pytest.raises(ConfigError) as told:
        read(mapping)
    assert str(told.value).splitlines() == sentences


def test_nothing_to_read_is_told_with_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "sales.json").write_text("[]")
    with pytest.raises(
        SourceError, match=r"sale\.json: wanted at least one file, got none; .* \(nearest: sales\.json\)"
    ):
        read({"type": "json", "path": str(tmp_path / "sale.json")})


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("a.csv", "csv"),
        ("A.CSV", "csv"),
        ("a.csv.gz", "csv"),
        ("a.txt", "csv"),
        ("a.json", "json"),
        ("a.jsonl.zst", "ndjson"),
        ("a.pq", "parquet"),
        ("a.xlsb", "excel"),
        ("a.log", None),
        ("a.gz", None),
        ("a", None),
    ],
)
def test_a_name_says_which_source_reads_the_file(name: str, source: str | None) -> None:
    assert source_by_name(name) == source


def test_the_surest_endings_of_a_source_are_its_own() -> None:
    for name, cls in source_classes().items():
        kinds = cls.kinds if issubclass(cls, FileSource) else ()
        if not kinds:
            assert name == "delta" or issubclass(cls, DatabaseSource)
            continue
        assert {sources_by_ending()[ending] for ending in kinds[0]} == {name}
