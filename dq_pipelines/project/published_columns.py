"""Derives which columns a table publishes from its YAML alone, without reading data."""

from __future__ import annotations

from dataclasses import dataclass, replace

from dq_pipelines.project.model import Table
from dq_pipelines.project.tables import LandedTable
from dq_pipelines.transforms.steps import OPAQUE, AnyStep, Cast, Derive, Rename


@dataclass(frozen=True)
class PublishedColumns:
    """The columns that a table is known to publish."""

    names: frozenset[str] = frozenset()
    #: whether these are all columns; often unknown, since undeclared columns pass as they landed, and SQL and functions may add any
    complete: bool = False
    #: former names of columns, each with the current one
    renamed: tuple[tuple[str, str], ...] = ()

    def after(self, step: AnyStep) -> PublishedColumns:
        if isinstance(step, OPAQUE):
            return PublishedColumns()
        if isinstance(step, Rename):
            names = (self.names - step.rename.keys()) | set(step.rename.values())
            gone = tuple(step.rename.items())
            return replace(self, names=names, renamed=tuple(_still_unused((*self.renamed, *gone), names)))
        if isinstance(step, Derive | Cast):
            added = self.names | (step.derive if isinstance(step, Derive) else step.cast).keys()
            return replace(self, names=added, renamed=tuple(_still_unused(self.renamed, added)))
        return self


def _still_unused(renamed: tuple[tuple[str, str], ...], names: frozenset[str]) -> list[tuple[str, str]]:
    return [(old, new) for old, new in renamed if old not in names]


def landed(model: LandedTable) -> PublishedColumns:
    """The columns of silver before its first step."""
    columns = model.silver.columns
    source_names = getattr(model.source, "column_names", None)
    renamed = {source: name for name, column in columns.items() for source in column.sources if source not in columns}
    names = set(columns)
    if isinstance(source_names, tuple | list):
        names |= set(source_names) - renamed.keys()
    return PublishedColumns(frozenset(names), isinstance(source_names, tuple | list), tuple(renamed.items()))


def published(table: Table) -> PublishedColumns:
    """The columns that `table` publishes."""
    if not isinstance(table.model, LandedTable):
        return PublishedColumns()
    columns = landed(table.model)
    for step in table.model.silver.transform:
        columns = columns.after(step)
    return columns


def names_anew(step: AnyStep, column: str) -> bool:
    """Whether `column` may have another type after the step."""
    new = step.derive if isinstance(step, Derive) else step.cast if isinstance(step, Cast) else {}
    return column in new or (isinstance(step, Rename) and column in {*step.rename, *step.rename.values()})
