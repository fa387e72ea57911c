"""Keeps the certificates of erasures: what was removed where, by whom and when, without the values that identified the rows.

They lie in the lake. When a landed row is missing from bronze, its certificate proves that it was erased.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

import polars as pl
from pyarrow import fs

from dq_pipelines.config.stores import filesystem, write_bytes
from dq_pipelines.lake.failures import read_errors
from dq_pipelines.lake.formats.snapshot import Place
from dq_pipelines.lake.tables import Lake
from dq_pipelines.sources import ROW, SOURCE

#: A folder of the lake next to the layers; one file for each erasure.
FOLDER = ".erasures"

#: By value of `_source`: the first and last row number of each unbroken range.
RowRanges = Mapping[str, Sequence[Sequence[int]]]


@dataclass(frozen=True)
class TableErasure:
    """What was erased from one table."""

    #: `lake` or `backup`
    place: str
    #: `<layer>/<table>`
    table: str
    rows: int
    #: the version from which on the rows are gone
    version: int
    files_rewritten: int
    #: files of earlier versions, which are no longer readable
    files_vacuumed: int = 0


@dataclass(frozen=True)
class Certificate:
    """What was removed where, by whom and when."""

    id: str
    table: str
    predicate: str
    at: datetime
    by: str
    erased: tuple[TableErasure, ...]
    #: results in the history whose observed value was erased
    history_results: int
    #: columns of batches in the history whose minimum, maximum and quantiles were erased
    history_metrics: int
    #: gold tables that were computed from the rows and have to be materialized again
    gold_to_materialize: tuple[str, ...]
    #: addresses of the inputs in which the rows landed, in today's landing folder; the erasure does not change them
    inputs: tuple[str, ...]
    #: runs whose events in Dagster may show the rows as samples
    dagster_runs: tuple[str, ...]
    #: unreadable lines of bronze, which the predicate cannot be applied to
    unreadable_lines: int
    #: tables of the lake and of the backup that YAML no longer names, as `lake silver/old`: they may hold the same rows
    not_judged: tuple[str, ...] = ()
    #: the erased rows of these inputs, by bronze table
    landed_rows: Mapping[str, RowRanges] = field(default_factory=dict)

    @property
    def rows(self) -> int:
        return sum(each.rows for each in self.erased)

    def to_json(self, **instead: str) -> str:
        return json.dumps(asdict(self) | {"at": self.at.isoformat(), **instead}, indent=1, ensure_ascii=False)

    def keep(self, lake: Lake, predicate: str) -> None:
        """Write the certificate to the lake, with this text as its `predicate`."""
        place = Place(f"the certificate of {self.id}", f"{lake.root}/{FOLDER}/{self.id}.json")
        with read_errors(place.key, place.uri):
            write_bytes(place.uri, self.to_json(predicate=predicate).encode())


def row_ranges(rows: pl.LazyFrame) -> RowRanges:
    """The row numbers of these landed rows in their inputs, as ranges."""
    numbered = rows.select(SOURCE, ROW).drop_nulls().unique().sort(SOURCE, ROW)
    gap = (pl.col(ROW).diff().over(SOURCE).fill_null(0) != 1).cum_sum().over(SOURCE).alias("run")
    runs = numbered.with_columns(gap).group_by(SOURCE, "run", maintain_order=True)
    ranges: dict[str, list[list[int]]] = {}
    for source, _, first, last in (
        runs.agg(pl.col(ROW).min().alias("first"), pl.col(ROW).max().alias("last")).collect().rows()
    ):
        ranges.setdefault(source, []).append([first, last])
    return ranges


@dataclass(frozen=True)
class BronzeErasure:
    """What one certificate records about the landed rows of one bronze table."""

    id: str
    at: datetime
    inputs: Sequence[str]
    #: None for a certificate of an earlier release, which did not record them
    rows: RowRanges | None

    def __str__(self) -> str:
        return f"{self.id} of {self.at:%Y-%m-%d %H:%M} UTC"

    @classmethod
    def of(cls, certificate: Mapping[str, Any], bronze: str) -> BronzeErasure | None:
        """None where the certificate covers no rows of this bronze table."""
        if not any(each["table"] == bronze and each["rows"] for each in certificate["erased"]):
            return None
        rows = certificate["landed_rows"].get(bronze, {}) if "landed_rows" in certificate else None
        return cls(certificate["id"], datetime.fromisoformat(certificate["at"]), certificate["inputs"], rows)


def recorded_erasures(lake: Lake, bronze: str) -> Iterator[BronzeErasure]:
    """The recorded erasures of one bronze table (`bronze/<table>`), latest first."""
    place = Place("the certificates of erasures", f"{lake.root}/{FOLDER}")
    with read_errors(place.key, place.uri):
        files, root = filesystem(place.uri)
        found = []
        for info in files.get_file_info(fs.FileSelector(root, allow_not_found=True)):
            if info.type is fs.FileType.File and info.path.endswith(".json"):
                with files.open_input_file(info.path) as stream:
                    found.append(BronzeErasure.of(json.loads(stream.read()), bronze))
    yield from sorted((each for each in found if each is not None), key=lambda each: each.at, reverse=True)
