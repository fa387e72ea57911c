"""Accounts for a table's rows: proves from files, bronze, silver and quarantine that each landed row is in exactly one place.

Silver does not store the origin of its rows. So bronze's rows go through silver's types and steps again, by the current YAML,
and their content is compared with silver's, including how often it occurs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import polars as pl

from dq_pipelines.config.columns import exact_names
from dq_pipelines.errors import DqError, RuleError
from dq_pipelines.history.store.records import RERUN
from dq_pipelines.history.store.verdicts import History
from dq_pipelines.lake.ledger import transactions
from dq_pipelines.lake.schema_evolution import conformed
from dq_pipelines.lake.tables import PARTITION
from dq_pipelines.pipeline.bronze.batch import UNREADABLE, batch_of
from dq_pipelines.pipeline.bronze.input_identity import Names
from dq_pipelines.pipeline.bronze.landed import (
    BATCH,
    EPOCH,
    INGESTED_AT,
    Landings,
    address,
    bronze,
    landed_batches,
    pending_batches,
)
from dq_pipelines.pipeline.bronze.new_inputs import listed, new_inputs
from dq_pipelines.pipeline.maintenance.certificates import BronzeErasure, recorded_erasures
from dq_pipelines.pipeline.preparation.preparation import prepare
from dq_pipelines.pipeline.quarantine.corrections import corrected, corrections
from dq_pipelines.pipeline.quarantine.quarantine_status import refused_of
from dq_pipelines.pipeline.quarantine.refused_rows import FIXED, PLACE, REPLAYED, STATUS
from dq_pipelines.pipeline.runtime.table_run import TableRun
from dq_pipelines.pipeline.silver.discarded_rows import discarded
from dq_pipelines.sources import ROW, SOURCE
from dq_pipelines.transforms.steps import OPAQUE, Deduplicate

#: A 64-bit hash of the published content of a landed row; two rows collide with probability 2^-64.
_CONTENT = "_content\x00"
_KEY = "_key\x00"
#: The most rows that one list names.
_NAMED = 100
#: Column with an input's name independent of the landing folder's location.
_NAME = "\x00name"


@dataclass
class Account:
    """Counts of a table's landed rows by place, and the rows that are in no place or in several."""

    #: `silver/<name>`
    table: str
    #: rows in bronze
    landed: int = 0
    #: rows by place: published, quarantined (by status), unreadable, dropped, superseded, waiting, expired or erased
    places: dict[str, int] = field(default_factory=dict)
    #: rows that are in no place, as batch:source:row
    nowhere: list[str] = field(default_factory=list)
    #: rows in two places, or published more often than they landed
    twice: list[str] = field(default_factory=list)
    #: records of consumed files without a row in bronze, and refused rows that bronze does not have
    unlanded: list[str] = field(default_factory=list)

    @property
    def is_right(self) -> bool:
        return not (self.nowhere or self.twice or self.unlanded)

    def to_dict(self) -> dict[str, Any]:
        names = ("nowhere", "twice", "unlanded")
        lists = {name: getattr(self, name) for name in names}
        return {"table": self.table, "landed": self.landed, "places": self.places, **lists, "right": self.is_right}


def account(work: TableRun, history: History) -> Account:
    """Find the place of each landed row of a table, without writing anything.

    Raises RuleError if a user's step drops the columns that identify the landed row, PublishError if a layer
    cannot be read.
    """
    landed = bronze(work.table, work.lake)
    if not landed.exists:
        return Account(work.table.key)
    rows = corrected(landed.scan(), corrections(work.quarantine))
    places = rows.select(*PLACE, INGESTED_AT, pl.col(UNREADABLE).is_not_null().alias("unreadable")).collect()
    result = Account(work.table.key, places.height)
    result.unlanded += _missing_from_bronze(work)
    waiting = pending_batches(work.table, work.lake, work.silver)
    _add(result, "waiting to be judged", places.filter(pl.col(BATCH).is_in(waiting)).height)
    judged = places.filter(~pl.col(BATCH).is_in(waiting))
    refused = _refused(work)
    _count_quarantined(result, judged, refused, places)
    elsewhere = judged.join(refused, on=PLACE, how="anti", nulls_equal=True)
    _count_published(work, result, rows, elsewhere, refused)
    _count_expired(work, result, history)
    result.places = {place: count for place, count in result.places.items() if count}
    return result


def _add(account: Account, place: str, rows: int) -> None:
    account.places[place] = account.places.get(place, 0) + rows


def _names(rows: pl.DataFrame, why: str = "") -> Iterable[str]:
    for batch, source, row in rows.select(PLACE).head(_NAMED).rows():
        yield f"{batch}:{source}:{row}{why}"
    if rows.height > _NAMED:
        yield f"and {rows.height - _NAMED:,} more"


def _refused(work: TableRun) -> pl.DataFrame:
    """The rows still in quarantine, with their status; corrected or replayed rows are published."""
    rows = refused_of(work).filter(~pl.col(STATUS).is_in([FIXED, REPLAYED]).fill_null(False))
    return rows.filter(pl.col(BATCH).is_not_null()).select(*PLACE, STATUS).collect()


def _count_quarantined(account: Account, judged: pl.DataFrame, refused: pl.DataFrame, places: pl.DataFrame) -> None:
    once = refused.unique(PLACE)
    quarantined = judged.join(once, on=PLACE, how="inner", nulls_equal=True)
    _add(account, "unreadable, in quarantine", quarantined.filter("unreadable").height)
    for status, count in quarantined.filter(~pl.col("unreadable")).group_by(STATUS).len().sort(STATUS).rows():
        _add(account, f"quarantined ({status})", count)
    double = refused.group_by(PLACE).len().filter(pl.col("len") > 1).sort(PLACE)
    account.twice += _names(double, " (in quarantine more than once)")
    account.unlanded += _names(once.join(places, on=PLACE, how="anti", nulls_equal=True), " (in quarantine)")


def _count_published(
    work: TableRun, account: Account, rows: pl.LazyFrame, elsewhere: pl.DataFrame, refused: pl.DataFrame
) -> None:
    silver = work.table.landed.silver
    published = work.silver.scan() if work.silver.exists else None
    columns = [] if published is None else [name for name in published.collect_schema() if name != PARTITION]
    schema = {} if published is None else {name: published.collect_schema()[name] for name in columns}
    made = _prepared(work, rows, elsewhere, schema)
    dropped = elsewhere.join(made, on=PLACE, how="anti", nulls_equal=True)
    _add(account, "dropped by a step", dropped.filter(~pl.col("unreadable")).height)
    account.nowhere += _names(dropped.filter("unreadable").sort(PLACE))
    if published is None:
        account.nowhere += _names(made.sort(PLACE))
        return
    content = published.select(pl.struct(exact_names(columns)).hash().alias(_CONTENT), _key_of(silver.keys).alias(_KEY))
    published_rows = content.collect()
    often = published_rows.group_by(_CONTENT).len("published")
    # Of rows with equal content, those that landed last count as published.
    order = made.sort(INGESTED_AT, ROW, descending=True).with_columns(
        pl.int_range(pl.len()).over(_CONTENT).alias("nth")
    )
    held = order.join(often, on=_CONTENT, how="left").with_columns(pl.col("published").fill_null(0))
    _add(account, "published", held.filter(pl.col("nth") < pl.col("published")).height)
    rest = held.filter(pl.col("nth") >= pl.col("published"))
    _count_missing(work, account, rows, rest, published_rows)
    came = made.group_by(_CONTENT).len("came")
    more = often.join(came, on=_CONTENT, how="left").filter(pl.col("published") > pl.col("came").fill_null(0))
    if more.height:
        _published_too_often(account, more, _prepared(work, rows, refused.with_columns(unreadable=False), schema), made)


def _count_missing(
    work: TableRun, account: Account, rows: pl.LazyFrame, rest: pl.DataFrame, published_rows: pl.DataFrame
) -> None:
    """Count rows that are neither in silver nor in quarantine: superseded by a later row, or dropped by a rule."""
    silver = work.table.landed.silver
    if silver.mode == "merge":
        later = rest.filter(pl.col(_KEY).is_in(published_rows[_KEY].implode()))
        _add(account, "superseded by a later row", later.height)
        rest = rest.join(later, on=PLACE, how="anti", nulls_equal=True)
    # A changed file may have lost a row whose key no other row has.
    outdated = rest.filter(_is_outdated(work, rest))
    merged = silver.mode == "merge"
    _add(account, f"superseded by a later {'version of the file' if merged else 'row'}", outdated.height)
    rest = rest.join(outdated, on=PLACE, how="anti", nulls_equal=True)
    if any(rule.on_failure == "drop" for rule in silver.rules) and rest.height:
        places = discarded(work, rows.filter(pl.col(BATCH).is_in(rest[BATCH].unique().to_list())))
        dropped = rest.join(places, on=PLACE, how="semi", nulls_equal=True)
        _add(account, "dropped by a rule", dropped.height)
        rest = rest.join(dropped, on=PLACE, how="anti", nulls_equal=True)
    account.nowhere += _names(rest.sort(PLACE))


def _is_outdated(work: TableRun, rows: pl.DataFrame) -> pl.Series:
    """Whether each row's input (or the table's snapshot, for overwrite) has landed again since."""
    landings = Landings.of(bronze(work.table, work.lake))
    last = max(landings.batches.values(), default=0) if work.table.landed.silver.mode == "overwrite" else 0
    moments = rows.with_columns(pl.col(INGESTED_AT).dt.epoch("us").alias("at")).select(BATCH, SOURCE, "at")
    outdated = [landings.is_outdated(source, batch, at, last) for batch, source, at in moments.rows()]
    return pl.Series(outdated, dtype=pl.Boolean)


def _published_too_often(account: Account, more: pl.DataFrame, refused: pl.DataFrame, made: pl.DataFrame) -> None:
    both = refused.join(more, on=_CONTENT, how="semi")
    account.twice += _names(both.sort(PLACE), " (published, and in quarantine)")
    alike = made.join(more, on=_CONTENT, how="semi").unique(_CONTENT)
    account.twice += _names(alike.sort(PLACE), " (published more often than it landed)")
    strange = more.join(both, on=_CONTENT, how="anti").join(made, on=_CONTENT, how="anti")
    if strange.height:
        account.twice.append(
            f"{int(strange['published'].sum()):,} published rows are what no landed row becomes by today's YAML"
        )


def _prepared(work: TableRun, rows: pl.LazyFrame, wanted: pl.DataFrame, schema: dict[str, pl.DataType]) -> pl.DataFrame:
    """The wanted landed rows after silver's types and steps, with their place and content hash.

    Steps that depend on other rows get one batch at a time, as in a run.
    """
    silver = work.table.landed.silver
    of_batch = any(isinstance(step, (*OPAQUE, Deduplicate)) for step in silver.transform)
    groups = [[batch] for batch in wanted[BATCH].unique().sort()] if of_batch else [wanted[BATCH].unique().to_list()]
    parts = []
    for some in groups:
        prepared = prepare(silver, rows.filter(pl.col(BATCH).is_in(some)))
        there = prepared.rows.collect_schema()
        if not {*PLACE, INGESTED_AT} <= set(there):
            raise RuleError(
                f"{work.table.key}: wanted steps that keep _source, _row, _batch and _ingested_at, got one that forgets them: "
                "nobody can tell where a landed row is (select *, … keeps them)"
            )
        shape = schema or {name: there[name] for name in prepared.columns}
        cells = conformed(prepared.rows, {**shape, **{name: there[name] for name in (*PLACE, INGESTED_AT)}})
        content = pl.struct(exact_names(list(shape))).hash().alias(_CONTENT)
        parts.append(cells.with_columns(content, _key_of(silver.keys).alias(_KEY)).collect())
    made = pl.concat(parts, how="diagonal_relaxed") if parts else pl.DataFrame()
    return made.join(wanted.filter(~pl.col("unreadable")), on=PLACE, how="semi", nulls_equal=True)


def _key_of(keys: tuple[str, ...]) -> pl.Expr:
    return pl.struct(exact_names(list(keys))).hash() if keys else pl.lit(None, pl.UInt64)


def _missing_from_bronze(work: TableRun) -> Iterable[str]:
    """Records of consumed inputs that are still at the source and have no row in bronze; none for tables with retention."""
    landed = bronze(work.table, work.lake)
    # Which ranges of a log were consumed, its listing does not say.
    if work.table.landed.retention is not None or work.table.landed.source.continues:
        return
    new = {item.uri for item in new_inputs(work.table, work.lake, aside_too=True)}
    consumed = [item for item in listed(work.table) if item.uri not in new]
    name, gone = (
        Names.of(transactions(landed)).name,
        _Gone(Landings.of(landed), [*recorded_erasures(work.lake, landed.key)]),
    )

    def named(rows: pl.DataFrame) -> pl.DataFrame:
        called = {source: name(source) for source in rows[SOURCE].unique() if source is not None}
        return rows.with_columns(
            pl.col(SOURCE).replace_strict(called, default=None, return_dtype=pl.String).alias(_NAME)
        )

    there = named(landed.scan().select(SOURCE, ROW).unique().collect())
    for item in consumed:
        try:
            rows = named(batch_of(work.table, [item], work.now).rows.select(SOURCE, ROW).collect())
        except DqError as error:
            yield f"{item.uri}: cannot be read any more: {error}"
            continue
        lost = rows.join(there, on=[_NAME, ROW], how="anti", nulls_equal=True).sort(SOURCE, ROW)
        for source, row in lost.head(_NAMED).select(SOURCE, ROW).rows():
            yield f"{source}:{row} (consumed, and {gone.why(source, row)})"


@dataclass(frozen=True)
class _Gone:
    """Why rows of consumed inputs are missing from bronze."""

    landings: Landings
    #: erasures of the table, the latest first
    erasures: Sequence[BronzeErasure]

    def why(self, source: str, row: int) -> str:
        name = self.landings.names.name
        called, maybe = name(source), ""
        # An erasure before the input landed again does not concern it.
        again = self.landings.again.get(address(called, self.landings.again), 0)
        for each in self.erasures:
            if each.at < EPOCH + timedelta(microseconds=again):
                break
            if each.rows is None and called in map(name, each.inputs):
                maybe = maybe or f"lost, or erased: the certificate {each} names its file and no rows"
            runs = [run for place, some in (each.rows or {}).items() if name(place) == called for run in some]
            if any(first <= row <= last for first, last in runs):
                return f"erased: certificate {each}; its file has it still"
        return maybe or "lost: no certificate of an erasure names it"


def _count_expired(work: TableRun, account: Account, history: History) -> None:
    """Count rows that landed and are no longer in bronze (expired or erased), from the counts in verdicts.

    A rerun judges all of bronze again, so its verdict counts no new rows; a batch judged together with older ones counts these too.
    """
    landed = bronze(work.table, work.lake)
    there = dict(landed.scan().group_by(BATCH).len().collect().rows())
    counts, ever = Counter[str](), 0
    for verdict in reversed(history.of_table(work.table.key, 100_000)):
        if verdict.blocked or not verdict.batch.startswith("b-"):
            continue
        if verdict.batch.endswith(RERUN):
            ever = max(ever, verdict.rows_in)
        else:
            ever += max(verdict.rows_in - counts[verdict.batch], 0)
            counts[verdict.batch] = max(counts[verdict.batch], verdict.rows_in)
    known = {*landed_batches(landed), *there}
    gone = sum(max(count - there.get(batch, 0), 0) for batch, count in counts.items() if batch in known)
    waiting = account.places.get("waiting to be judged", 0)
    _add(account, "expired or erased", min(gone, max(ever - (account.landed - waiting), 0)))
