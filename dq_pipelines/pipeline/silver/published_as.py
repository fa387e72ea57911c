"""How a table was published (its partitions, mode, keys and which row of a key counts), and whether what its YAML says today goes with that.

Silver's ledger says it, in the commit of the rows. Of tables of earlier releases it says nothing: then the rows are asked, once.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date

import polars as pl

from dq_pipelines.config.columns import exact, exact_names
from dq_pipelines.config.counting import listed
from dq_pipelines.errors import PublishError
from dq_pipelines.lake.formats.snapshot import Snapshot
from dq_pipelines.lake.ledger import (
    PARTITIONS,
    number_of,
    ordered_in,
    ordered_of,
    transactions,
    written_in,
    written_of,
)
from dq_pipelines.lake.publish import Mode
from dq_pipelines.lake.tables import PARTITION, LakeTable
from dq_pipelines.pipeline.bronze.input_identity import INPUT, Names
from dq_pipelines.pipeline.bronze.input_partitions import partition_of
from dq_pipelines.pipeline.bronze.landed import bronze, within
from dq_pipelines.pipeline.runtime.table_run import TableRun, over_all_partitions
from dq_pipelines.project import DailyPartitions, Silver, Table
from dq_pipelines.sources import SOURCE

#: Partitions that a sentence names.
_NAMED = 5
_APPEND = number_of("append")


def how_published(run: TableRun, mode: Mode) -> Mapping[str, int]:
    """What silver's ledger is to say of a commit in this mode, where it does not say so yet."""
    entries = transactions(run.silver)
    own, noted = number_of(_writing(run.table.landed.silver)), written_in(entries)
    if mode == "overwrite" and run.partition is not None:
        # The other partitions stay as they are.
        before = noted or dict.fromkeys(run.silver.partitions(), own if _goes_with_keys(run) else _APPEND)
        wanted = before | {run.partition: own}
    else:
        wanted = dict.fromkeys([*(noted or run.silver.partitions()), run.partition], own)
    wanted_entries = {PARTITIONS: number_of(_parting(run.table))} | {
        written_of(part): how for part, how in wanted.items()
    }
    if run.table.landed.silver.mode == "merge":
        # Of partitions that stay as they are it is known, or is not: earlier releases did not note it.
        order = number_of(_order(run.table.landed.silver.order_by))
        stays = mode == "overwrite" and run.partition is not None
        wanted_entries |= {ordered_of(part): order for part in ([run.partition] if stays else wanted)}
    return {name: number for name, number in wanted_entries.items() if entries.get(name) != number}


# --- partitions --------------------------------------------------------------------------------------


def must_fit_partitions(run: TableRun) -> None:
    """Raise PublishError where what has landed or is published is parted in another way than the YAML says today."""
    if transactions(run.silver).get(PARTITIONS) == number_of(_parting(run.table)):
        return
    has = run.table.landed.partitions is not None
    for table in (bronze(run.table, run.lake), run.silver, run.quarantine):
        snapshot = table.snapshot()
        if not snapshot.exists:
            continue
        had = PARTITION in snapshot.partition_columns
        if had != has:
            sentence = "is kept in partitions, and its YAML has none" if had else "is kept without partitions"
            raise _refused(run, table, f"{sentence}{f', and its YAML has them: {_parting(run.table)}' if has else ''}")
        if has and None in snapshot.partitions:
            raise _refused(
                run, table, "has rows of no partition, which an earlier release has landed in a run without one"
            )
    if has and (strange := _strange(run)):
        source, partition = strange
        sentence = (
            f"{source} is in the partition '{partition}', which is another one by partitions: {_parting(run.table)}"
        )
        raise _refused(run, bronze(run.table, run.lake), sentence)


def _refused(run: TableRun, table: LakeTable, sentence: str) -> PublishError:
    name = run.table.name
    return PublishError(
        f"{table.key}: {sentence}; nothing was landed; undo that, or rename the table's file ({name}_2.yaml, say): under a new "
        f"name its inputs land once more, while {name} stays as it is published"
    )


def _parting(table: Table) -> str:
    partitions = table.landed.partitions
    match partitions:
        case None:
            return "none"
        case DailyPartitions():
            return f"daily, {partitions.in_path}"
    return f"dynamic, by {partitions.by}"


def _strange(run: TableRun) -> tuple[str, str] | None:
    """An input of bronze, and its partition, where today's YAML gives it another one."""
    landed, partitions = bronze(run.table, run.lake), run.table.landed.partitions
    if partitions is None or not landed.exists:
        return None
    entries = transactions(landed)
    names, inputs = Names.of(entries), {name.removeprefix(INPUT) for name in entries if name.startswith(INPUT)}
    came = landed.scan().select(SOURCE, PARTITION).unique().sort(PARTITION, SOURCE).collect(engine="streaming")
    for source, partition in came.iter_rows():
        # A member of an archive, or a sheet, is of its file's partition.
        uri = next((file for file in within(source) if file in inputs or names.name(file) in inputs), None)
        if uri is None:
            continue  # its rows do not say of which input they are
        day: date | str | None
        # A day that `start` has left behind since is that day still.
        day = (
            partitions.pattern.day_in(uri) if isinstance(partitions, DailyPartitions) else partition_of(uri, partitions)
        )
        if str(day) != partition:
            return source, partition
    return None


# --- mode and keys -----------------------------------------------------------------------------------


def must_fit_rows(run: TableRun, published: Snapshot | None = None) -> None:
    """Raise PublishError where what is published was written in another mode, by other keys or in another order, and is not what they promise."""
    silver, entries = run.table.landed.silver, transactions(published or run.silver)
    noted, own = written_in(entries), number_of(_writing(silver))
    others = {partition: number for partition, number in noted.items() if number != own}
    if silver.mode == "overwrite":
        others.pop(run.partition, None)  # it is replaced now
    orders = _other_orders(silver, entries)
    unknown = not noted and silver.mode == "merge"
    if not (others or orders or unknown) or not run.silver.rows():
        return
    if (others or orders) and run.table.landed.partitions is not None:
        partitions = set(run.silver.partitions())
        others, orders = ({part: how for part, how in some.items() if part in partitions} for some in (others, orders))
        if not (others or orders):
            return
    appended = not orders and all(number == _APPEND for number in others.values())
    repeats = silver.mode == "merge" and appended
    if repeats and _goes_with_keys(run):
        return
    which = sorted({partition for partition in (*others, *orders) if partition is not None})
    words = {_word(silver, number) for number in others.values()}
    words |= {f"{_word(silver, own)}, {_order_word(run, number)}" for number in orders.values()}
    were = "" if unknown else f" that were {' and '.join(sorted(words))}"
    got = f"rows{were}{', some of which repeat these keys, or lack one' if repeats else ''}{f' ({listed(which, _NAMED)})' if which else ''}"
    wanted = f"{_word(silver, own)}{f', {_order_word(run, number_of(_order(silver.order_by)))}' if orders else ''}"
    raise PublishError(
        f"{run.table.key}: wanted rows that are {wanted}, got {got}; nothing was landed; "
        f"run {run.table.name} with mode: rerun{over_all_partitions(run.table)}, which makes the table anew from bronze"
    )


def _other_orders(silver: Silver, entries: Mapping[str, int]) -> dict[str | None, int]:
    """The partitions that were merged by today's keys, where another row of a key counted than today's YAML says."""
    if silver.mode != "merge":
        return {}
    noted, own, order = written_in(entries), number_of(_writing(silver)), number_of(_order(silver.order_by))
    return {part: number for part, number in ordered_in(entries).items() if number != order and noted.get(part) == own}


def _order(by: str | None) -> str:
    """Which row of a key counts."""
    return "the last" if by is None else f"the greatest {by}"


def _order_word(run: TableRun, number: int) -> str:
    """The same for people; the column is one of those that are published."""
    names = run.silver.scan().collect_schema().names()
    words = {number_of(_order(by)): f"{_order(by)} of each" for by in (None, *names, run.table.landed.silver.order_by)}
    return words.get(number, "by a column that there is no more")


def _word(silver: Silver, number: int) -> str:
    """How rows are written, for people."""
    if number == number_of(_writing(silver)) and silver.mode == "merge":
        return f"merged by {', '.join(silver.keys)}"
    words = {_APPEND: "appended", number_of("overwrite"): "replaced by each batch"}
    return words.get(number, "merged by other keys" if silver.mode == "merge" else "merged by keys")


def _writing(silver: Silver) -> str:
    """The mode, with the keys that rows are merged by."""
    return f"merge by {json.dumps(sorted(silver.keys))}" if silver.mode == "merge" else silver.mode


def _goes_with_keys(run: TableRun) -> bool:
    """Whether what is published may have been merged by the table's keys: each row has its own; so does what has none."""
    silver = run.table.landed.silver
    if silver.mode != "merge" or not run.silver.exists:
        return True
    rows, keys = run.silver.scan(), [*silver.keys]
    if set(keys) - set(rows.collect_schema()):
        return False
    lacking = pl.any_horizontal(pl.col(exact(key)).is_null() for key in keys)
    wrong = rows.group_by(exact_names(keys)).len().filter((pl.col("len") > 1) | lacking)
    return wrong.head(1).collect(engine="streaming").is_empty()
