"""JSON lines that are appended to a log: each run reads on from the offset at which the last one ended."""

# No module of the tests imports this one: house/test_new_source.py adds it to the sources of a copy of the project.

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar, Literal

from dq_pipelines.errors import SourceError, Transient
from dq_pipelines.sources.base import ROW, Reading, Source
from dq_pipelines.sources.failures import broken
from dq_pipelines.sources.frames import Piece, reading, scanned
from dq_pipelines.sources.inputs import ConsumedVersion, Input, Version
from dq_pipelines.sources.places import local_path


@dataclass(frozen=True)
class Offset(Version):
    """A range of a log, in bytes: `number` is where it ends."""

    #: where it begins
    start: int = 0


class OffsetLog(Source):
    """A log of JSON lines, to which lines are only appended. A run takes the whole lines that no run has taken."""

    example: ClassVar[Mapping[str, str]] = {"path": "${DQ_LANDING}/events.jsonl"}

    type: Literal["offset_log"]
    #: The file of the log.
    path: str

    def inputs(self) -> Sequence[Input]:
        path = Path(local_path(self.path))
        end = path.read_bytes().rfind(b"\n") + 1 if path.is_file() else 0
        return [Input(str(path), end, Offset(end))] if end else []

    @property
    def asks_network(self) -> bool:
        return False

    @property
    def continues(self) -> bool:
        return True

    def unconsumed(self, item: Input, consumed: ConsumedVersion | None) -> Input:
        start, end = consumed.number if consumed is not None else 0, item.version.number
        if end < start:
            raise SourceError(f"{item.uri}: wanted at least the {start} bytes that have landed, got {end}")
        return replace(item, size=end - start, version=Offset(end, start=start))

    def must_be_unchanged(self, item: Input) -> None:
        if Path(item.uri).stat().st_size < item.version.number:
            raise Transient(f"{item.uri}: wanted the {item.version.number} bytes that were listed, got fewer")

    def row_sources(self, item: Input) -> Sequence[str]:
        return (f"{item.uri}#{_start(item)}",)

    def read(self, inputs: Sequence[Input]) -> Reading:
        pieces = [self._piece(item) for item in inputs]
        return reading([piece for piece in pieces if piece is not None])

    def _piece(self, item: Input) -> Piece | None:
        import polars as pl

        with broken(item.uri):
            content = Path(item.uri).read_bytes()[_start(item) : item.version.number]
        rows = pl.DataFrame([json.loads(line) for line in content.splitlines()])
        (source,) = self.row_sources(item)
        batches = scanned(rows.with_row_index(ROW, 1).lazy(), rows.height, source)
        return Piece(source, batches, rows.schema, rows.height) if rows.height else None


def _start(item: Input) -> int:
    return item.version.start if isinstance(item.version, Offset) else 0
