"""Certificates of erasures: what was removed where, by whom and when, without the values by which the rows were found.

They are kept in the lake, and say of a landed row that is in bronze no more that it was erased. How rows are erased is in `erasure`.
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
from dq_pipelines.lake.failures import reached
from dq_pipelines.lake.formats.snapshot import Place
from dq_pipelines.lake.tables import Lake
from dq_pipelines.sources import ROW, SOURCE

#: Beside the layers: a file for each erasure.
FOLDER = ".erasures"

#: By what `_source` says, numbers of rows: the first and the last of each unbroken run of them.
Places = Mapping[str, Sequence[Sequence[int]]]


@dataclass(frozen=True)
class Erased:
    """What was erased from one table."""

    #: `lake` or `backup`
    place: str
    #: `<layer>/<table>`
    table: str
    rows: int
    #: the version from which on the rows are gone
    version: int
    files_rewritten: int
    #: of earlier versions, which can be read no more
    files_vacuumed: int = 0


@dataclass(frozen=True)
class Certificate:
    """What was removed where, by whom and when."""

    id: str
    table: str
    predicate: str
    at: datetime
    by: str
    erased: tuple[Erased, ...]
    #: results in the history whose observed value was forgotten
    history_results: int
    #: columns of batches in the history whose least, greatest and middle values were forgotten
    history_metrics: int
    #: gold tables that were computed from the rows: to be materialized anew
    gold_to_materialize: tuple[str, ...]
    #: addresses of inputs in which the rows landed, by the landing folder of today; they are as they were
    inputs: tuple[str, ...]
    #: runs whose events in Dagster may show the rows as samples
    dagster_runs: tuple[str, ...]
    #: lines of bronze that nobody could read, and so cannot be asked
    unreadable_lines: int
    #: tables of the lake and of the backup that YAML names no more, as `lake silver/old`: they may hold the same rows
    not_judged: tuple[str, ...] = ()
    #: which rows of these inputs went, by table of bronze
    landed_rows: Mapping[str, Places] = field(default_factory=dict)

    @property
    def rows(self) -> int:
        return sum(each.rows for each in self.erased)

    def to_json(self, **instead: str) -> str:
        return json.dumps(asdict(self) | {"at": self.at.isoformat(), **instead}, indent=1, ensure_ascii=False)

    def keep(self, lake: Lake, predicate: str) -> None:
        """Remember the erasure in the lake, with its `predicate` as it is to be read there."""
        place = Place(f"the certificate of {self.id}", f"{lake.root}/{FOLDER}/{self.id}.json")
        with reached(place.key, place.uri):
            write_bytes(place.uri, self.to_json(predicate=predicate).encode())


def places_of(rows: pl.LazyFrame) -> Places:
    """Where these landed rows stand in their inputs."""
    found = rows.select(SOURCE, ROW).drop_nulls().unique().sort(SOURCE, ROW)
    gap = (pl.col(ROW).diff().over(SOURCE).fill_null(0) != 1).cum_sum().over(SOURCE).alias("run")
    runs = found.with_columns(gap).group_by(SOURCE, "run", maintain_order=True)
    places: dict[str, list[list[int]]] = {}
    for source, _, first, last in (
        runs.agg(pl.col(ROW).min().alias("first"), pl.col(ROW).max().alias("last")).collect().rows()
    ):
        places.setdefault(source, []).append([first, last])
    return places


@dataclass(frozen=True)
class Erasure:
    """What a certificate that was kept says of the landed rows of one table."""

    id: str
    at: datetime
    inputs: Sequence[str]
    #: None where it is of an earlier release, which did not note them
    rows: Places | None

    def __str__(self) -> str:
        return f"{self.id} of {self.at:%Y-%m-%d %H:%M} UTC"

    @classmethod
    def of(cls, said: Mapping[str, Any], bronze: str) -> Erasure | None:
        """None where the certificate is about no rows of this table of bronze."""
        if not any(each["table"] == bronze and each["rows"] for each in said["erased"]):
            return None
        rows = said["landed_rows"].get(bronze, {}) if "landed_rows" in said else None
        return cls(said["id"], datetime.fromisoformat(said["at"]), said["inputs"], rows)


def erasures(lake: Lake, bronze: str) -> Iterator[Erasure]:
    """All that is kept of one table of bronze (`bronze/<table>`), the latest first."""
    place = Place("the certificates of erasures", f"{lake.root}/{FOLDER}")
    with reached(place.key, place.uri):
        files, root = filesystem(place.uri)
        found = []
        for info in files.get_file_info(fs.FileSelector(root, allow_not_found=True)):
            if info.type is fs.FileType.File and info.path.endswith(".json"):
                with files.open_input_file(info.path) as stream:
                    found.append(Erasure.of(json.loads(stream.read()), bronze))
    yield from sorted((each for each in found if each is not None), key=lambda each: each.at, reverse=True)
