"""Delta tables as inputs: one version, read whole."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal

from pydantic import Field

from dq_pipelines.config.stores import is_remote, options, wrong_scheme
from dq_pipelines.errors import SourceError
from dq_pipelines.sources.base import Reading, Source
from dq_pipelines.sources.failures import broken
from dq_pipelines.sources.frames import Piece, heights, names_of, numbered, reading, scanned
from dq_pipelines.sources.inputs import Input, Version
from dq_pipelines.sources.places import absolute, confinement, is_below, may_read


class DeltaSource(Source):
    """A Delta table, typed as it is. A new version of the table is a new input, and is read whole."""

    type: Literal["delta"]
    #: The table's folder; `s3://`, `gs://` and `abfss://` take their credentials from the environment.
    path: str = Field(min_length=1)
    #: A version to stay at; the latest one without it.
    version: int | None = Field(default=None, ge=0)

    example: ClassVar[Mapping[str, str]] = {"path": "${DQ_LANDING}/orders"}

    def inputs(self) -> Sequence[Input]:
        """One input, whose size is the table's version, too."""
        uri = absolute(self.path)
        if self._places and not any(is_below(uri, place) for place in self._places):
            raise SourceError(f"{uri}: wanted a table below {' or '.join(self._places)}, links followed")
        version = int(_table(uri, self.version).version())
        return [Input(uri, version, Version(version))]

    @property
    def asks_network(self) -> bool:
        return is_remote(self.path)

    def must_be_unchanged(self, item: Input) -> None:
        """Nothing to look at: a version of a Delta table never changes. What `read` opened is that version, whatever came later."""

    def may_read(self, item: Input) -> bool:
        return may_read(item.uri)

    def read(self, inputs: Sequence[Input]) -> Reading:
        pieces = [_piece(item) for item in inputs]
        return reading(pieces, about=heights(pieces))


def is_delta_table(path: str) -> bool:
    """Whether a Delta table lies at a path of this machine."""
    return os.path.isdir(os.path.join(path, "_delta_log"))


def _piece(item: Input) -> Piece:
    import polars as pl

    with broken(item.uri, "a Delta table"):
        table = _table(item.uri, item.version.number)
        _holds_its_own_files(item.uri, table)
        scan = pl.scan_delta(table)
        schema = scan.collect_schema()
        height = scan.select(pl.len()).collect().item()
    names = names_of(item.uri, schema.names())
    kinds = {names[name]: kind for name, kind in schema.items()}
    batches = numbered(scanned(scan.rename(names), height, item.uri), kinds)
    return Piece(item.uri, batches, kinds, height, list(names.items()))


def _holds_its_own_files(uri: str, table: Any) -> None:
    """Raise SourceError for a table of links to files outside of its folder: it would show what others may not read."""
    if is_remote(uri):
        return
    why_not = confinement(uri, uri, [uri])
    for file in table.file_uris():
        if why := why_not(file):
            raise SourceError(f"{file}: wanted a file of the Delta table below its folder: {why}")


def _table(uri: str, version: int | None) -> Any:
    from deltalake import DeltaTable

    if wrong := wrong_scheme(uri):
        raise SourceError(f"{uri}: {wrong}")
    if not is_remote(uri) and not is_delta_table(uri):
        got = "a folder without _delta_log" if os.path.isdir(uri) else "no folder"
        raise SourceError(f"{uri}: wanted a Delta table, got {got}")
    with broken(uri, "a Delta table" if version is None else f"version {version} of a Delta table"):
        return DeltaTable(uri, version=version, storage_options=options(uri))
