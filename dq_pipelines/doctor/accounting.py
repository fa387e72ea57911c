"""The account of a table's rows: each record that landed is in one place, proved from files, bronze, silver and quarantine.

Silver does not keep where its rows came from. So bronze's rows are given silver's types and steps once more, as today's YAML
says them, and their content is held against silver's, as often as it is there.
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
from dq_pipelines.pipeline.maintenance.certificates import Erasure, erasures
from dq_pipelines.pipeline.preparation.preparation import prepare
from dq_pipelines.pipeline.quarantine.corrections import corrected, corrections
from dq_pipelines.pipeline.quarantine.quarantine_status import refused_of
from dq_pipelines.pipeline.quarantine.refused_rows import FIXED, PLACE, REPLAYED, STATUS
from dq_pipelines.pipeline.runtime.table_run import Work
from dq_pipelines.pipeline.silver.discarded_rows import discarded
from dq_pipelines.sources import ROW, SOURCE
from dq_pipelines.transforms.steps import OPAQUE, Deduplicate

#: What a landed row becomes as a published one, in a number: 2^-64 is the chance that two rows share it.
_CONTENT = "_content\x00"
_KEY = "_key\x00"
#: Rows of one kind that are named.
_NAMED = 100
#: Of an input: what it is called wherever landing lies.
_NAME = "\x00name"


@dataclass
class Account:
    """Where the landed rows of a table are."""

    #: `silver/<name>`
    table: str
    #: rows in bronze
    landed: int = 0
    #: rows by place: published, quarantined (by status), unreadable, dropped, superseded, waiting, expired or erased
    places: dict[str, int] = field(default_factory=dict)
    #: rows that are in no place, as batch:source:row
    nowhere: list[str] = field(default_factory=list)
    #: rows that are in two places, or published more often than they landed
    twice: list[str] = field(default_factory=list)
    #: records of files that were consumed, and of which bronze has no row; refused rows that bronze does not have
    unlanded: list[str] = field(default_factory=list)

    @property
    def is_right(self) -> bool:
        return not (self.nowhere or self.twice or self.unlanded)

    def to_dict(self) -> dict[str, Any]:
        names = ("nowhere", "twice", "unlanded")
        told = {name: getattr(self, name) for name in names}
        return {"table": self.table, "landed": self.landed, "places": self.places, **told, "right": self.is_right}


def account(work: Work, history: History) -> Account:
    """Find the place of each landed row of a table; nothing is written.

    Raises RuleError where a step of the user's own forgets which landed row a row came from, PublishError where a layer
    cannot be read.
    """
    landed = bronze(work.table, work.lake)
    if not landed.exists:
        return Account(work.table.key)
    rows = corrected(landed.scan(), corrections(work.quarantine))
    places = rows.select(*PLACE, INGESTED_AT, pl.col(UNREADABLE).is_not_null().alias("unreadable")).collect()
    found = Account(work.table.key, places.height)
    found.unlanded += _not_of_files(work)
    waiting = pending_batches(work.table, work.lake, work.silver)
    _put(found, "waiting to be judged", places.filter(pl.col(BATCH).is_in(waiting)).height)
    judged = places.filter(~pl.col(BATCH).is_in(waiting))
    refused = _refused(work)
    _of_quarantine(found, judged, refused, places)
    beside = judged.join(refused, on=PLACE, how="anti", nulls_equal=True)
    _of_silver(work, found, rows, beside, refused)
    _expired(work, found, history)
    found.places = {place: count for place, count in found.places.items() if count}
    return found


def _put(found: Account, place: str, rows: int) -> None:
    found.places[place] = found.places.get(place, 0) + rows


def _name(rows: pl.DataFrame, why: str = "") -> Iterable[str]:
    for batch, source, row in rows.select(PLACE).head(_NAMED).rows():
        yield f"{batch}:{source}:{row}{why}"
    if rows.height > _NAMED:
        yield f"and {rows.height - _NAMED:,} more"


def _refused(work: Work) -> pl.DataFrame:
    """The rows of quarantine that are there still, with their status; what was mended or replayed is published."""
    rows = refused_of(work).filter(~pl.col(STATUS).is_in([FIXED, REPLAYED]).fill_null(False))
    return rows.filter(pl.col(BATCH).is_not_null()).select(*PLACE, STATUS).collect()


def _of_quarantine(found: Account, judged: pl.DataFrame, refused: pl.DataFrame, places: pl.DataFrame) -> None:
    once = refused.unique(PLACE)
    there = judged.join(once, on=PLACE, how="inner", nulls_equal=True)
    _put(found, "unreadable, in quarantine", there.filter("unreadable").height)
    for status, count in there.filter(~pl.col("unreadable")).group_by(STATUS).len().sort(STATUS).rows():
        _put(found, f"quarantined ({status})", count)
    double = refused.group_by(PLACE).len().filter(pl.col("len") > 1).sort(PLACE)
    found.twice += _name(double, " (in quarantine more than once)")
    found.unlanded += _name(once.join(places, on=PLACE, how="anti", nulls_equal=True), " (in quarantine)")


def _of_silver(work: Work, found: Account, rows: pl.LazyFrame, beside: pl.DataFrame, refused: pl.DataFrame) -> None:
    silver = work.table.landed.silver
    published = work.silver.scan() if work.silver.exists else None
    columns = [] if published is None else [name for name in published.collect_schema() if name != PARTITION]
    schema = {} if published is None else {name: published.collect_schema()[name] for name in columns}
    made = _made(work, rows, beside, schema)
    dropped = beside.join(made, on=PLACE, how="anti", nulls_equal=True)
    _put(found, "dropped by a step", dropped.filter(~pl.col("unreadable")).height)
    found.nowhere += _name(dropped.filter("unreadable").sort(PLACE))
    if published is None:
        found.nowhere += _name(made.sort(PLACE))
        return
    content = published.select(pl.struct(exact_names(columns)).hash().alias(_CONTENT), _key_of(silver.keys).alias(_KEY))
    there = content.collect()
    often = there.group_by(_CONTENT).len("published")
    # Of rows that are alike, those that came last are published.
    order = made.sort(INGESTED_AT, ROW, descending=True).with_columns(
        pl.int_range(pl.len()).over(_CONTENT).alias("nth")
    )
    held = order.join(often, on=_CONTENT, how="left").with_columns(pl.col("published").fill_null(0))
    _put(found, "published", held.filter(pl.col("nth") < pl.col("published")).height)
    rest = held.filter(pl.col("nth") >= pl.col("published"))
    _of_neither(work, found, rows, rest, there)
    came = made.group_by(_CONTENT).len("came")
    more = often.join(came, on=_CONTENT, how="left").filter(pl.col("published") > pl.col("came").fill_null(0))
    if more.height:
        _published_too_often(found, more, _made(work, rows, refused.with_columns(unreadable=False), schema), made)


def _of_neither(work: Work, found: Account, rows: pl.LazyFrame, rest: pl.DataFrame, there: pl.DataFrame) -> None:
    """Rows that are neither in silver nor in quarantine: a later one took their place, or a rule has dropped them."""
    silver = work.table.landed.silver
    if silver.mode == "merge":
        later = rest.filter(pl.col(_KEY).is_in(there[_KEY].implode()))
        _put(found, "superseded by a later row", later.height)
        rest = rest.join(later, on=PLACE, how="anti", nulls_equal=True)
    # A file that has changed may have lost a row, of which no other has the key.
    outdated = rest.filter(_is_outdated(work, rest))
    merged = silver.mode == "merge"
    _put(found, f"superseded by a later {'version of the file' if merged else 'row'}", outdated.height)
    rest = rest.join(outdated, on=PLACE, how="anti", nulls_equal=True)
    if any(rule.on_failure == "drop" for rule in silver.rules) and rest.height:
        places = discarded(work, rows.filter(pl.col(BATCH).is_in(rest[BATCH].unique().to_list())))
        dropped = rest.join(places, on=PLACE, how="semi", nulls_equal=True)
        _put(found, "dropped by a rule", dropped.height)
        rest = rest.join(dropped, on=PLACE, how="anti", nulls_equal=True)
    found.nowhere += _name(rest.sort(PLACE))


def _is_outdated(work: Work, rows: pl.DataFrame) -> pl.Series:
    """Of each row, whether its input, or the snapshot that the table is, has landed once more since."""
    landings = Landings.of(bronze(work.table, work.lake))
    last = max(landings.batches.values(), default=0) if work.table.landed.silver.mode == "overwrite" else 0
    moments = rows.with_columns(pl.col(INGESTED_AT).dt.epoch("us").alias("at")).select(BATCH, SOURCE, "at")
    outdated = [landings.is_outdated(source, batch, at, last) for batch, source, at in moments.rows()]
    return pl.Series(outdated, dtype=pl.Boolean)


def _published_too_often(found: Account, more: pl.DataFrame, refused: pl.DataFrame, made: pl.DataFrame) -> None:
    both = refused.join(more, on=_CONTENT, how="semi")
    found.twice += _name(both.sort(PLACE), " (published, and in quarantine)")
    alike = made.join(more, on=_CONTENT, how="semi").unique(_CONTENT)
    found.twice += _name(alike.sort(PLACE), " (published more often than it landed)")
    strange = more.join(both, on=_CONTENT, how="anti").join(made, on=_CONTENT, how="anti")
    if strange.height:
        found.twice.append(
            f"{int(strange['published'].sum()):,} published rows are what no landed row becomes by today's YAML"
        )


def _made(work: Work, rows: pl.LazyFrame, wanted: pl.DataFrame, schema: dict[str, pl.DataType]) -> pl.DataFrame:
    """What the wanted landed rows become by silver's types and steps, with their place and content.

    Steps that look at other rows are given a batch at a time, as a run gives them.
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


def _not_of_files(work: Work) -> Iterable[str]:
    """Records of consumed inputs, as they lie at the source now, of which bronze has no row; expired ones are passed over."""
    landed = bronze(work.table, work.lake)
    # Which ranges of a log were consumed, its listing does not say.
    if work.table.landed.retention is not None or work.table.landed.source.continues:
        return
    new = {item.uri for item in new_inputs(work.table, work.lake, aside_too=True)}
    consumed = [item for item in listed(work.table) if item.uri not in new]
    name, gone = Names.of(transactions(landed)).name, _Gone(Landings.of(landed), [*erasures(work.lake, landed.key)])

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
    """Why rows of inputs that were consumed are in bronze no more."""

    landings: Landings
    #: of the table, the latest first
    erasures: Sequence[Erasure]

    def why(self, source: str, row: int) -> str:
        name = self.landings.names.name
        called, maybe = name(source), ""
        # What was erased before the input landed once more says nothing of it.
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


def _expired(work: Work, found: Account, history: History) -> None:
    """Rows that landed and are in bronze no more, since they were expired or erased: by what verdicts have counted.

    A rerun judges all of bronze again, so its verdict counts no row anew; a batch that was judged with older ones counts them, too.
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
    waiting = found.places.get("waiting to be judged", 0)
    _put(found, "expired or erased", min(gone, max(ever - (found.landed - waiting), 0)))
