"""What has landed in bronze: its batches, in which order they came, and which version of an input counts.

Within a batch each input has an `_ingested_at` of its own, in the order in which the inputs count.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property

import polars as pl

from dq_pipelines.lake.formats.snapshot import DataFile, Snapshot
from dq_pipelines.lake.ledger import batches_in, transactions
from dq_pipelines.lake.tables import PARTITION, Lake, LakeTable, TableOrSnapshot
from dq_pipelines.pipeline.bronze.input_identity import Names
from dq_pipelines.project import Table
from dq_pipelines.sources import SOURCE

BATCH, INGESTED_AT = "_batch", "_ingested_at"

#: In bronze's ledger, followed by a batch: when the last of its inputs landed, in microseconds.
LANDED_AT = "landed_at:"
#: Followed by the name of an input that had landed before: when it did so last. Of that version bronze may have no row: the file was
#: empty, or they have expired, or were erased.
AGAIN = "again:"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECONDS = pl.col(INGESTED_AT).dt.epoch("us")


def bronze(table: Table, lake: Lake) -> LakeTable:
    """The bronze table of a table."""
    return lake.table(f"bronze/{table.name}")


def after_all(landed: TableOrSnapshot, now: datetime) -> datetime:
    """`now`, or the first moment after all that has landed, where the clock was put back."""
    last = last_landed(landed)
    return now if last is None else max(now, last + timedelta(microseconds=1))


@dataclass(frozen=True)
class Landings:
    """When batches and inputs have landed, as bronze's ledger has it; all in microseconds."""

    #: by batch, when the last of its inputs did
    batches: Mapping[str, int]
    #: by the name of an input that has landed more than once: when it did last
    again: Mapping[str, int]
    names: Names

    @classmethod
    def of(cls, landed: TableOrSnapshot) -> Landings:
        """By bronze's ledger."""
        entries = transactions(landed)
        names, again = Names.of(entries), dict[str, int]()
        for entry, at in entries.items():
            if entry.startswith(AGAIN):
                name = names.name(entry.removeprefix(AGAIN))
                again[name] = max(at, again.get(name, at))
        batches = {entry.removeprefix(LANDED_AT): at for entry, at in entries.items() if entry.startswith(LANDED_AT)}
        return cls(batches, again, names)

    def batch_at(self, moment: int) -> int:
        """When the batch landed whose input landed at this moment; the moment itself where no batch is known."""
        place = bisect_left(self._moments, moment)
        return self._moments[place] if place < len(self._moments) else moment

    @cached_property
    def _moments(self) -> list[int]:
        return sorted(self.batches.values())

    def of_row(self, batch: str, at: int) -> int:
        """When the batch of a row landed, which came `at` a moment; that moment for one from before the ledger noted it."""
        return self.batches.get(batch, at)

    def last(self, source: str, batch: str, at: int) -> int:
        """When the batch landed in which the input behind `_source` came last, given a row of it and when that came."""
        own, again = self.of_row(batch, at), self.again.get(address(self.names.name(source), self.again), at)
        return self.batch_at(again) if again > own else own

    def is_outdated(self, source: str, batch: str, at: int, snapshot: int = 0) -> bool:
        """Whether the input behind such a row has landed once more since, or all of a table at the moment of a `snapshot`."""
        return max(self.last(source, batch, at), snapshot) > self.of_row(batch, at)


def rows_of(landed: LakeTable, wanted: Collection[str]) -> int | None:
    """How many rows bronze has of these batches, as its metadata tell; None where files hold several batches."""
    snapshot = landed.snapshot()
    if not snapshot.exists:
        return 0
    files = snapshot.file_statistics(BATCH)
    least, most = pl.col(f"least.{BATCH}"), pl.col(f"most.{BATCH}")
    if not files.height or files.select((least != most).fill_null(True).any()).item():
        return None
    return int(files.filter(least.is_in(list(wanted)))["rows"].sum())


class RowsByBatch:
    """Bronze's rows batch by batch: from the batch's own files, since a filter on the table asks for all files anew each time."""

    def __init__(self, landed: Snapshot) -> None:
        self._landed = landed

    @cached_property
    def _files(self) -> tuple[Mapping[str, Sequence[DataFile]], Sequence[DataFile]]:
        """The files that hold one batch, by batch, and those that hold several or do not say."""
        bounds = self._landed.file_statistics(BATCH).select("path", f"least.{BATCH}", f"most.{BATCH}")
        batches = {path: least if least == most else None for path, least, most in bounds.rows()}
        own, mixed = dict[str, list[DataFile]](), list[DataFile]()
        for file in self._landed.files:
            batch = batches[file.path]
            (mixed if batch is None else own.setdefault(batch, [])).append(file)
        return own, mixed

    def of(self, batch: str) -> pl.LazyFrame:
        """The rows of one batch."""
        own, mixed = self._files
        files = [*own.get(batch, ()), *mixed]
        if not files:  # no such batch, or a format that keeps no files
            return self._landed.scan().filter(pl.col(BATCH) == batch)
        return pl.concat([file.scan() for file in files]).filter(pl.col(BATCH) == batch)


def pending_batches(
    table: Table, lake: Lake, published: TableOrSnapshot, partition: str | None = None, landed: Snapshot | None = None
) -> list[str]:
    """The bronze batches that the published table has not consumed."""
    consumed = set(batches_in(transactions(published)))
    return [batch for batch in batches(table, lake, partition, landed) if batch not in consumed]


def outdated(
    landed: TableOrSnapshot, batches: Sequence[str], arriving: frozenset[str] = frozenset()
) -> dict[str, frozenset[str]]:
    """The batches, oldest first, each with what `_source` says there of inputs of which a later version counts.

    Such a one has landed, whatever bronze has of it, or is `arriving`.
    """
    return {batch: old for batch, (old, _) in _by_age(landed, batches, arriving).items()}


def inputs_of(sources_by_batch: Mapping[str, Iterable[str]]) -> pl.LazyFrame:
    """Batches with what `_source` says of some of their inputs, as a frame of both columns."""
    pairs = [(batch, source) for batch, sources in sources_by_batch.items() for source in sources]
    return pl.LazyFrame(pairs, {BATCH: pl.String(), SOURCE: pl.String()}, orient="row")


def counting(landed: LakeTable, batches: Sequence[str]) -> dict[str, frozenset[str]]:
    """The same, without batches of which nothing counts any more."""
    return {batch: old for batch, (old, now) in _by_age(landed, batches).items() if now}


def _by_age(
    landed: TableOrSnapshot, batches: Sequence[str], arriving: frozenset[str] = frozenset()
) -> dict[str, tuple[frozenset[str], frozenset[str]]]:
    """The batches, oldest first, each with the inputs of which a later version counts, and those that count."""
    rows = landed.scan().filter(pl.col(BATCH).is_in(list(batches)))
    landed_rows = rows.group_by(BATCH, SOURCE).agg(_MICROSECONDS.max()).sort(INGESTED_AT, BATCH).collect()
    landings = Landings.of(landed)
    name = landings.names.name
    latest = {name(source): batch for batch, source, _ in landed_rows.rows()}
    arriving_names = frozenset(map(name, arriving))
    by_age: dict[str, tuple[set[str], set[str]]] = {
        batch: (set(), set()) for batch in landed_rows[BATCH].unique(maintain_order=True)
    }
    for batch, source, at in landed_rows.rows():
        later = landings.is_outdated(source, batch, at) or address(name(source), arriving_names) in arriving_names
        by_age[batch][0 if later or latest[name(source)] != batch else 1].add(source)
    return {batch: (frozenset(old), frozenset(now)) for batch, (old, now) in by_age.items()}


def first_landed(landed: LakeTable, arriving: Collection[str] = ()) -> dict[str, int]:
    """By what `_source` says, when the input behind it landed first, of inputs that have landed more than once.

    `arriving` are the addresses of inputs that land now. Of rows that bronze has no more nothing is known.
    """
    landings = Landings.of(landed)
    arriving_by_name = {landings.names.name(uri): uri for uri in arriving}
    several = {*landings.again, *arriving_by_name}
    if not several or not landed.exists:
        return {}
    landed_rows = landed.scan().group_by(SOURCE).agg(_MICROSECONDS.min()).collect()
    inputs = {source: address(landings.names.name(source), several) for source in landed_rows[SOURCE]}
    first: dict[str, int] = {}
    for source, at in landed_rows.rows():
        first[inputs[source]] = min(at, first.get(inputs[source], at))
    by_source = {source: first[name] for source, name in inputs.items() if name in several}
    return by_source | {uri: first[name] for name, uri in arriving_by_name.items() if name in first}


def of_last_snapshot(landed: LakeTable, partition: str | None) -> pl.Expr:
    """Whether a row of bronze is of the batch that landed last, of a partition or of all; no row is where it had none."""
    landings = Landings.of(landed)
    last = max(landings.batches.values(), default=None)
    if partition is not None:
        rows = landed.scan().filter(pl.col(PARTITION) == partition)
        landed_rows = rows.group_by(SOURCE, BATCH).agg(_MICROSECONDS.max()).collect()
        last = max((landings.last(*row) for row in landed_rows.rows()), default=None)
    names = [batch for batch, at in landings.batches.items() if at == last]
    # What landed before the ledger noted when is known by its moment alone.
    return pl.col(BATCH).is_in(names) if names else _MICROSECONDS.is_in([] if last is None else [last])


def landed_batches(landed: TableOrSnapshot) -> list[str]:
    """The ids of the batches that bronze's ledger knows, whether or not it still has rows of them."""
    return [name.removeprefix(LANDED_AT) for name in transactions(landed) if name.startswith(LANDED_AT)]


def last_landed(landed: TableOrSnapshot) -> datetime | None:
    """When the last batch has landed, by bronze's ledger; None where none has."""
    moments = [at for name, at in transactions(landed).items() if name.startswith(LANDED_AT)]
    return EPOCH + timedelta(microseconds=max(moments)) if moments else None


def address(source: str, inputs: Container[str]) -> str:
    """The address, or the name, of the input behind what `_source` says.

    Of a member of an archive, or a sheet of a workbook, that is the file.
    """
    return next((place for place in within(source) if place in inputs), source.rpartition("#")[0])


def within(source: str) -> Iterator[str]:
    """What `_source` says, and whatever that may lie in: of a sheet of a workbook in an archive, the workbook, then the archive."""
    parts = source.split("#")
    return ("#".join(parts[:count]) for count in range(len(parts), 0, -1))


def batches(table: Table, lake: Lake, partition: str | None = None, landed: Snapshot | None = None) -> list[str]:
    """The ids of all batches in bronze, or in one partition of it."""
    landed = bronze(table, lake).snapshot() if landed is None else landed
    if not landed.exists:
        return []
    files = landed.file_statistics(BATCH)
    if partition is not None:
        files = files.filter(pl.col("partition") == partition)
    one = (pl.col(f"least.{BATCH}") == pl.col(f"most.{BATCH}")).fill_null(False)
    names = files.filter(one)[f"least.{BATCH}"].unique(maintain_order=True).to_list()
    # A compacted file holds several batches, and only its column knows which.
    mixed = [f"{landed.uri}/{path}" for path in files.filter(~one)["path"]]
    if mixed:
        columns = [pl.scan_parquet(path, glob=False, hive_partitioning=False).select(BATCH) for path in mixed]
        names += pl.concat(columns).unique().collect(engine="streaming")[BATCH].to_list()
    return list(dict.fromkeys(names))
