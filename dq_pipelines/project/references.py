"""Checks references between files and within a table: foreign keys, inputs of gold tables, columns, cycles, partitions.

Each check takes the tables whose own files are valid, and yields findings. No check reads data, so
a column that may land undeclared is not reported as missing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from dq_pipelines.config.yaml_file import Location
from dq_pipelines.errors import nearest
from dq_pipelines.project.model import Project, Table
from dq_pipelines.project.names import taken
from dq_pipelines.project.published_columns import PublishedColumns, landed, names_anew, published
from dq_pipelines.project.sql import SqlError, reads
from dq_pipelines.project.table_format import unsupported
from dq_pipelines.project.tables import GoldTable, LandedTable
from dq_pipelines.sources.database import DatabaseSource
from dq_pipelines.transforms.steps import OPAQUE, Deduplicate
from dq_pipelines.transforms.types import dtype_of


@dataclass(frozen=True)
class Finding:
    """A problem at one place of one table's file."""

    table: Table
    place: Location
    message: str
    #: the line within the text block at `place`, from 1; 0 for the place itself
    line_in_block: int = 0


def findings(project: Project, keys: Collection[str]) -> Iterator[Finding]:
    """All findings; `keys` also has the tables whose own files are invalid."""
    for table in project:
        if (why := taken(table, project)) is not None:
            yield Finding(table, (), why)
        yield from foreign_keys(table, project, keys)
        yield from gold_inputs(table, keys)
        yield from columns(table)
        yield from retention(table)
        yield from partitions(table)
        yield from freshness(table)
        yield from channels(table, project)
        yield from connections(table)
        yield from (Finding(table, place, said) for place, said in unsupported(table))
        yield from anomalies(table)
    yield from cycles(project)


def connections(table: Table) -> Iterator[Finding]:
    """The connection of a source is one of project.yaml, or a URL."""
    source = table.model.source if isinstance(table.model, LandedTable) else None
    if isinstance(source, DatabaseSource) and (wrong := source.wrong_connection):
        yield Finding(table, ("source", "connection"), wrong)


def foreign_keys(table: Table, project: Project, keys: Collection[str]) -> Iterator[Finding]:
    """The other table exists, and has the column, if it declares its columns."""
    for index, parent in table.parents.items():
        place: Location = (*rules_at(table), index)
        if parent.table not in keys:
            yield Finding(table, (*place, "table"), unknown_table(parent.table, keys))
            continue
        other = project.by_key(parent.table)
        known = published(other) if other is not None else PublishedColumns()
        if known.names and parent.key not in known.names:
            message = f"{parent.table} declares no column '{parent.key}'{_nearest_column(parent.key, known)}"
            yield Finding(table, (*place, "key"), message)
    for index, tables in table.looked_at.items():
        for other_key in tables:
            if other_key not in keys:
                yield Finding(table, (*rules_at(table), index), unknown_table(other_key, keys))


def gold_inputs(table: Table, keys: Collection[str]) -> Iterator[Finding]:
    """The tables that a gold table reads exist."""
    if not isinstance(table.model, GoldTable):
        return
    gold = table.model.gold
    if gold.sql is None:
        for index, key in enumerate(gold.inputs):
            if key not in keys:
                yield Finding(table, ("gold", "inputs", index), unknown_table(key, keys))
            elif key == table.key:
                yield Finding(table, ("gold", "inputs", index), f"wanted another table, got {key} itself")
        return
    try:
        for read in reads(gold.sql):
            if read.key not in keys:
                yield Finding(table, ("gold", "sql"), unknown_table(read.key, keys, dot="."), read.line)
            elif read.key == table.key:
                yield Finding(table, ("gold", "sql"), f"wanted other tables, got {table.key} itself", read.line)
    except SqlError as error:
        yield Finding(table, ("gold", "sql"), str(error), error.line)


def columns(table: Table) -> Iterator[Finding]:
    """Keys, steps and rules name columns that can exist."""
    if not isinstance(table.model, LandedTable):
        return
    silver = table.model.silver
    known = landed(table.model)
    for index, step in enumerate(silver.transform):
        if isinstance(step, Deduplicate):
            place: Location = ("silver", "transform", index, "deduplicate")
            for at, name in enumerate(step.deduplicate.by):
                yield from _column(table, (*place, "by", at), name, known)
            if step.deduplicate.order_by is not None:
                yield from _column(table, (*place, "order_by"), step.deduplicate.order_by, known)
        known = known.after(step)
    for index, name in enumerate(silver.keys):
        yield from _column(table, ("silver", "keys", index), name, known)
    if silver.order_by is not None:
        yield from _column(table, ("silver", "merge", "order_by"), silver.order_by, known)
    for index, rule in enumerate(silver.rules):
        for name in rule.columns_judged:
            yield from _column(table, (*rules_at(table), index), name, known)


def channels(table: Table, project: Project) -> Iterator[Finding]:
    """`project.yaml` defines each channel that a table's alerts name."""
    known = project.settings.alerts.to if project.settings.alerts is not None else {}
    for index, route in enumerate(table.model.alerts or ()):
        for at, name in enumerate(route.to):
            if name not in known:
                message = f"unknown channel '{name}'{nearest(name, known)}: project.yaml names none such in alerts.to"
                yield Finding(table, ("alerts", index, "to", at), message)


def anomalies(table: Table) -> Iterator[Finding]:
    """Each watched metric is measured, and is watched once."""
    layer = "gold" if table.is_gold else "silver"
    metrics, known = table.model.metrics, published(table)
    seen: set[str] = set()
    for index, rule in enumerate(table.anomalies):
        place: Location = (layer, "anomalies", index)
        if rule.check in seen:
            yield Finding(table, place, f"{rule.about} is watched twice: the check {rule.check} has one rule")
        seen.add(rule.check)
        if rule.column is None:
            continue
        yield from _column(table, (*place, "column"), rule.column, known)
        if not metrics.covers(rule.column):
            near = nearest(rule.column, metrics.columns or ())
            yield Finding(
                table, (*place, "column"), f"{rule.column} is not measured{near}: metrics.columns leaves it out"
            )
        elif not metrics.sketches and rule.is_sketched:
            yield Finding(table, (*place, "metric"), f"{rule.metric} is not measured: metrics.sketches is false")


def retention(table: Table) -> Iterator[Finding]:
    """The column that gives a row's age is published, and is a date or a moment."""
    if not isinstance(table.model, LandedTable) or table.model.retention is None:
        return
    by, place = table.model.retention.by, ("retention", "by")
    yield from _column(table, place, by, published(table))
    declared = table.model.silver.columns.get(by)
    changed = any(isinstance(step, OPAQUE) or names_anew(step, by) for step in table.model.silver.transform)
    if declared is not None and not changed and not dtype_of(declared.type).is_temporal():
        yield Finding(table, place, f"wanted a column of type date, datetime or timestamp, got {by}: {declared.type}")


def freshness(table: Table) -> Iterator[Finding]:
    """A table of daily partitions has a deadline (cron), any other a window (within)."""
    declared = table.model.freshness
    if declared is None:
        return
    if table.is_daily and (declared.cron is None or declared.within is not None):
        yield Finding(table, ("freshness",), "wanted cron alone, got within: the table has daily partitions")
    elif not table.is_daily and declared.within is None:
        yield Finding(table, ("freshness",), "wanted within, got cron alone: the table has no daily partitions")


def partitions(table: Table) -> Iterator[Finding]:
    """The write mode and the source allow partitions."""
    if not isinstance(table.model, LandedTable) or table.model.partitions is None:
        return
    declared = table.model.partitions
    if table.model.silver.write == "overwrite":
        yield Finding(
            table,
            ("silver", "write"),
            "partitions want write: merge or append, got overwrite, by which each replaces the others",
        )
    if table.model.source.type == "delta":  # type: ignore[attr-defined]  # every source has a type
        yield Finding(table, ("partitions",), f"partitions: {declared.type} wants a source of files, got delta")


def cycles(project: Project) -> Iterator[Finding]:
    """No table is computed from itself, directly or through others. Each cycle is reported once."""
    done: set[str] = set()
    for start in project:
        path: dict[str, Iterator[str]] = {}
        if start.key not in done:
            path[start.key] = upstream(start)
        while path:
            last = next(reversed(path))
            key = next(path[last], None)
            if key is None:
                done.add(last)
                del path[last]
            elif key in path:
                names = list(path)[list(path).index(key) :]
                table = project.by_key(key)
                if table is not None:
                    yield Finding(
                        table,
                        _reads_at(table, names[1 % len(names)]),
                        f"tables wait for each other: {' <- '.join([*names, key])}",
                    )
            elif key not in done and (table := project.by_key(key)) is not None:
                path[key] = upstream(table)


def upstream(table: Table) -> Iterator[str]:
    """The keys of the tables that a table reads; none for SQL that cannot be parsed."""
    try:
        return iter(table.upstream)
    except SqlError:
        return iter(())  # reported by gold_inputs


def _reads_at(table: Table, key: str) -> Location:
    """The place at which `table` reads `key`."""
    for index, parent in table.parents.items():
        if parent.table == key:
            return (*rules_at(table), index)
    for index, tables in table.looked_at.items():
        if key in tables:
            return (*rules_at(table), index)
    return ("gold",)


def rules_at(table: Table) -> Location:
    return ("gold" if table.is_gold else "silver", "rules")


def unknown_table(key: str, keys: Collection[str], dot: str = "/") -> str:
    """The message for a key that is no published table; it suggests the table of this name in the right layer."""
    shown = key.replace("/", dot)
    name = key.rpartition("/")[2]
    same_name = [known for known in keys if known.partition("/")[2] == name]
    near = nearest(same_name[0], same_name) if same_name else nearest(key, keys)
    if key.partition("/")[0] not in ("silver", "gold") or key.count("/") != 1:
        return f"wanted silver{dot}<table> or gold{dot}<table>, got '{shown}'{near.replace('/', dot)}"
    return f"unknown table '{shown}'{near.replace('/', dot)}"


def _column(table: Table, place: Location, name: str, known: PublishedColumns) -> Iterator[Finding]:
    if name in known.names:
        return
    if now := dict(known.renamed).get(name):
        yield Finding(table, place, f"no column '{name}' here: it is called '{now}' by now")
    elif known.complete:
        yield Finding(table, place, f"no column '{name}'{_nearest_column(name, known)}")


def _nearest_column(name: str, known: PublishedColumns) -> str:
    now = dict(known.renamed).get(name)
    return f" (nearest: {now})" if now else nearest(name, sorted(known.names))
